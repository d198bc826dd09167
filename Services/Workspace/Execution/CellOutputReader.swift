internal import CellExecution
internal import Core
internal import HarbourProtocol

/// Makes a cell's outputs out of its command's events, as a notebook shows them.
struct CellOutputReader: Sendable {
    private(set) var reader = CellReader()
    /// What the cell left behind, when its end is among the events.
    private(set) var result: CellResult?
    /// The media type under which a notebook shows that it ended itself.
    static let exitType = "application/vnd.dataharbour.exit+json"
    /// The media type under which it shows that there was more than a command may put out.
    static let truncatedType = "application/vnd.dataharbour.truncated+json"

    init(_ events: [CommandEvent] = []) { for event in events { _ = read(event) } }

    /// - Returns: what the cell left behind, once the command has ended.
    mutating func read(_ event: CommandEvent) -> CellResult? {
        result = next(event) ?? result
        return result
    }

    private mutating func next(_ event: CommandEvent) -> CellResult? {
        if event.type == .truncated {
            let text = event.text ?? "The rest is left out."
            return reader.read(
                CommandEvent(
                    sequence: event.sequence, timestamp: event.timestamp, type: .display,
                    data: [CellOutputReader.truncatedType: .string(text), "text/plain": .string("[\(text)]")]))
        }
        guard event.type == .exit else { return reader.read(event) }
        // The value stays visible in the notebook.
        _ = reader.read(
            CommandEvent(
                sequence: event.sequence, timestamp: event.timestamp, type: .display,
                data: [CellOutputReader.exitType: .string(event.text ?? "")]))
        return reader.read(event)
    }
}
