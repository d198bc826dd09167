internal import CellExecution
internal import Core
internal import HarbourProtocol
internal import NotebookFormats
internal import Postgres

/// Opens a notebook for somebody who looks at it: with what is shown of its outputs at once, and without reading what is
/// large. The statements are as many however many cells there are.
struct NotebookOpening: Sendable {
    let tree: WorkspaceTree
    let which: RevisionStore.Which
    /// Of outputs of more bytes there is a preview.
    let limit: Int
    /// The most bytes of outputs of all cells; those of other cells wait to be asked for.
    let total: Int
    private let shown = ShownStore()

    /// The most that is read of outputs that nobody has looked at yet, all cells together: as they are kept, and as they
    /// are then. What is left is read when its cell is asked for, or by the next who opens the notebook.
    static let unreadBytes = 8 << 20
    static let unpackedBytes = 64 << 20

    init(tree: WorkspaceTree, which: RevisionStore.Which, limit: Int, total: Int?) {
        (self.tree, self.which, self.limit, self.total) = (tree, which, limit, total ?? .max)
    }

    /// The outputs of one cell as far as they were read.
    private struct Read: Sendable {
        let entry: ShownStore.Entry
        var kept: ShownStore.Kept?
        /// Of a command under way, which has no more yet.
        var events: [CommandEvent]?
    }

    /// What was read at one moment.
    private struct Opened: Sendable {
        let content: RevisionContent
        let notebook: Notebook
        /// The same in two, where it was not kept so.
        let split: SplitNotebook?
        var reads: [Read] = []
        /// Of cells that wait: how large their outputs are.
        var waiting: [String: ShownStore.Entry] = [:]
        /// How much more may be shown.
        var room = 0
        var lastSequence: Int64?
    }

    /// The document with the outputs for which there is room, from the top.
    func notebook() async throws -> NotebookContent {
        // Why there is none is said as elsewhere.
        guard let opened = try await opened() else { return try await tree.content(which).content() }
        let (notebook, made) = try await StoredContent.work(on: opened.content.size + opened.reads.count * 4096) {
            let found = try outputs(opened)
            return (document(opened, found.outputs), found.made)
        }
        try await keep(opened, made)
        return notebook
    }

    /// The outputs of cells below one, as far as there is room for them.
    func outputs(below cellID: String) async throws -> [OutputsBelow] {
        guard let opened = try await opened(below: cellID) else { return [] }
        let (following, made) = try await StoredContent.work(on: opened.content.size + opened.reads.count * 4096) {
            let found = try outputs(opened)
            let following = opened.reads.compactMap { read -> OutputsBelow? in
                guard let own = found.outputs[read.entry.cellID], !found.left.contains(read.entry.cellID) else {
                    return nil
                }
                return OutputsBelow(
                    cellID: read.entry.cellID, commandID: read.entry.command,
                    outputs: own.outputs.map { OutputOverlay.named($0, over: limit) },
                    executionCount: own.executionCount, lastSequence: opened.lastSequence)
            }
            return (following, found.made)
        }
        try await keep(opened, made)
        return following
    }

    private func opened(below cellID: String? = nil) async throws -> Opened? {
        try await tree.pool.transaction(isolation: .repeatableRead) { transaction in
            guard let content = try await tree.revisions.content(which, bare: true, on: transaction) else { return nil }
            return try await read(content, below: cellID, transaction)
        }
    }

    /// Writes down what was worked out: whoever opens it next finds it.
    private func keep(_ opened: Opened, _ made: [(ShownStore.Entry, ShownOutputs)]) async throws {
        if let split = opened.split {
            try await shown.write(split, of: opened.content.revisionID, on: tree.pool)
        }
        if !made.isEmpty { try await shown.write(made, on: tree.pool) }
    }

    private func read(
        _ content: RevisionContent, below cellID: String?, _ transaction: PostgresTransaction
    ) async throws -> Opened {
        var opened = try await StoredContent.work(on: content.size) {
            let notebook = try content.notebook()
            let isLarge = !content.isBare && content.size > SplitNotebook.limit
            return Opened(content: content, notebook: notebook, split: isLarge ? SplitNotebook(notebook) : nil)
        }
        var entries: [String: ShownStore.Entry] = [:]
        let place = ShownStore.Place.content(content.revisionID)
        if content.isBare {
            for entry in try await shown.list(place, on: transaction) { entries[entry.cellID] = entry }
        }
        for piece in opened.split?.pieces ?? [] {
            entries[piece.cellID] = .init(
                place: place, cellID: piece.cellID, command: nil, executionCount: nil, bytes: piece.bytes,
                shownBytes: piece.shown.utf8.count, isRunning: false)
        }
        var own = try await shown.list(.left(content.revisionID), on: transaction)
        if which.isNewest {
            opened.lastSequence = try await NotebookJournal().position(content.objectID, on: transaction).last
            if own.isEmpty { own = try await shown.list(.notebook(content.objectID), on: transaction) }
        }
        for entry in own { entries[entry.cellID] = entry }
        var cells = opened.notebook.cells[...]
        if let cellID { cells = cells.drop { $0.id != cellID }.dropFirst() }
        try await choose(entries, of: cells, into: &opened, transaction)
        return opened
    }

