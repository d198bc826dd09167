import Core
import NotebookFormats
import TestSupport
import Testing

private struct Broken: Error, CustomStringConvertible {
    let description: String
}

@Suite("Notebooks of every kind, random")
struct NotebookPropertyTests {
    /// Goal: any notebook survives its own format; what we write reads back to what writes the same.
    @Test func formatsAreStable() throws {
        let seed = testSeed()
        var maker = NotebookMaker(random: SeededGenerator(seed: seed))
        for round in 0..<400 {
            let notebook = maker.notebook(oddities: round % 2 == 1)
            for format in NotebookFormat.allCases {
                let first = format.serialize(notebook)
                let again = try format.parse(first)
                #expect(
                    text(format.serialize(again)).debugDescription == text(first).debugDescription,
                    "seed \(seed) round \(round) \(format)")
                if format == .ipynb { #expect(again == notebook, "seed \(seed) round \(round)") }
                let isSame = outline(again) == outline(notebook) || (notebook.cells.isEmpty && again.cells.count < 2)
                // Marks of the format inside a cell may change it, and then the losses say so.
                let saysSo = format.losses(of: notebook).contains { $0.contains("exact text") }
                #expect(
                    isSame || saysSo,
                    "seed \(seed) round \(round) \(format) \(outline(notebook)) became \(outline(again))")
                if round % 2 == 0 {
                    #expect(outline(again).count == outline(notebook).count || notebook.cells.isEmpty)
                }
            }
        }
    }

    private static let tokens = [
        "# COMMAND ----------", "# MAGIC ", "# MAGIC", "# MAGIC %md", "# MAGIC %sql", "# DBTITLE 1,T", "# %%",
        "# %% [markdown]",
        "# ---", "\r\n", "\n", "\n\n", "-- COMMAND ----------", "-- MAGIC %python", "%", " ", "\u{feff}",
        "# Databricks notebook source\n",
    ].map { Array($0.utf8) }

    /// Goal: whatever text is read comes out the same, at once and by way of a saved `.ipynb`.
    @Test(arguments: [NotebookFormat.pythonSource, .sqlSource, .python, .sql])
    func anyTextRoundTrips(_ format: NotebookFormat) throws {
        let names = ["databricks.py", "databricks.sql", "percent.py", "plain.py", "plain.sql"]
        let samples = try names.map { try corpus($0) } + [Array("%sql\nSELECT 1\n".utf8), Array("%md x".utf8)]
        let sign = format == .sqlSource || format == .sql ? "--" : "#"
        try fuzz(
            "source-\(format)", corpus: samples + samples.map { $0.flatMap { $0 == 10 ? [13, 10] : [$0] } },
            tokens: NotebookPropertyTests.tokens, iterations: 1500, maximumLength: 2000
        ) { input in
            var bytes = input.bytes
            if format == .pythonSource || format == .sqlSource, (try? format.parse(bytes)) == nil {
                bytes = Array("\(sign) Databricks notebook source\n".utf8) + bytes
            }
            let notebook: Notebook
            do {
                notebook = try format.parse(bytes)
            } catch let error as HarbourError {
                guard error.code == .invalidNotebook else { throw Broken(description: "\(error)") }
                return
            }
            guard format.serialize(notebook) == bytes else { throw Broken(description: "the text changed") }
            let loaded = try NotebookFormat.ipynb.parse(NotebookFormat.ipynb.serialize(notebook))
            guard format.serialize(loaded) == bytes else { throw Broken(description: "the saved text changed") }
        }
    }

    /// Goal: whatever JSON is read as a notebook comes out with the same meaning, and writing it again is stable.
    @Test func anyJSONRoundTrips() throws {
        let words = [
            "\"cells\"", "\"source\"", "[]", "{}", "null", "1e5", "\"\\u00e9\\ud83d\\ude00\"", "\"id\":\"a\",",
            "\"a\\r\\nb\"",
        ]
        try fuzz(
            "ipynb", corpus: try ipynbNames.map { try corpus($0) }, tokens: words.map { Array($0.utf8) },
            iterations: 1500, maximumLength: 10_000
        ) { input in
            let notebook: Notebook
            do {
                notebook = try NotebookFormat.ipynb.parse(input.bytes)
            } catch let error as HarbourError {
                guard error.code == .invalidNotebook else { throw Broken(description: "\(error)") }
                return
            }
            let first = NotebookFormat.ipynb.serialize(notebook)
            let again = try NotebookFormat.ipynb.parse(first)
            guard again == notebook else { throw Broken(description: "the notebook changed") }
            guard NotebookFormat.ipynb.serialize(again) == first else { throw Broken(description: "the text changed") }
            for format in NotebookFormat.allCases { _ = format.serialize(notebook) }
        }
    }
}
