import Core
import NotebookFormats
import TestSupport
import Testing

@testable import WorkspaceService

/// What holds for any two people who change one notebook: the seed of each pair is in what a failure says.
@Suite("Any two saves")
struct NotebookMergePropertyTests {
    private typealias Conflict = NotebookMerge.Conflict

    private func merge(_ base: Notebook, _ mine: Notebook, _ theirs: Notebook) -> NotebookMerge.Outcome {
        NotebookMerge(base: base, mine: mine, newest: theirs).merge()
    }

    @Test(arguments: 0..<600) func keepTheRules(_ seed: UInt64) {
        var world = EditedNotebooks(seed: seed)
        let base = world.notebook()
        let (mine, theirs) = (world.edited(base, by: "m"), world.edited(base, by: "t"))
        let comment = Comment("seed \(seed)")
        // Whoever is alone has what they have made, and so have two who have made the same.
        for one in [mine, theirs] {
            for (my, their) in [(one, base), (base, one), (one, one)] {
                guard case .merged(let alone) = merge(base, my, their) else {
                    Issue.record("a conflict of one alone, seed \(seed)")
                    continue
                }
                #expect(alone.cells == one.cells, comment)
                #expect(alone.metadata == one.metadata, comment)
                #expect(alone.unknownFields == one.unknownFields, comment)
            }
        }
        switch (merge(base, mine, theirs), merge(base, theirs, mine)) {
        case (.merged(let one), .merged(let other)):
            #expect(one == other, comment)
            check(one, base, mine, theirs, comment)
        case (.conflict(let one), .conflict(let other)):
            #expect(Set(one) == Set(other.map(seenFromThere)), comment)
            for conflict in one { check(conflict, base, mine, theirs, comment) }
        default: Issue.record("it hangs on who comes first, seed \(seed)")
        }
    }

    /// The others would say nothing if all were conflicts, or none.
    @Test func meetEachOtherOftenEnough() {
        var conflicts = 0
        for seed in UInt64(0)..<600 {
            var world = EditedNotebooks(seed: seed)
            let base = world.notebook()
            if case .conflict = merge(base, world.edited(base, by: "m"), world.edited(base, by: "t")) { conflicts += 1 }
        }
        #expect((120...480).contains(conflicts))
    }

    private func seenFromThere(_ conflict: Conflict) -> Conflict {
        switch conflict {
        case .deletedHere(let id): .deletedThere(id)
        case .deletedThere(let id): .deletedHere(id)
        default: conflict
        }
    }

