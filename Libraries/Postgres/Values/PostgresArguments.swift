/// A type of PostgreSQL by its number in `pg_type`.
public struct PostgresType: Sendable, Hashable {
    /// The object identifier; 0 lets the server find the type from the statement.
    public let oid: UInt32

    /// Makes a type from its object identifier.
    public init(oid: UInt32) { self.oid = oid }

    static let inferred = PostgresType(oid: 0)
    static let bool = PostgresType(oid: 16)
    static let bytea = PostgresType(oid: 17)
    static let name = PostgresType(oid: 19)
    static let int8 = PostgresType(oid: 20)
    static let int2 = PostgresType(oid: 21)
    static let int4 = PostgresType(oid: 23)
    static let text = PostgresType(oid: 25)
    static let oid = PostgresType(oid: 26)
    static let json = PostgresType(oid: 114)
    static let float4 = PostgresType(oid: 700)
    static let float8 = PostgresType(oid: 701)
    static let boolArray = PostgresType(oid: 1000)
    static let int2Array = PostgresType(oid: 1005)
    static let int4Array = PostgresType(oid: 1007)
    static let textArray = PostgresType(oid: 1009)
    static let int8Array = PostgresType(oid: 1016)
    static let float8Array = PostgresType(oid: 1022)
    static let date = PostgresType(oid: 1082)
    static let timestamp = PostgresType(oid: 1114)
    static let timestamptz = PostgresType(oid: 1184)
    static let timestamptzArray = PostgresType(oid: 1185)
    static let numeric = PostgresType(oid: 1700)
    static let uuid = PostgresType(oid: 2950)
    static let jsonb = PostgresType(oid: 3802)
}

/// The arguments of one statement, laid out one after the other as the protocol wants them.
public struct PostgresArguments: Sendable {
    struct Entry: Sendable {
        var offset: Int
        /// -1 is NULL.
        var length: Int32
        var isBinary: Bool
    }

    private(set) var bytes: [UInt8] = []
    private(set) var entries: [Entry] = []
    private(set) var types: [UInt32] = []
    /// Set when a value cannot be sent; the statement is then refused before it leaves.
    private(set) var problem: String?

    var count: Int { entries.count }

    mutating func append(_ value: some PostgresEncodable) {
        let before = entries.count
        value.encode(into: &self)
        precondition(entries.count == before + 1, "a value encodes as one argument")
    }

    mutating func appendNull(_ type: PostgresType) {
        types.append(type.oid)
        entries.append(Entry(offset: 0, length: -1, isBinary: true))
    }

    mutating func copy(_ index: Int, of other: PostgresArguments) {
        var entry = other.entries[index]
        let old = entry.offset
        entry.offset = bytes.count
        if entry.length >= 0 {
            // Text carries a zero byte behind it that its length does not count.
            bytes += other.bytes[old..<(old + Int(entry.length) + (entry.isBinary ? 0 : 1))]
        }
        entries.append(entry)
        types.append(other.types[index])
        problem = problem ?? other.problem
    }

    /// Appends a value in the type's binary form.
    public mutating func appendBinary(_ type: PostgresType, _ write: (inout [UInt8]) -> Void) {
        let offset = bytes.count
        write(&bytes)
        append(type, offset: offset, length: bytes.count - offset, isBinary: true)
    }

    /// Appends a value in text form; the server reads it as the type, or as the type it finds from the statement.
    public mutating func appendText(_ type: PostgresType, _ text: some Sequence<UInt8>) {
        let offset = bytes.count
        bytes.append(contentsOf: text)
        let length = bytes.count - offset
        if bytes[offset...].contains(0) {
            problem = "A text holds a zero character, which the database cannot store. Remove it and try again."
        }
        bytes.append(0)
        append(type, offset: offset, length: length, isBinary: false)
    }

    private mutating func append(_ type: PostgresType, offset: Int, length: Int, isBinary: Bool) {
        // The protocol's limit of one value; the server refuses such statements far earlier.
        if length > 1 << 30 { problem = "A value is larger than the gigabyte that the database takes." }
        types.append(type.oid)
        entries.append(Entry(offset: offset, length: Int32(clamping: length), isBinary: isBinary))
    }
}
