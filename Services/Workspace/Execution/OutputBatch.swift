internal import Core
internal import HarbourProtocol

/// Events of one command that wait to be written: text that follows itself becomes one event, so that a flood of lines
/// costs few rows. Order and numbers stay: a joined event has the number of its last part.
struct OutputBatch: Sendable {
    /// Up to this size text is joined, so that an event stays small enough to be told at once.
    static let joinedBytes = 32 << 10
    /// Above this, whoever brings events waits for the writer.
    static let fullBytes = 1 << 20

    private(set) var events: [CommandEvent] = []
    private(set) var bytes = 0

    var isEmpty: Bool { events.isEmpty }
    var isFull: Bool { bytes >= OutputBatch.fullBytes }

    mutating func add(_ event: CommandEvent) {
        let size = OutputBatch.size(event)
        bytes += size
        guard event.type == .stream, let last = events.last, last.type == .stream, last.name == event.name,
            (last.text?.utf8.count ?? 0) + size <= OutputBatch.joinedBytes
        else { return events.append(event) }
        // Taken out first, so that the text is not copied for every piece of it.
        var text = events[events.count - 1].text ?? ""
        events[events.count - 1].text = nil
        text += event.text ?? ""
        events[events.count - 1].text = text
        events[events.count - 1].sequence = event.sequence
    }

    /// Takes all that waits.
    mutating func take() -> [CommandEvent] {
        defer { self = OutputBatch() }
        return events
    }

    /// About what an event takes.
    private static func size(_ event: CommandEvent) -> Int {
        if let text = event.text { return text.utf8.count + 64 }
        return (event.data?.fields.reduce(0) { $0 + ($1.value.string?.utf8.count ?? 4096) } ?? 0) + 64
    }
}
