import Core
import NotebookFormats
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Saving by several people")
struct NotebookMergeTests {
    private func notebook(_ cells: KeyValuePairs<String, String>) -> Notebook {
        Notebook(cells: cells.map { Cell(id: $0.key, source: $0.value) })
    }

    private func merged(_ base: Notebook, _ mine: Notebook, _ newest: Notebook) -> [String] {
        switch NotebookMerge(base: base, mine: mine, newest: newest).merge() {
        case .merged(let notebook): notebook.cells.map { "\($0.id)=\($0.source)" }
        case .conflict(let conflicts): ["conflict"] + conflicts.map(\.description)
        }
    }

    @Test func changesOfDifferentCellsComeTogether() {
        let base = notebook(["a": "1", "b": "2", "c": "3"])
        #expect(
            merged(base, notebook(["a": "mine", "b": "2", "c": "3"]), notebook(["a": "1", "b": "2", "c": "theirs"]))
                == ["a=mine", "b=2", "c=theirs"])
        #expect(
            merged(
                base, notebook(["a": "1", "x": "mine", "b": "2", "c": "3"]),
                notebook(["a": "1", "b": "2", "y": "t", "c": "3"]))
                == ["a=1", "x=mine", "b=2", "y=t", "c=3"])
        // Both at one place: both are there, and what one has put there stays together.
        let mine = notebook(["a": "1", "b": "2", "c": "3", "x": "m", "z": "m"])
        let theirs = notebook(["a": "1", "b": "2", "c": "3", "y": "t"])
        #expect(merged(base, mine, theirs) == ["a=1", "b=2", "c=3", "x=m", "z=m", "y=t"])
        #expect(merged(base, theirs, mine) == ["a=1", "b=2", "c=3", "x=m", "z=m", "y=t"])
    }

    @Test func theSameChangeIsNoConflict() {
        let base = notebook(["a": "1"])
        #expect(merged(base, notebook(["a": "2"]), notebook(["a": "2"])) == ["a=2"])
        #expect(merged(base, notebook(["a": "2"]), notebook(["a": "3"])) == ["conflict", "cell a (source)"])
        // The same letter in two spellings is not the same text.
        #expect(
            merged(base, notebook(["a": "\u{e9}"]), notebook(["a": "e\u{301}"])) == ["conflict", "cell a (source)"])
        #expect(
            merged(notebook(["a": "\u{e9}"]), notebook(["a": "e\u{301}"]), notebook(["a": "\u{e9}"])) == ["a=e\u{301}"])
    }

    @Test func aDeletionOfWhatTheOtherHasChangedIsAConflict() {
        let base = notebook(["a": "1", "b": "2"])
        #expect(
            merged(base, notebook(["a": "1"]), notebook(["a": "1", "b": "theirs"]))
                == ["conflict", "cell b (you have deleted it, others have changed it)"])
        #expect(
            merged(base, notebook(["a": "1", "b": "mine"]), notebook(["a": "1"]))
                == ["conflict", "cell b (others have deleted it, you have changed it)"])
        #expect(merged(base, notebook(["a": "1"]), base) == ["a=1"])
        #expect(merged(base, base, notebook(["a": "1"])) == ["a=1"])
        #expect(merged(base, notebook(["b": "2"]), notebook(["a": "1"])) == [])
    }

    @Test func movesAreKept() {
        let base = notebook(["a": "1", "b": "2", "c": "3"])
        let moved = notebook(["c": "3", "a": "1", "b": "2"])
        #expect(
            merged(base, moved, notebook(["a": "1", "b": "2", "c": "3", "d": "4"])) == ["c=3", "d=4", "a=1", "b=2"])
        #expect(merged(base, notebook(["a": "1", "b": "m", "c": "3"]), moved) == ["c=3", "a=1", "b=m"])
        // Both have moved something else.
        let four = notebook(["a": "1", "b": "2", "c": "3", "d": "4"])
        let (front, back) = (
            notebook(["b": "2", "a": "1", "c": "3", "d": "4"]), notebook(["a": "1", "b": "2", "d": "4", "c": "3"])
        )
        #expect(merged(four, front, back) == ["b=2", "a=1", "d=4", "c=3"])
        #expect(merged(four, back, front) == ["b=2", "a=1", "d=4", "c=3"])
        #expect(
            merged(base, notebook(["b": "2", "c": "3", "a": "1"]), notebook(["c": "3", "a": "1", "b": "2"]))
                == ["c=3", "b=2", "a=1"])
        // One wants b before a, the other c before b, and none c before a.
        #expect(
            merged(base, notebook(["b": "2", "a": "1", "c": "3"]), notebook(["a": "1", "c": "3", "b": "2"]))
                == ["conflict", "the order of the cells a, b, c"])
    }

    @Test func fieldsOfOneCellComeTogether() throws {
        let base = notebook(["a": "%sql\nSELECT 1"])
        var mine = notebook(["a": "%sql\nSELECT 2"])
        var theirs = notebook(["a": "%scala\nSELECT 1"])
        mine.cells[0].metadata = ["tags": ["t"], "jupyter": ["outputs_hidden": true]]
        theirs.cells[0].metadata = ["collapsed": true, "jupyter": ["source_hidden": true]]
        mine.metadata["kernelspec"] = ["name": "k"]
        theirs.metadata["kernelspec"] = ["display_name": "K"]
        guard case .merged(let result) = NotebookMerge(base: base, mine: mine, newest: theirs).merge() else {
            Issue.record("a conflict")
            return
        }
        #expect(result.cells[0].source == "%scala\nSELECT 2")
        #expect(
            result.cells[0].metadata == [
                "tags": ["t"], "collapsed": true, "jupyter": ["outputs_hidden": true, "source_hidden": true],
            ])
        #expect(result.metadata["kernelspec"] == ["name": "k", "display_name": "K"])
        // What both have changed is named.
        theirs.cells[0].metadata = ["tags": ["u"], "jupyter": ["outputs_hidden": false]]
        theirs.metadata["kernelspec"] = ["name": "l"]
        guard case .conflict(let conflicts) = NotebookMerge(base: base, mine: mine, newest: theirs).merge() else {
            Issue.record("no conflict")
            return
        }
        #expect(
            conflicts == [
                .cell("a", ["metadata.tags", "metadata.jupyter.outputs_hidden"]),
                .notebook(["metadata.kernelspec.name"]),
            ])
    }

    @Test func outputsAreTheServers() throws {
        var newest = notebook(["a": "1"])
        newest.cells[0].outputs = [.stream("stdout", "kept")]
        newest.cells[0].executionCount = 3
        var mine = notebook(["a": "2"])
        mine.cells[0].outputs = [.stream("stdout", "stale")]
        guard case .merged(let result) = NotebookMerge(base: newest, mine: mine, newest: newest).merge() else {
            Issue.record("a conflict")
            return
        }
        #expect(result.cells[0].source == "2")
        #expect(result.cells[0].outputs == newest.cells[0].outputs)
        #expect(result.cells[0].executionCount == 3)
    }

    @Test func aLongListOfConflictsIsShortened() {
        let names = (0..<7).map { "c\($0)" + String(repeating: "x", count: 100) }
        let list = NotebookMerge.Conflict.list(names)
        #expect(list.hasSuffix(" and 2 more"))
        #expect(list.utf8.count < 5 * 90)
    }

    /// Goal: ten thousand cells that two have put into other orders are no burden.
    @Test func manyMovedCellsComeTogether() throws {
        let ids = (0..<10_000).map { "c\($0)" }
        var (mine, theirs) = (ids, ids)
        mine.swapAt(0, 1)
        mine.swapAt(9_000, 9_001)
        theirs.swapAt(5_000, 5_001)
        theirs.swapAt(9_998, 9_999)
        let merge = OrderMerge(base: ids, mine: mine, theirs: theirs, kept: Set(ids))
        var wanted = mine
        wanted.swapAt(5_000, 5_001)
        wanted.swapAt(9_998, 9_999)
        #expect(merge.order == wanted)
    }
}
