internal import Compression
internal import Core
internal import HarbourProtocol

/// Makes pieces of a command's events, and finds out how the command ended. No I/O.
struct OutputGathering: Sendable {
    /// Uncompressed bytes of which a piece is made.
    static let pieceSize = 1 << 20

    /// As the command is known to have ended, or as its own events say.
    private(set) var info: CommandInfo
    /// Whether its last event has come.
    private(set) var isEnded = false
    /// Events up to this one are kept already.
    private let kept: Int64
    private var lines: [UInt8] = []
    private var first: Int64 = 0
    /// The number of the last event that came.
    private(set) var last: Int64 = 0
    /// The bytes of what has come that was not kept before.
    private(set) var byteCount = 0
    private var exitValue: String?
    private var started: Timestamp?
    private var isTruncated = false

    /// - Parameters:
    ///   - info: as it is written down.
    ///   - kept: the number of the last event that is kept already.
    init(_ info: CommandInfo, kept: Int64) {
        self.info = info
        self.kept = kept
    }

    /// Takes the next event. They come from the first one on, whatever is kept already.
    /// - Returns: a piece, when enough has come together.
    mutating func take(_ event: CommandEvent) -> KeptPiece? {
        guard !isEnded, event.sequence == last + 1 else { return nil }
        switch event.type {
        case .exit: exitValue = event.text
        case .truncated: isTruncated = true
        case .state:
            if event.state == .running { started = event.timestamp }
            if event.state?.isEnd == true {
                isEnded = true
                // The end of its context is how the driver sees the end of the cluster, which says more.
                if OutputGathering.isEndOfContext(event.error), info.error?.code != event.error?.code { return nil }
                end(with: event)
            }
        default: break
        }
        last = event.sequence
        info.lastSequence = last
        guard last > kept else { return nil }
        if lines.isEmpty { first = last }
        let size = lines.count
        lines += event.encodedJSON()
        lines.append(UInt8(ascii: "\n"))
        byteCount += lines.count - size
        return lines.count >= OutputGathering.pieceSize ? rest() : nil
    }

    /// What has come since the last piece.
    mutating func rest() -> KeptPiece? {
        guard !lines.isEmpty else { return nil }
        defer { lines = [] }
        return KeptPiece(first: first, last: last, frame: LZ4Frame.compress(lines))
    }

    /// The events of a piece that come after that number.
    /// - Throws: `DATA_CORRUPTED`, `INTERNAL_ERROR` when they cannot be read back.
    static func events(of piece: KeptPiece, after sequence: Int64) throws(HarbourError) -> [CommandEvent] {
        var events: [CommandEvent] = []
        // One event more than the size may be in it, and that may be as large as a journal's record.
        let bytes = try LZ4Frame.decompress(piece.frame, limit: 512 << 20)
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let event = try CommandEvent(json: Array(line), subject: "kept event", code: .internalError)
            if event.sequence > sequence { events.append(event) }
        }
        return events
    }

    /// A command that ended by itself did so whatever was written down of it when its cluster ended.
    private mutating func end(with event: CommandEvent) {
        info.state = event.state ?? info.state
        info.startTime = started ?? info.startTime
        info.endTime = event.timestamp
        info.executionCount = event.executionCount ?? info.executionCount
        info.error = event.error
        info.exitValue = exitValue
        if isTruncated { info.truncated = true }
    }

    private static func isEndOfContext(_ error: CommandError?) -> Bool { error?.code == "CONTEXT_TERMINATED" }
}
