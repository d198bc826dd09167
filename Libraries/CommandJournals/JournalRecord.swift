/// What a record of a command's journal holds: its first byte says which, the rest is JSON.
public enum JournalRecord: UInt8, Sendable {
    /// A `CommandHeader`; the first record, and no other one.
    case header = 0x48
    /// An event that changes what the command is; read back by a driver that comes after the one that wrote it.
    case state = 0x53
    /// Any other event.
    case output = 0x4f

    /// The record of that JSON.
    public func record(_ json: [UInt8]) -> [UInt8] { [rawValue] + json }

    /// The folder of all journals in a driver's scratch folder: `journal/<context>/<command>.log`.
    public static let folder = "journal"

    /// The file of a command's journal in a driver's scratch folder.
    public static func file(in scratch: String, contextID: String, commandID: String) -> String {
        "\(scratch)/\(folder)/\(contextID)/\(commandID).log"
    }
}
