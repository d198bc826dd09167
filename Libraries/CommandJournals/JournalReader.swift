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

    /// Opens a journal.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when there is no such file, `INTERNAL_ERROR` when it is no journal.
    public init(_ path: String) throws(HarbourError) {
        let file = try RecordFile(reading: path)
        guard let first = file.record(at: 0), let found = JournalReader.header(first.record) else {
            throw HarbourError(.internalError, "A journal has no readable beginning.", detail: path)
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
