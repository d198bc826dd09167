internal import CommandJournals
internal import Core
internal import Glibc
internal import HarbourProtocol

/// The events of one command on disk, numbered from 1. Whatever a reader gets was in the file before.
///
/// Used on the driver's loop only.
final class CommandJournal {
    let header: CommandHeader
    private let path: String
    /// Open while the command lives.
    private var file: RecordFile?
    private var positions: [RecordFile.Position] = []
    /// The last events, when the disk did not take them. They are there for readers as long as this process lives.
    private var inMemory: [Int: [UInt8]] = [:]
    /// The bytes of all events.
    private(set) var byteCount = 0
    private let logger = Logger("driver.journal")

    /// Starts a journal.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when it cannot be written.
    init(folder: String, header: CommandHeader) throws(HarbourError) {
        self.header = header
        path = "\(folder)/\(header.commandID).log"
        var file = try RecordFile(creating: path)
        _ = try file.append(JournalRecord.header.record(header.encodedJSON()))
        self.file = consume file
    }

    /// Opens the journal of a driver that came before this one; `restore` is given the events that change the command.
    /// Nil when it has no readable header.
    init?(opening path: String, restore: (CommandEvent) -> Void) throws(HarbourError) {
        var found: CommandHeader?
        var positions: [RecordFile.Position] = []
        var byteCount = 0
        file = try RecordFile(opening: path) { position, record in
            let payload = Array(record.dropFirst())
            switch record.first.flatMap(JournalRecord.init) {
            case .header: found = try? CommandHeader(checkedJSON: payload)
            case .state:
                if let event = try? CommandEvent(checkedJSON: payload) { restore(event) }
                positions.append(position)
                byteCount += payload.count
            case .output:
                positions.append(position)
                byteCount += payload.count
            case nil: break
            }
        }
        guard let found else { return nil }
        self.path = path
        header = found
        self.positions = positions
        self.byteCount = byteCount
    }

    /// The number of the newest event; 0 before the first.
    var lastSequence: Int64 { Int64(positions.count) }

    /// Adds the next event; `make` is given its number.
    ///
    /// An event that changes the command is there for readers even when the disk does not take it. Whatever follows it is
    /// not written either, so that the numbers in the file are those that readers have seen.
    /// - Throws: why an output was not taken; nothing was added then.
    func append(changesState: Bool, _ make: (Int64) -> CommandEvent) throws(HarbourError) {
        let json = make(lastSequence + 1).encodedJSON()
        do throws(HarbourError) {
            guard inMemory.isEmpty,
                let position = try file?.append(
                    (changesState ? JournalRecord.state : .output).record(json))
            else { throw HarbourError(.internalError, "The journal of the command is not written any more.") }
            positions.append(position)
        } catch {
            guard changesState else { throw error }
            if inMemory.isEmpty {
                logger.error(
                    "A journal cannot be written; how its command ends is kept in memory.",
                    ["command_id": header.commandID, "error": error.describeChain()])
            }
            inMemory[positions.count] = json
            positions.append(RecordFile.Position(offset: -1, count: 0))
        }
        byteCount += json.count
    }

    /// Events after that number, as JSON, until about so many bytes are together; empty when there is none.
    /// - Throws: `INTERNAL_ERROR` when an event cannot be read back.
    func events(after sequence: Int64, bytes limit: Int) throws(HarbourError) -> [[UInt8]] {
        if file == nil {
            // Sealed: a descriptor for each command that ever ran would use them up.
            file = try RecordFile(reading: path)
            defer { file = nil }
            return try read(after: sequence, bytes: limit)
        }
        return try read(after: sequence, bytes: limit)
    }

    /// No event will follow.
    func seal() { file = nil }

    /// Deletes the file. Those who follow get an error, as if the command had never been.
    func remove() {
        seal()
        unlink(path)
    }

    private func read(after sequence: Int64, bytes limit: Int) throws(HarbourError) -> [[UInt8]] {
        var events: [[UInt8]] = []
        var total = 0
        var index = Int(max(0, min(sequence, lastSequence)))
        while index < positions.count, total < limit {
            guard let json = inMemory[index] ?? file?.read(positions[index]).map({ Array($0.dropFirst()) }) else {
                throw HarbourError(
                    .internalError, "An output of the command cannot be read back from the driver's disk.",
                    detail: "\(header.contextID)/\(header.commandID) event \(index + 1)")
            }
            events.append(json)
            total += json.count
            index += 1
        }
        return events
    }
}