    /// Every change of either is there, and no cell is lost that somebody has written in.
    private func check(
        _ merged: Notebook, _ base: Notebook, _ mine: Notebook, _ theirs: Notebook, _ comment: Comment
    ) {
        #expect(Set(merged.cells.map(\.id)).count == merged.cells.count, comment)
        for (side, other) in [(mine, theirs), (theirs, mine)] {
            for cell in side.cells {
                let old = base.cells.first { $0.id == cell.id }
                let isThere = merged.index(ofCell: cell.id) != nil
                if old == nil || old != cell { #expect(isThere, comment) }
                // It goes only where the other has deleted it.
                if !isThere { #expect(other.index(ofCell: cell.id) == nil, comment) }
            }
        }
        let fields = EditedNotebooks.fields
        let (old, my, their, now) = (fields(base), fields(mine), fields(theirs), fields(merged))
        for key in Set(old.keys).union(my.keys).union(their.keys).union(now.keys) {
            // Of what is deleted nothing is left to compare.
            if let id = key.cell, merged.index(ofCell: id) == nil { continue }
            if let id = key.cell, mine.index(ofCell: id) == nil || theirs.index(ofCell: id) == nil {
                #expect(now[key] == my[key] ?? their[key], "\(key), \(comment)")
                continue
            }
            let wanted = my[key] == old[key] ? their[key] : my[key]
            #expect(their[key] == old[key] || their[key] == wanted, "\(key) should be a conflict, \(comment)")
            #expect(now[key] == wanted, "\(key), \(comment)")
        }
        checkOrder(merged, base, mine, theirs, comment)
    }

    private func checkOrder(
        _ merged: Notebook, _ base: Notebook, _ mine: Notebook, _ theirs: Notebook, _ comment: Comment
    ) {
        let ids = [base, mine, theirs].map { Set($0.cells.map(\.id)) }
        let common = ids[0].intersection(ids[1]).intersection(ids[2])
        func isBefore(_ left: String, _ right: String, in notebook: Notebook) -> Bool {
            (notebook.index(ofCell: left) ?? 0) < (notebook.index(ofCell: right) ?? 0)
        }
        for left in common {
            for right in common where left != right {
                let (old, my, their) = (
                    isBefore(left, right, in: base), isBefore(left, right, in: mine), isBefore(left, right, in: theirs)
                )
                #expect(isBefore(left, right, in: merged) == (my == old ? their : my), comment)
            }
        }
        // What the other has not moved anything of stands as I have put it.
        for (one, other) in [(mine, theirs), (theirs, mine)] {
            let shared = Set(one.cells.map(\.id)).intersection(other.cells.map(\.id))
            let order = { (notebook: Notebook) in notebook.cells.map(\.id).filter { shared.contains($0) } }
            guard order(other) == order(base) else { continue }
            let left = Set(merged.cells.map(\.id))
            #expect(
                merged.cells.map(\.id).filter { one.index(ofCell: $0) != nil }
                    == one.cells.map(\.id).filter { left.contains($0) }, comment)
        }
    }

    /// Both have really changed it.
    private func check(
        _ conflict: Conflict, _ base: Notebook, _ mine: Notebook, _ theirs: Notebook, _ comment: Comment
    ) {
        func cell(_ id: String, _ notebook: Notebook) -> Cell? { notebook.cells.first { $0.id == id } }
        switch conflict {
        case .cell(let id, let fields):
            #expect(!fields.isEmpty, comment)
            #expect(cell(id, mine) != cell(id, base) && cell(id, theirs) != cell(id, base), comment)
            #expect(cell(id, mine) != cell(id, theirs), comment)
        case .deletedHere(let id):
            #expect(cell(id, mine) == nil && cell(id, base) != nil && cell(id, theirs) != cell(id, base), comment)
        case .deletedThere(let id):
            #expect(cell(id, theirs) == nil && cell(id, base) != nil && cell(id, mine) != cell(id, base), comment)
        case .order(let ids):
            #expect(ids.count > 1, comment)
            let order = { (notebook: Notebook) in notebook.cells.map(\.id).filter { ids.contains($0) } }
            #expect(order(mine) != order(theirs), comment)
        case .notebook(let fields):
            #expect(!fields.isEmpty && mine.metadata != theirs.metadata, comment)
        }
    }
}

/// Notebooks and what people make of them, at random.
struct EditedNotebooks {
    private var random: SeededGenerator
    private var added = 0

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    private mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: 0..<values.count, using: &random)]
    }

    private mutating func source() -> String {
        pick(["", "%sql\n", "%scala "]) + "text \(Int.random(in: 0..<3, using: &random))"
    }

    private mutating func cell(_ id: String) -> Cell {
        var cell = Cell(id: id, kind: pick([.code, .code, .markdown, .raw]), source: source())
        if cell.kind != .code { cell.source = "text \(Int.random(in: 0..<3, using: &random))" }
        for _ in 0..<Int.random(in: 0...2, using: &random) { change(&cell.metadata) }
        return cell
    }

    mutating func notebook() -> Notebook {
        var notebook = Notebook(cells: [])
        for index in 0..<Int.random(in: 0...7, using: &random) { notebook.cells.append(cell("c\(index)")) }
        for _ in 0..<3 { change(&notebook.metadata) }
        return notebook
    }

    /// Sets or removes a key, on top or in an object below.
    private mutating func change(_ object: inout JSONObject) {
        let value: JSONValue? = pick([nil, 1, 2, "v", ["l", 1]])
        if Bool.random(using: &random) {
            var inner = object["o"]?.object ?? JSONObject()
            inner[pick(["x", "y", "z"])] = value
            object["o"] = inner.fields.isEmpty ? nil : .object(inner)
        } else {
            object[pick(["a", "b", "c"])] = value
        }
    }

    mutating func edited(_ base: Notebook, by name: String) -> Notebook {
        var notebook = base
        for _ in 0..<Int.random(in: 0...8, using: &random) { edit(&notebook, name) }
        return notebook
    }

    private mutating func edit(_ notebook: inout Notebook, _ name: String) {
        let count = notebook.cells.count
        let place = count == 0 ? 0 : Int.random(in: 0..<count, using: &random)
        let what = count == 0 ? 5 : Int.random(in: 0..<9, using: &random)
        switch what {
        case 0, 1:
            let code = notebook.cells[place].kind == .code
            notebook.cells[place].source = code ? source() : "text \(Int.random(in: 0..<3, using: &random))"
        case 2: change(&notebook.cells[place].metadata)
        case 3:
            notebook.cells[place] = {
                var cell = $0
                cell.source = cell.text
                return cell
            }(notebook.cells[place])
            notebook.cells[place].kind = pick([.code, .markdown, .raw])
        case 4: notebook.cells.remove(at: place)
        case 5:
            added += 1
            notebook.cells.insert(cell("\(name)\(added)"), at: place)
        case 6: notebook.cells.insert(notebook.cells.remove(at: place), at: pick(Array(0..<count)))
        case 7: change(&notebook.cells[place].unknownFields)
        default: change(&notebook.metadata)
        }
    }

    // MARK: Looking

    /// A place where something is written.
    struct Field: Hashable {
        /// Nil for the notebook.
        let cell: String?
        let name: String
    }

    /// All that is written in a notebook.
    static func fields(_ notebook: Notebook) -> [Field: JSONValue] {
        var found: [Field: JSONValue] = [:]
        func add(_ cell: String?, _ name: String, _ value: JSONValue) {
            guard let object = value.object else {
                found[Field(cell: cell, name: name)] = value
                return
            }
            for (key, value) in object.fields { add(cell, "\(name).\(key)", value) }
        }
        add(nil, "metadata", .object(notebook.metadata))
        for cell in notebook.cells {
            let head = cell.source.utf8.dropLast(cell.text.utf8.count)
            add(cell.id, "form", .string(cell.kind.rawValue + String(decoding: Array(head), as: UTF8.self)))
            add(cell.id, "text", .string(cell.text))
            add(cell.id, "metadata", .object(cell.metadata))
            add(cell.id, "unknown", .object(cell.unknownFields))
        }
        return found
    }
}
