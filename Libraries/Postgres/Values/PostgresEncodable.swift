public import Core

/// A value that can be an argument of a statement.
public protocol PostgresEncodable: Sendable {
    /// The type that the server is told, also for NULL.
    static var postgresType: PostgresType { get }
    /// Appends exactly one argument.
    func encode(into arguments: inout PostgresArguments)
}

/// A value that can be an element of an array argument or column.
public protocol PostgresArrayElement: PostgresEncodable, PostgresDecodable {
    /// The type of an array of these.
    static var postgresArrayType: PostgresType { get }
    /// The element's type inside the array.
    static var postgresElementType: PostgresType { get }
    /// Appends the element's binary form.
    func encodeElement(into bytes: inout [UInt8])
    /// Appends an array of these as one argument.
    static func encodeArray(_ values: [Self], into arguments: inout PostgresArguments)
    /// Reads an array of these.
    static func decodeArray(_ value: PostgresValue) throws(HarbourError) -> [Self]
}

extension FixedWidthInteger {
    func appendBigEndian(to bytes: inout [UInt8]) {
        withUnsafeBytes(of: bigEndian) { bytes.append(contentsOf: $0) }
    }
}

extension PostgresArrayElement {
    /// The element's type inside the array: its type alone.
    public static var postgresElementType: PostgresType { postgresType }

    /// The binary array form: dimensions, null flag, element type, then length and lower bound, then each element.
    public static func encodeArray(_ values: [Self], into arguments: inout PostgresArguments) {
        arguments.appendBinary(postgresArrayType) { bytes in
            Int32(values.isEmpty ? 0 : 1).appendBigEndian(to: &bytes)
            Int32(0).appendBigEndian(to: &bytes)
            postgresElementType.oid.appendBigEndian(to: &bytes)
            if values.isEmpty { return }
            Int32(clamping: values.count).appendBigEndian(to: &bytes)
            Int32(1).appendBigEndian(to: &bytes)
            for value in values {
                let start = bytes.count
                Int32(0).appendBigEndian(to: &bytes)
                value.encodeElement(into: &bytes)
                let length = Int32(clamping: bytes.count - start - 4).bigEndian
                withUnsafeBytes(of: length) { bytes.replaceSubrange(start..<(start + 4), with: $0) }
            }
        }
    }

