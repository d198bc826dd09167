internal import Core
internal import NotebookFormats

/// Brings the changes of two people to one cell together. Outputs are the server's and not looked at.
struct CellMerge {
    /// The fields that both have changed, each in another way.
    let conflicts: [String]
    /// Theirs with what I have changed.
    let cell: Cell

    /// - Parameter base: nil when both have added it; then it was an empty one.
    init(base: Cell?, mine: Cell, theirs: Cell) {
        let base = base ?? Cell(id: mine.id, source: "")
        let (old, my, their) = (Text(base), Text(mine), Text(theirs))
        var fields = FieldMerge()
        var cell = theirs
        let form = fields.merge("kind or language", base: old.form, mine: my.form, theirs: their.form, isSame: ==)
        let body = fields.merge("source", base: old.body, mine: my.body, theirs: their.body)
        cell.kind = form.kind
        cell.source = String(decoding: form.head, as: UTF8.self) + body
        cell.metadata = fields.merge("metadata", base: base.metadata, mine: mine.metadata, theirs: theirs.metadata)
        cell.attachments = fields.merge(
            "attachments", base: base.attachments, mine: mine.attachments, theirs: theirs.attachments)
        cell.unknownFields = fields.merge(
            "", base: base.unknownFields, mine: mine.unknownFields, theirs: theirs.unknownFields)
        if cell.kind != .code { (cell.outputs, cell.executionCount) = ([], nil) }
        self.cell = cell
        conflicts = fields.conflicts
    }

    /// Whether somebody has changed a cell.
    static func isChanged(_ cell: Cell, since base: Cell) -> Bool {
        cell.kind != base.kind || !cell.source.utf8.elementsEqual(base.source.utf8)
            || !FieldMerge.isSame(.object(cell.metadata), .object(base.metadata))
            || !FieldMerge.isSame(cell.attachments.map { .object($0) }, base.attachments.map { .object($0) })
            || !FieldMerge.isSame(.object(cell.unknownFields), .object(base.unknownFields))
    }

    /// A source in two parts, which two people may change without getting into each other's way: the magic command with
    /// which it begins and that chooses the language, and the text.
    private struct Text {
        struct Form: Hashable {
            let kind: Cell.Kind
            /// The bytes of the magic command and of what is between it and the text.
            let head: [UInt8]
        }
        let form: Form
        let body: String

        init(_ cell: Cell) {
            body = cell.text
            form = Form(kind: cell.kind, head: Array(cell.source.utf8.dropLast(body.utf8.count)))
        }
    }
}
