internal import Core
internal import EventLoop
internal import HarbourProtocol

/// The newest log lines of what runs in the cluster, numbered from 1, for those who follow them.
///
/// Used on the driver's loop only.
final class LogBook: @unchecked Sendable {
    private static let capacity = 5000
    private let changed: LoopSignal
    private var lines: [LogLine] = []
    private var first = 0
    private var last: Int64 = 0

    private let redactor: Redactor

    init(_ loop: EventLoop, _ redactor: Redactor = Redactor()) {
        changed = LoopSignal(loop)
        self.redactor = redactor
    }

    func add(source: String, _ text: String) {
        last += 1
        let line = LogLine(sequence: last, timestamp: .now, source: source, text: redactor(text))
        if lines.count < LogBook.capacity {
            lines.append(line)
        } else {
            lines[first] = line
            first = (first + 1) % LogBook.capacity
        }
        changed.notify()
    }

    /// Gives the lines after that number that are still there, and with `follow` those to come, in batches.
    /// - Throws: `CancellationError`, and what `body` throws.
    func read(after sequence: Int64, follow: Bool, _ body: ([LogLine]) async throws -> Void) async throws {
        var seen = max(0, sequence)
        while true {
            let version = changed.version
            let batch = newer(than: seen)
            if let newest = batch.last {
                seen = newest.sequence
                try await body(batch)
            } else if follow {
                try await changed.wait(after: version)
            } else {
                return
            }
        }
    }

    private func newer(than sequence: Int64) -> [LogLine] {
        let oldest = last - Int64(lines.count) + 1
        let start = max(sequence + 1, oldest)
        guard start <= last else { return [] }
        return (start...min(last, start + 499)).map { lines[(first + Int($0 - oldest)) % lines.count] }
    }
}
