import Core
import Glibc
import NotebookFormats
import TestSupport
import Testing

@Suite("Jupyter notebooks")
struct IpynbTests {
    /// Goal: files come out as they went in, byte for byte, however their program laid them out.
    @Test(arguments: ipynbNames)
    func roundTripsByteForByte(_ name: String) throws {
        let bytes = try corpus(name)
        let notebook = try NotebookFormat.ipynb.parse(bytes)
        #expect(text(NotebookFormat.ipynb.serialize(notebook)) == text(bytes))
        #expect(NotebookFormat.ipynb.serialize(notebook) == bytes)
        #expect(try Notebook(json: notebook.json) == notebook)
    }

    @Test func readsEveryKind() throws {
        let notebook = try NotebookFormat.ipynb.parse(try corpus("all-kinds-4.5.ipynb"))
        #expect(notebook.language == .python)
        #expect(notebook.cells.map(\.kind.rawValue).filter { $0 == "code" }.count == 9)
        #expect(
            notebook.cells.map { $0.language(in: notebook).name } == [
                "md", "python", "sql", "sh", "pip", "python", "python", "python", "python", "python", "raw",
            ])
        let code = notebook.cells[1]
        #expect(code.id == "Code_1-a")
        #expect(code.title == "A title")
        #expect(code.executionCount == 3)
        #expect(code.outputs.map(\.kind) == [.stream, .stream, .displayData, .executeResult, .executeResult, .error])
        #expect(code.outputs[0].text == "one\ntwo\r\nthree\rfour without end")
        #expect(code.outputs[2].text(ofType: "text/plain") == "<Figure>\n1")
        #expect(code.outputs[5].errorName == "ValueError")
        #expect(code.metadata["unknown"]?["a"]?[1] == .number(try #require(JSONNumber("12345678901234567890"))))
        #expect(notebook.cells[0].attachments?.count == 2)
        #expect(notebook.cells[2].text == "SELECT *\nFROM t")
        #expect(notebook.cells[3].text == "ls -l\npwd")
        #expect(notebook.cells[4].text == "%pip install a\n%pip install b")
        #expect(notebook.cells[5].text == "%%time\nsum(range(10))")
    }

    /// Goal: ids are kept where they are good, and made, always the same, where they are missing, bad or taken.
    @Test func identities() throws {
        let old = try NotebookFormat.ipynb.parse(try corpus("all-kinds-4.4.ipynb"))
        let again = try NotebookFormat.ipynb.parse(try corpus("all-kinds-4.4.ipynb"))
        #expect(old.cells.map(\.id) == again.cells.map(\.id))
        #expect(Set(old.cells.map(\.id)).count == old.cells.count)
        let json =
            #"{"cells":[{"cell_type":"raw","id":"a","metadata":{},"source":""},"#
            + #"{"cell_type":"raw","id":"a","metadata":{},"source":""},"#
            + #"{"cell_type":"raw","id":"b c","metadata":{},"source":""},"#
            + #"{"cell_type":"raw","metadata":{},"source":""}],"metadata":{},"nbformat":4,"nbformat_minor":5}"#
        let notebook = try NotebookFormat.ipynb.parse(Array(json.utf8))
        #expect(notebook.cells[0].id == "a")
        #expect(Set(notebook.cells.map(\.id)).count == 4)
        #expect(notebook.cells.allSatisfy { $0.id.utf8.count <= 64 && !$0.id.utf8.contains(0x20) })
    }

    /// Goal: an edit changes its own lines and nothing else.
    @Test(arguments: ["all-kinds-4.5.ipynb", "layout-two.ipynb", "layout-joined.ipynb"])
    func editsTouchOnlyTheirPlace(_ name: String) throws {
        let bytes = try corpus(name)
        var notebook = try NotebookFormat.ipynb.parse(bytes)
        notebook.cells[2].source = "%sql\nSELECT 2"
        notebook.cells.append(Cell(id: "new", source: "1 + 1"))
        let edited = NotebookFormat.ipynb.serialize(notebook)
        #expect(edited != bytes)
        let again = try NotebookFormat.ipynb.parse(edited)
        #expect(again == notebook)
        let before = text(bytes).split(separator: "\n", omittingEmptySubsequences: false)
        let after = Set(text(edited).split(separator: "\n", omittingEmptySubsequences: false))
        #expect(before.filter { !after.contains($0) }.count <= 3)
    }

    /// Goal: what is no notebook is refused by code, with its place.
    @Test(arguments: [
        ("", "not valid JSON"), ("{", "not valid JSON"), ("[]", "JSON object"), ("nul", "not valid JSON"),
        ("{\"cells\": [], \"nbformat\": 4, \"nbformat\": 4}", "nbformat"), ("{}", "`nbformat`"),
        (#"{"nbformat": 3, "worksheets": []}"#, "nbconvert"), (#"{"nbformat": 5, "cells": []}"#, "4 is the newest"),
        (#"{"nbformat": "4", "cells": []}"#, "`nbformat`"),
        (#"{"nbformat": 4, "nbformat_minor": -1}"#, "nbformat_minor"),
        (#"{"nbformat": 4}"#, "`cells`"), (#"{"nbformat": 4, "cells": {}}"#, "`cells`"),
        (#"{"nbformat": 4, "cells": [1]}"#, "`cells[0]`"),
        (#"{"nbformat": 4, "cells": [], "metadata": 1}"#, "`metadata`"),
        (#"{"nbformat": 4, "cells": [{"source": ""}]}"#, "`cells[0].cell_type`"),
        (#"{"nbformat": 4, "cells": [{"cell_type": "heading", "source": ""}]}"#, "`cells[0].cell_type`"),
        (#"{"nbformat": 4, "cells": [{"cell_type": "code"}]}"#, "`cells[0].source`"),
        (#"{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["a", 1]}]}"#, "`cells[0].source`"),
        (#"{"nbformat": 4, "cells": [{"cell_type": "raw", "source": "", "metadata": []}]}"#, "`cells[0].metadata`"),
        (
            #"{"nbformat": 4, "cells": [{"cell_type": "raw", "source": "", "attachments": 1}]}"#,
            "`cells[0].attachments`"
        ),
        (
            #"{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "execution_count": "1"}]}"#,
            "execution_count"
        ),
        (#"{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "outputs": {}}]}"#, "`cells[0].outputs`"),
    ])
    func refuses(_ json: String, _ place: String) {
        let error = harbourError { _ = try NotebookFormat.ipynb.parse(Array(json.utf8)) }
        #expect(error?.code == .invalidNotebook)
        #expect(error?.message.contains(place) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: [
        (#"{}"#, "output_type"), (#"{"output_type": "pyout"}"#, "output_type"), (#"1"#, "outputs[1]`"),
        (#"{"output_type": "stream", "text": ""}"#, "outputs[1].name"),
        (#"{"output_type": "stream", "name": "stdout", "text": 1}"#, "outputs[1].text"),
        (#"{"output_type": "display_data", "data": []}"#, "outputs[1].data"),
        (#"{"output_type": "display_data", "data": {}, "metadata": 1}"#, "outputs[1].metadata"),
        (#"{"output_type": "execute_result", "data": {}, "execution_count": 1.5}"#, "outputs[1].execution_count"),
        (#"{"output_type": "error", "evalue": "", "traceback": []}"#, "outputs[1].ename"),
        (#"{"output_type": "error", "ename": "", "evalue": "", "traceback": "x"}"#, "outputs[1].traceback"),
    ])
    func refusesOutputs(_ output: String, _ place: String) {
        let json =
            #"{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "outputs": ["#
            + #"{"output_type": "stream", "name": "stdout", "text": ""}, "# + output + "]}]}"
        let error = harbourError { _ = try NotebookFormat.ipynb.parse(Array(json.utf8)) }
        #expect(error?.code == .invalidNotebook)
        #expect(error?.message.contains("cells[0].outputs[1]") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains(place) == true, "\(error?.message ?? "")")
    }

    @Test func keepsLimits() throws {
        let deep =
            #"{"nbformat": 4, "cells": [], "metadata": {"x": "#
            + String(repeating: "[", count: 200) + String(repeating: "]", count: 200) + "}}"
        #expect(harbourError { _ = try NotebookFormat.ipynb.parse(Array(deep.utf8)) }?.code == .invalidNotebook)
        let bytes = try corpus("all-kinds-4.5.ipynb")
        for limits in [NotebookLimits(bytes: 100), NotebookLimits(cells: 10), NotebookLimits(depth: 3)] {
            let error = harbourError { _ = try NotebookFormat.ipynb.parse(bytes, limits: limits) }
            #expect(error?.code == .invalidNotebook)
        }
        let source = try corpus("databricks.py")
        for limits in [NotebookLimits(bytes: 100), NotebookLimits(cells: 3)] {
            let error = harbourError { _ = try NotebookFormat.pythonSource.parse(source, limits: limits) }
            #expect(error?.code == .invalidNotebook)
        }
        let invalid = harbourError { _ = try NotebookFormat.ipynb.parse([0x7b, 0x22, 0xff, 0x22]) }
        #expect(invalid?.code == .invalidNotebook)
        let line = harbourError { _ = try NotebookFormat.python.parse(Array("a\nb\n".utf8) + [0xc3, 0x28]) }
        #expect(line?.message.contains("line 3") == true)
    }

    /// Goal: nbformat itself takes what we write for valid, and would write the same bytes.
    @Test(.enabled(if: PeerPython.has("nbformat"), "nbformat is not installed: see Tests/README.md"))
    func isValidForNbformat() throws {
        let folder = try TemporaryDirectory()
        var maker = NotebookMaker(random: SeededGenerator(seed: testSeed()))
        var paths: [String] = []
        for index in 0..<40 {
            let notebook = maker.notebook(oddities: true)
            paths.append(try folder.write("random-\(index).ipynb", NotebookFormat.ipynb.serialize(notebook)))
        }
        for name in ["databricks.py", "databricks.sql", "percent.py", "plain.py", "plain.sql"] {
            let bytes = try corpus(name)
            let notebook = try NotebookFormat.detect(name: name, content: bytes).parse(bytes)
            paths.append(try folder.write("\(name).ipynb", NotebookFormat.ipynb.serialize(notebook)))
        }
        #expect(throws: Never.self) { try runCommand([PeerPython.executable, "\(corpusFolder)/check.py"] + paths) }
    }
}