    /// Reads a one-dimensional array without NULLs.
    public static func decodeArray(_ value: PostgresValue) throws(HarbourError) -> [Self] {
        try value.decodeElements(Self.self)
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    /// The array's type; `bytea` for bytes.
    public static var postgresType: PostgresType { Element.postgresArrayType }
    /// Appends the array as one argument.
    public func encode(into arguments: inout PostgresArguments) { Element.encodeArray(self, into: &arguments) }
}

extension UInt8: PostgresArrayElement {
    /// A byte alone has no type in PostgreSQL; it goes as `smallint`.
    public static var postgresType: PostgresType { .int2 }
    /// Bytes are `bytea`, not an array.
    public static var postgresArrayType: PostgresType { .bytea }
    /// Appends a `smallint`.
    public func encode(into arguments: inout PostgresArguments) { Int16(self).encode(into: &arguments) }
    /// Appends the byte.
    public func encodeElement(into bytes: inout [UInt8]) { bytes.append(self) }
    /// Appends `bytea`.
    public static func encodeArray(_ values: [UInt8], into arguments: inout PostgresArguments) {
        arguments.appendBinary(.bytea) { $0 += values }
    }
}

extension Bool: PostgresArrayElement {
    /// `boolean`.
    public static var postgresType: PostgresType { .bool }
    /// `boolean[]`.
    public static var postgresArrayType: PostgresType { .boolArray }
    /// Appends a `boolean`.
    public func encode(into arguments: inout PostgresArguments) {
        arguments.appendBinary(.bool) { encodeElement(into: &$0) }
    }
    /// Appends one byte.
    public func encodeElement(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
}

extension Int16: PostgresArrayElement {
    /// `smallint`.
    public static var postgresType: PostgresType { .int2 }
    /// `smallint[]`.
    public static var postgresArrayType: PostgresType { .int2Array }
    /// Appends a `smallint`.
    public func encode(into arguments: inout PostgresArguments) {
        arguments.appendBinary(.int2) { appendBigEndian(to: &$0) }
    }
    /// Appends two bytes.
    public func encodeElement(into bytes: inout [UInt8]) { appendBigEndian(to: &bytes) }
}

extension Int32: PostgresArrayElement {
    /// `integer`.
    public static var postgresType: PostgresType { .int4 }
    /// `integer[]`.
    public static var postgresArrayType: PostgresType { .int4Array }
    /// Appends an `integer`.
    public func encode(into arguments: inout PostgresArguments) {
        arguments.appendBinary(.int4) { appendBigEndian(to: &$0) }
    }
    /// Appends four bytes.
    public func encodeElement(into bytes: inout [UInt8]) { appendBigEndian(to: &bytes) }
}

extension Int64: PostgresArrayElement {
    /// `bigint`.
    public static var postgresType: PostgresType { .int8 }
    /// `bigint[]`.
    public static var postgresArrayType: PostgresType { .int8Array }
    /// Appends a `bigint`.
    public func encode(into arguments: inout PostgresArguments) {
        arguments.appendBinary(.int8) { appendBigEndian(to: &$0) }
    }
    /// Appends eight bytes.
    public func encodeElement(into bytes: inout [UInt8]) { appendBigEndian(to: &bytes) }
}

extension Int: PostgresArrayElement {
    /// `bigint`.
    public static var postgresType: PostgresType { .int8 }
    /// `bigint[]`.
    public static var postgresArrayType: PostgresType { .int8Array }
    /// Appends a `bigint`.
    public func encode(into arguments: inout PostgresArguments) { Int64(self).encode(into: &arguments) }
    /// Appends eight bytes.
    public func encodeElement(into bytes: inout [UInt8]) { Int64(self).appendBigEndian(to: &bytes) }
}

extension Double: PostgresArrayElement {
    /// `double precision`.
    public static var postgresType: PostgresType { .float8 }
    /// `double precision[]`.
    public static var postgresArrayType: PostgresType { .float8Array }
    /// Appends a `double precision`.
    public func encode(into arguments: inout PostgresArguments) {
        arguments.appendBinary(.float8) { encodeElement(into: &$0) }
    }
    /// Appends eight bytes.
    public func encodeElement(into bytes: inout [UInt8]) { bitPattern.appendBigEndian(to: &bytes) }
}

extension String: PostgresArrayElement {
    /// Text goes without a type, so that the server reads it as what the statement wants: `text`, `jsonb`, `uuid`, an
    /// enum. Where the statement leaves it open, write `\(value)::text`.
    public static var postgresType: PostgresType { .inferred }
    /// `text[]`; write `\(values)::uuid[]` for another type.
    public static var postgresArrayType: PostgresType { .textArray }
    /// `text` inside an array.
    public static var postgresElementType: PostgresType { .text }
    /// Appends text.
    public func encode(into arguments: inout PostgresArguments) { arguments.appendText(.inferred, utf8) }
    /// Appends the text's bytes.
    public func encodeElement(into bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }
}

extension Timestamp: PostgresArrayElement {
    /// `timestamptz`.
    public static var postgresType: PostgresType { .timestamptz }
    /// `timestamptz[]`.
    public static var postgresArrayType: PostgresType { .timestamptzArray }
    /// Appends a `timestamptz`; what is outside its range becomes infinity.
    public func encode(into arguments: inout PostgresArguments) {
        arguments.appendBinary(.timestamptz) { encodeElement(into: &$0) }
    }
    /// Appends microseconds since 2000-01-01.
    public func encodeElement(into bytes: inout [UInt8]) {
        let (since2000, overflow) = milliseconds.subtractingReportingOverflow(Timestamp.postgresEpoch)
        let (micros, overflow2) = since2000.multipliedReportingOverflow(by: 1000)
        let infinite: Int64 = milliseconds < 0 ? .min : .max
        // From 4714 BC to 294276 AD; the server refuses finite values beyond (PostgreSQL manual, table 8.9).
        let inRange = (-211_813_488_000_000_000..<9_223_371_331_200_000_000).contains(micros)
        (overflow || overflow2 || !inRange ? infinite : micros).appendBigEndian(to: &bytes)
    }

    /// 2000-01-01T00:00:00Z in milliseconds since 1970.
    static let postgresEpoch: Int64 = 946_684_800_000
}

/// JSON text as bytes, as an argument for `jsonb` and as a value of `json` and `jsonb` columns.
public struct PostgresJSON: PostgresEncodable, PostgresDecodable, Hashable {
    /// The JSON text in UTF-8.
    public var bytes: [UInt8]

    /// Makes a value; the server refuses what is not JSON.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// `jsonb`.
    public static var postgresType: PostgresType { .jsonb }
    /// Appends `jsonb` in text form.
    public func encode(into arguments: inout PostgresArguments) { arguments.appendText(.jsonb, bytes) }
    /// Reads `jsonb`, `json` or text.
    public init(postgres value: PostgresValue) throws(HarbourError) { self.init(try value.textBytes()) }
}
