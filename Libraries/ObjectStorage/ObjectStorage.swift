public import Core
public import HTTPMessage

extension ErrorCode {
    /// An object that must be in the object storage is not there.
    public static let objectMissing = ErrorCode("STORED_OBJECT_MISSING", status: 500)
    /// An object in the object storage is not what was stored: its checksum or its size is another.
    public static let objectCorrupted = ErrorCode("STORED_OBJECT_CORRUPTED", status: 500)
    /// The object storage does not accept our credentials, or does not let us do this.
    public static let storageRefused = ErrorCode("OBJECT_STORAGE_REFUSED", status: 502)
    /// There is no room left where objects are stored.
    public static let storageFull = ErrorCode("OBJECT_STORAGE_FULL", status: 507)
}

/// The name of an object: we choose it, at random, so that no two objects have one name and an object never changes.
public struct ObjectKey: Sendable, Hashable, CustomStringConvertible {
    /// Letters, digits and dashes.
    public let text: String

    /// Takes a name.
    /// - Returns: nil when it has other characters, or fewer than 8 or more than 128.
    public init?(_ text: String) {
        guard (8...128).contains(text.utf8.count),
            text.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte) || byte == UInt8(ascii: "-")
            })
        else { return nil }
        self.text = text
    }

    /// The name.
    public var description: String { text }

    /// What the places of all objects begin with.
    public static let prefix = "objects/"

    /// Where it is below the root of a storage. Folders with millions of entries are slow in many file systems.
    var path: String { "\(ObjectKey.prefix)\(text.prefix(2))/\(text)" }
}

/// Where a storage is, as its operator has set it. It names no credentials.
public enum ObjectPlace: Sendable, Hashable {
    /// A folder of this machine, by its path.
    case folder(String)
    /// A bucket of an S3 server.
    case bucket(String, endpoint: String, region: String)
}

/// How much room there is where objects are stored.
public struct StorageRoom: Sendable, Hashable {
    /// How many bytes can still be written.
    public let free: Int64
    /// How many bytes the whole has.
    public let total: Int64
}

/// A part of an object that is being written.
public struct ObjectPiece: Sendable {
    /// Counted from 0, without gaps.
    public let number: Int
    /// Where it begins in the object.
    public let offset: Int
    /// Its bytes.
    public let bytes: [UInt8]

    /// Describes a part.
    public init(number: Int, offset: Int, bytes: [UInt8]) {
        self.number = number
        self.offset = offset
        self.bytes = bytes
    }
}

/// Where large things are kept: a folder, or S3.
///
/// An object is written in pieces and is there only once it is finished, whole. What has been written is known by a
/// handle and the tags of its pieces, which the caller keeps, so that any process can go on with it after another's
/// death. What an object must contain, the caller knows too (`ObjectManifest`): a storage is not trusted.
public protocol ObjectStorage: Sendable {
    /// What it is called in settings and messages: `local` or `s3`.
    var name: String { get }

    /// Where it is.
    var place: ObjectPlace { get }

    /// Whether pieces are written where those of an earlier try are. Then one writer at a time may write a piece,
    /// which the caller sees to.
    var writesInPlace: Bool { get }

    /// Begins an object. Beginning one twice is harmless: `finish` and `abandon` clear up what came of it.
    /// - Returns: the handle that everything about the unfinished object needs.
    func begin(_ key: ObjectKey) async throws -> String

    /// Writes a piece so that it survives the death of the machine. All pieces but the last have the same size.
    /// - Returns: its tag.
    func write(_ piece: ObjectPiece, of key: ObjectKey, _ handle: String) async throws -> String

    /// Makes the object of its pieces. Finishing what is finished does nothing.
    /// - Throws: `STORED_OBJECT_MISSING` or `STORED_OBJECT_CORRUPTED` when a piece is not there or the size is another.
    func finish(_ key: ObjectKey, _ handle: String, tags: [String], size: Int) async throws

    /// Removes what there is of an unfinished object; also when there is nothing. A finished one stays.
    func abandon(_ key: ObjectKey) async throws

    /// Removes a finished object; also when there is none.
    func remove(_ key: ObjectKey) async throws

    /// Begins to read a range of an object.
    /// - Throws: `STORED_OBJECT_MISSING` when it is not there.
    func read(_ key: ObjectKey, _ range: Range<Int>) async throws -> HTTPBody

    /// The size of a finished object; nil when there is none.
    func size(of key: ObjectKey) async throws -> Int?

    /// Tries out once whether it takes what we ask of it, and leaves nothing behind. A file system that hangs may make
    /// this take longer than `patience`.
    /// - Returns: the room that there is; nil when nobody can say.
    /// - Throws: why it cannot be used.
    func look(patience: Duration) async throws -> StorageRoom?
}
