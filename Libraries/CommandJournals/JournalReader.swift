public import Core

/// Reads the events of a command's journal from its file, in order and without writing: also while a driver writes it,
/// and after one that was killed.
public struct JournalReader: ~Copyable {
    private let file: RecordFile
    private var next = 0
    /// The command that the file is of.
    public let header: CommandHeader
    /// The number of the last event that was given out; 0 before the first.
    public private(set) var last: Int64 = 0

    /// No header that a driver has written is longer.
    private static let headerLimit = 16_384

    /// Opens the journal of a command in a driver's scratch folder, where user code may have put anything else.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when there is no such file, `INTERNAL_ERROR` when it is no journal of this
    ///   command.
    public init(in scratch: String, contextID: String, commandID: String) throws(HarbourError) {
        let path = [JournalRecord.folder, contextID, "\(commandID).log"]
        guard path.allSatisfy({ !$0.contains("/") && $0 != ".." }) else {
            throw HarbourError(.internalError, "A journal has a name that none can have.")
        }
        let file = try RecordFile(reading: path, below: scratch)
        guard let first = file.record(at: 0, limit: JournalReader.headerLimit),
            let found = JournalReader.header(first.record), found.contextID == contextID, found.commandID == commandID
        else {
            throw HarbourError(
                .internalError, "A journal has no readable beginning, or that of another command.",
                detail: path.joined(separator: "/"))
        }
        self.file = file
        header = found
        next = first.next
    }

    private static func header(_ record: [UInt8]) -> CommandHeader? {
        guard record.first.flatMap(JournalRecord.init) == .header else { return nil }
        return try? CommandHeader(checkedJSON: Array(record.dropFirst()))
    }

    /// The next event as JSON; nil when there is none, or the next record was cut off by the death of its writer.
    public mutating func event() -> [UInt8]? {
        while let found = file.record(at: next) {
            next = found.next
            switch found.record.first.flatMap(JournalRecord.init) {
            case .state, .output:
                last += 1
                return Array(found.record.dropFirst())
            case .header, nil: continue
            }
        }
        return nil
    }
}