    /// Reads what there is room for, from the top, and leaves the rest.
    private func choose(
        _ entries: [String: ShownStore.Entry], of cells: ArraySlice<Cell>, into opened: inout Opened,
        _ transaction: PostgresTransaction
    ) async throws {
        var (room, unread) = (total, NotebookOpening.unreadBytes)
        var wanted: [ShownStore.Entry] = []
        var isOneRunning = false
        for cell in cells where cell.kind == .code {
            guard let entry = entries[cell.id] else { continue }
            // How large it is nobody knows yet where it runs, and where nobody has looked.
            let unreadBytes = entry.unreadBytes ?? 0
            // One at most, for a kernel runs one at a time.
            let isRoom = entry.isRunning ? !isOneRunning : unreadBytes <= unread && entry.shownBytes <= room
            guard isRoom else {
                opened.waiting[cell.id] = entry
                continue
            }
            wanted.append(entry)
            room -= entry.shownBytes
            unread -= unreadBytes
            isOneRunning = isOneRunning || entry.isRunning
        }
        opened.room = room
        let fresh = opened.split.map { split in
            Dictionary(split.pieces.map { ($0.cellID, ShownStore.Kept.shown($0.shown)) }) { first, _ in first }
        }
        for (place, group) in Dictionary(grouping: wanted.filter { !$0.isRunning }, by: \.place) {
            var kept = fresh ?? [:]
            if fresh == nil || place != .content(opened.content.revisionID) {
                kept = try await shown.read(place, cells: group.map(\.cellID), on: transaction)
            }
            opened.reads += group.map { Read(entry: $0, kept: kept[$0.cellID]) }
        }
        for entry in wanted where entry.isRunning {
            let events = try await CellOutputStore.events(of: entry.command ?? "", upTo: .max, on: transaction)
            opened.reads.append(Read(entry: entry, events: events))
        }
    }

    private struct Found {
        var outputs: [String: CellOutputStore.Outputs] = [:]
        /// Cells whose outputs were read and have no room.
        var left: Set<String> = []
        /// What is shown of outputs that nobody had looked at yet.
        var made: [(ShownStore.Entry, ShownOutputs)] = []
    }

    /// The outputs of the cells, as far as there is room.
    private func outputs(_ opened: Opened) throws -> Found {
        let counts = Dictionary(opened.notebook.cells.map { ($0.id, $0.executionCount) }) { first, _ in first }
        var found = Found()
        func put(_ entry: ShownStore.Entry, _ some: [JSONValue], count: Int64? = nil) {
            var count = count ?? entry.executionCount
            if case .content = entry.place { count = counts[entry.cellID] ?? nil }
            found.outputs[entry.cellID] = .init(executionCount: count, outputs: some)
        }
        func wait(_ entry: ShownStore.Entry, bytes: Int? = nil) {
            found.left.insert(entry.cellID)
            put(entry, [OutputPreview.waiting(bytes: bytes ?? entry.bytes ?? entry.unreadBytes ?? 0)])
        }
        for entry in opened.waiting.values { wait(entry) }
        var (room, unpacked) = (opened.room, NotebookOpening.unpackedBytes)
        for read in opened.reads {
            switch read.kept {
            case .shown(let text): put(read.entry, try JSONValue(jsonText: text).array ?? [])
            case .whole(let frame) where read.entry.bytes == nil:
                guard let all = try CellOutputStore.readNow(frame, within: unpacked) else {
                    wait(read.entry)
                    continue
                }
                let shown = ShownOutputs(all)
                unpacked -= shown.bytes
                let bytes = shown.text?.utf8.count ?? shown.bytes
                if bytes <= room { put(read.entry, shown.outputs ?? all) } else { wait(read.entry, bytes: shown.bytes) }
                room -= min(room, bytes)
                found.made.append((read.entry, shown))
            case .whole(let frame): put(read.entry, try CellOutputStore.readNow(frame))
            case nil:
                let reader = CellOutputReader(read.events ?? []).reader
                put(read.entry, ShownOutputs(reader.outputs).outputs ?? reader.outputs, count: reader.executionCount)
            }
        }
        return found
    }

    private func document(_ opened: Opened, _ outputs: [String: CellOutputStore.Outputs]) -> NotebookContent {
        var content = opened.content.content(of: opened.notebook)
        content.document = OutputOverlay(outputs: outputs, limit: limit).document(
            content.document, ids: content.cells.map(\.cellID))
        content.lastSequence = opened.lastSequence
        return content
    }
}
