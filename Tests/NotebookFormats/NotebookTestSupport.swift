import Core
import Glibc
import NotebookFormats
import Testing

/// The folder of sample notebooks.
let corpusFolder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Corpus"

/// The bytes of a file of the corpus.
func corpus(_ name: String) throws -> [UInt8] {
    let file = try #require(fopen("\(corpusFolder)/\(name)", "rb"), "\(name) cannot be read")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return bytes
}

let ipynbNames =
    (0...5).map { "all-kinds-4.\($0).ipynb" }
    + ["empty.ipynb"]
    + ["two", "ascii", "no-end", "spaced", "compact", "joined", "mark"].map { "layout-\($0).ipynb" }

/// The error of a body that must fail with one of ours.
func harbourError(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> HarbourError? {
    do {
        try body()
        Issue.record("no error", sourceLocation: sourceLocation)
    } catch let error as HarbourError {
        return error
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
    return nil
}

/// The seed of a random test: `HARBOUR_TEST_SEED` plays a failure again.
func testSeed() -> UInt64 {
    if let text = getenv("HARBOUR_TEST_SEED"), let seed = UInt64(String(cString: text)) { return seed }
    return UInt64(bitPattern: Timestamp.now.milliseconds)
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// Language, title and text of each cell: what every format keeps. A code cell of `%md` is a markdown cell to them.
func outline(_ notebook: Notebook) -> [String] {
    notebook.cells.map { cell in
        "\(cell.language(in: notebook)) \(cell.title ?? "-"): \(String(reflecting: cell.text))"
    }
}

/// Makes notebooks of every kind of cell.
struct NotebookMaker {
    var random: SeededGenerator

    mutating func pick(_ texts: [String]) -> String { texts.randomElement(using: &random) ?? "" }

    mutating func notebook(oddities: Bool) -> Notebook {
        var notebook = Notebook(language: Bool.random(using: &random) ? .python : .sql)
        for index in 0..<Int.random(in: 0...8, using: &random) {
            notebook.cells.append(cell("cell-\(index)", oddities: oddities))
        }
        return notebook
    }

    private mutating func cell(_ id: String, oddities: Bool) -> Cell {
        var cell: Cell
        switch Int.random(in: 0..<6, using: &random) {
        case 0: cell = Cell(id: id, kind: .markdown, source: source(oddities))
        case 1: cell = Cell(id: id, kind: .raw, source: source(oddities))
        case 2:
            let magic = pick(["%sql\n", "%sh\n", "%sh ", "%r\n", "%scala\n", "%fs ", "%run ", "%pip ", "%python\n"])
            cell = Cell(id: id, source: magic + source(oddities))
        default: cell = Cell(id: id, source: source(oddities))
        }
        if Int.random(in: 0..<4, using: &random) == 0 { cell.title = pick(["Title", "Two words", "é, with comma"]) }
        if cell.kind == .code, Bool.random(using: &random) {
            cell.executionCount = Int64.random(in: 0...99, using: &random)
            cell.outputs = [
                .stream("stdout", source(oddities)), .error(name: "E", value: "v", traceback: ["a\n", "b"]),
                .displayData(["text/plain": .string(source(oddities)), "image/png": "AA=="], metadata: ["x": 1]),
                .executeResult(count: cell.executionCount, ["application/json": ["a": [1, nil, true]]]),
            ]
        }
        return cell
    }

    private mutating func source(_ oddities: Bool) -> String {
        let usual = ["x = 1", "", "print('é')", "SELECT 1", "    indented", "# comment", "a\tb", "\"q\" \\", "x  "]
        let odd = [
            "# COMMAND ----------", "# MAGIC %sql", "# DBTITLE 1,x", "# %% [markdown]", "-- COMMAND ----------",
            "-- %%",
            "# Databricks notebook source", "%time x", "%md", "%%bash", "a\r", "-- MAGIC", "# ---", "\u{2028}\u{0}",
        ]
        let count = Int.random(in: 1...4, using: &random)
        return (0..<count).map { _ in pick(oddities && Bool.random(using: &random) ? odd : usual) }
            .joined(separator: "\n")
    }
}
