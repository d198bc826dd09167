import Core
import NotebookFormats
import Testing

@Suite("Source notebooks")
struct SourceTests {
    private func parse(_ name: String) throws -> (Notebook, NotebookFormat, [UInt8]) {
        let bytes = try corpus(name)
        let format = try NotebookFormat.detect(name: name, content: bytes)
        return (try format.parse(bytes), format, bytes)
    }

    @Test func readsDatabricksPython() throws {
        let (notebook, format, _) = try parse("databricks.py")
        #expect(format == .pythonSource)
        #expect(
            outline(notebook) == [
                ##"md -: "# Harbour masters\n\nOne table, *two* queries.""##,
                #"python Read the table: "df = spark.read.csv(\"/data/harbours.csv\", header=True)\n\n"#
                    + #"df.createOrReplaceTempView(\"harbours\")""#,
                #"sql -: "SELECT country, count(*)\nFROM harbours\nGROUP BY country""#,
                #"sh -: "ls -l /data""#, #"pip -: "%pip install humanize""#,
                #"md -: "<div>wide</div>""#, #"python -: "%time df.count()""#, #"python -: """#,
                #"python -: "def tonnes(x):\n    return x * 1000""#,
            ])
        // Written as Databricks writes it, so nothing had to be noted but the unusual command.
        #expect(notebook.cells.compactMap { $0.metadata["dataharbour"] } == [["magic": "%md-sandbox\n"]])
    }

    @Test func readsDatabricksSQL() throws {
        let (notebook, format, _) = try parse("databricks.sql")
        #expect(format == .sqlSource)
        #expect(notebook.language == .sql)
        #expect(
            outline(notebook) == [
                #"sql -: "SELECT 1""#, #"python -: "print(\"hello\")""#, ###"md -: "## Result""###,
                #"sql Ports by size: "SELECT name -- the name\nFROM ports\nORDER BY size;""#,
            ])
    }

    @Test func readsPercent() throws {
        let (notebook, format, _) = try parse("percent.py")
        #expect(format == .python)
        #expect(
            outline(notebook) == [
                ##"md -: "# Title\n\ntext""##, #"python -: "import csv""#, #"sql -: "SELECT 1""#,
                #"python Sum up: "total = 0\n""#, #"raw -: "raw text""#,
            ])
    }

    @Test func readsPlain() throws {
        let (notebook, format, _) = try parse("plain.py")
        #expect(format == .python)
        #expect(notebook.cells.count == 1)
        #expect(notebook.metadata.isEmpty)
        #expect(try parse("plain.sql").0.language == .sql)
        #expect(try NotebookFormat.python.parse([]).cells.isEmpty)
    }

    /// Goal: a text comes out as it went in, whatever its spacing and line ends, also by way of a saved `.ipynb`.
    @Test(arguments: ["databricks.py", "databricks.sql", "percent.py", "plain.py", "plain.sql"])
    func roundTripsByteForByte(_ name: String) throws {
        let (_, format, bytes) = try parse(name)
        let original = text(bytes)
        for variant in [
            original, original.replacing("\n", with: "\r\n"), "\u{feff}" + original, String(original.dropLast()),
            original + "\n\n", original.replacing("\n\n", with: "\n"), original.replacing("\n\n", with: "\n\n\n"),
            original.replacing("----------", with: "---------- \t"), original.replacing("MAGIC\n", with: "MAGIC \n"),
            String(original.replacing("\n", with: "\r\n").dropLast()), original.replacing("# M", with: "# \n# M"),
            original.replacing("\n\n", with: "\n \n"), original.replacing("1,", with: "0,"),
        ] {
            let notebook = try format.parse(Array(variant.utf8))
            #expect(Array(text(format.serialize(notebook)).utf8) == Array(variant.utf8))
            let saved = NotebookFormat.ipynb.serialize(notebook)
            let loaded = try NotebookFormat.ipynb.parse(saved)
            #expect(Array(text(format.serialize(loaded)).utf8) == Array(variant.utf8))
        }
    }

    /// Goal: every format keeps cells, languages and titles of every other.
    @Test(arguments: NotebookFormat.allCases)
    func keepsCellsThroughOtherFormats(_ format: NotebookFormat) throws {
        for name in ["databricks.py", "databricks.sql", "percent.py", "plain.py", "plain.sql"] {
            let (notebook, own, _) = try parse(name)
            let through = try format.parse(format.serialize(notebook))
            #expect(outline(through) == outline(notebook), "\(name) through \(format)")
            let back = try own.parse(own.serialize(through))
            #expect(outline(back) == outline(notebook), "\(name) through \(format) and back")
        }
    }

    @Test func writesTheSQLCellOfAnotherLanguage() throws {
        let (notebook, _, _) = try parse("databricks.py")
        let sql = text(NotebookFormat.sqlSource.serialize(notebook))
        #expect(sql.hasPrefix("-- Databricks notebook source\n-- MAGIC %md\n-- MAGIC # Harbour masters\n-- MAGIC\n"))
        #expect(sql.contains("\n-- COMMAND ----------\n\nSELECT country, count(*)\nFROM harbours\n"))
        #expect(sql.contains("-- DBTITLE 1,Read the table\n-- MAGIC %python\n-- MAGIC df = "))
    }

    /// Goal: an edit keeps the oddities of all other cells.
    @Test func editsKeepTheRest() throws {
        let odd =
            "# Databricks notebook source\r\n\r\nx  =  1\r\n# COMMAND ----------\r\n# MAGIC %md  # Title\r\n"
            + "# MAGIC \r\n\r\n# COMMAND ----------  \r\n\r\n\r\ny"
        var notebook = try NotebookFormat.pythonSource.parse(Array(odd.utf8))
        #expect(notebook.cells.map(\.source) == ["x  =  1", "# Title\n", "\ny"])
        notebook.cells[0].source = "x = 2"
        #expect(
            text(NotebookFormat.pythonSource.serialize(notebook))
                == odd.replacing("notebook source\r\n\r\nx  =  1", with: "notebook source\r\nx = 2"))
        notebook.cells.swapAt(0, 1)
        let swapped = try NotebookFormat.pythonSource.parse(NotebookFormat.pythonSource.serialize(notebook))
        #expect(swapped.cells.map(\.source) == ["# Title\n", "x = 2", "\ny"])
    }

    @Test func saysWhatIsLost() throws {
        let notebook = try NotebookFormat.ipynb.parse(try corpus("all-kinds-4.5.ipynb"))
        #expect(NotebookFormat.ipynb.losses(of: notebook).isEmpty)
        let losses = NotebookFormat.pythonSource.losses(of: notebook)
        for lost in ["outputs of a cell", "attachments of 2 cells", "ids of 11 cells", "exact text", "of the notebook"]
        {
            #expect(losses.contains { $0.contains(lost) }, "\(lost) in \(losses)")
        }
        let (source, _, _) = try parse("databricks.py")
        #expect(NotebookFormat.pythonSource.losses(of: source).isEmpty)
        #expect(NotebookFormat.sqlSource.losses(of: source).isEmpty)
    }

    @Test func detectsFormats() throws {
        let python = Array("# Databricks notebook source\n".utf8)
        #expect(try NotebookFormat.detect(name: "a.PY", content: python) == .pythonSource)
        #expect(try NotebookFormat.detect(name: "a", content: python) == .pythonSource)
        #expect(try NotebookFormat.detect(name: "a", content: [0xef, 0xbb, 0xbf] + python) == .pythonSource)
        #expect(try NotebookFormat.detect(name: "b.sql", content: []) == .sql)
        #expect(
            try NotebookFormat.detect(name: "b", content: Array("-- Databricks notebook source".utf8)) == .sqlSource)
        #expect(try NotebookFormat.detect(name: "c", content: Array(" {\"cells\"".utf8)) == .ipynb)
        let error = harbourError { _ = try NotebookFormat.detect(name: "d.txt", content: Array("x".utf8)) }
        #expect(error?.code == .invalidNotebook)
        let other = harbourError { _ = try NotebookFormat.pythonSource.parse(Array("x = 1\n".utf8)) }
        #expect(other?.message.contains("# Databricks notebook source") == true)
    }
}
