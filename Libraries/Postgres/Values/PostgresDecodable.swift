public import Core

/// A value that a column can be read as.
public protocol PostgresDecodable: Sendable {
    /// Reads the column.
    /// Throws `INTERNAL_ERROR` when the column is of another type, out of range, or NULL.
    init(postgres value: PostgresValue) throws(HarbourError)
}

/// One column of one row, in the type's binary form. It is valid only while the value is being read.
public struct PostgresValue {
    /// The column's type.
    public let type: PostgresType
    /// The column's name, for messages.
    let column: () -> String
    /// Nil is NULL.
    let bytes: UnsafeRawBufferPointer?

    /// Whether the column is NULL.
    public var isNull: Bool { bytes == nil }

    /// The bytes as they came.
    public func binary() throws(HarbourError) -> [UInt8] { Array(try content()) }

    func content() throws(HarbourError) -> UnsafeRawBufferPointer {
        guard let bytes else { throw mismatch("is NULL") }
        return bytes
    }

    func integer<Value: FixedWidthInteger>(_: Value.Type) throws(HarbourError) -> Value {
        let bytes = try content()
        guard bytes.count == MemoryLayout<Value>.size else { throw mismatch("has \(bytes.count) bytes") }
        return Value(bigEndian: bytes.loadUnaligned(as: Value.self))
    }

    func wholeNumber<Value: FixedWidthInteger>(_: Value.Type) throws(HarbourError) -> Value {
        let number: Int64
        switch type {
        case .int2: number = Int64(try integer(Int16.self))
        case .int4: number = Int64(try integer(Int32.self))
        case .int8: number = try integer(Int64.self)
        case .oid: number = Int64(try integer(UInt32.self))
        case .numeric:
            guard let value = Int64(try PostgresNumeric.text(self)) else { throw mismatch("is no whole number") }
            number = value
        default: throw mismatch("is not a whole number")
        }
        guard let value = Value(exactly: number) else { throw mismatch("is out of range: \(number)") }
        return value
    }

    /// The bytes of text of any type that is text in its binary form, or that has a text form we write.
    func textBytes() throws(HarbourError) -> [UInt8] {
        let bytes = try content()
        switch type {
        case .jsonb:
            // A version number, 1 so far, and then the text.
            guard bytes.first == 1 else { throw mismatch("is jsonb of an unknown version") }
            return Array(bytes.dropFirst())
        case .uuid: return Array(try uuid(bytes).utf8)
        case .numeric: return Array(try PostgresNumeric.text(self).utf8)
        case .bool, .bytea, .int2, .int4, .int8, .oid, .float4, .float8, .date, .timestamp, .timestamptz:
            throw mismatch("is not text")
        default: return Array(bytes)
        }
    }

    private func uuid(_ bytes: UnsafeRawBufferPointer) throws(HarbourError) -> String {
        guard bytes.count == 16 else { throw mismatch("is not a uuid") }
        let digits: [UInt8] = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
            text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: text, as: UTF8.self)
    }

    func decodeElements<Element: PostgresDecodable>(_: Element.Type) throws(HarbourError) -> [Element] {
        let bytes = try content()
        func field(_ offset: Int) throws(HarbourError) -> Int {
            guard offset + 4 <= bytes.count else { throw mismatch("is a damaged array") }
            return Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
        }
        let dimensions = try field(0)
        if dimensions == 0 { return [] }
        guard dimensions == 1, bytes.count >= 20 else { throw mismatch("is an array of \(dimensions) dimensions") }
        let elementType = PostgresType(oid: UInt32(truncatingIfNeeded: try field(8)))
        let count = try field(12)
        guard (0...bytes.count / 4).contains(count) else { throw mismatch("is a damaged array") }
        var values: [Element] = []
        values.reserveCapacity(count)
        var offset = 20
        for _ in 0..<count {
            let length = try field(offset)
            offset += 4
            guard offset + max(0, length) <= bytes.count else { throw mismatch("is a damaged array") }
            let slice =
                length < 0 ? nil : UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + length)])
            values.append(try Element(postgres: PostgresValue(type: elementType, column: column, bytes: slice)))
            offset += max(0, length)
        }
        return values
    }

    func mismatch(_ what: String) -> HarbourError {
        HarbourError(
            .internalError, "Something went wrong on our side. The log of the service has the details.",
            detail: "column \(column()) of type \(type.oid) \(what)")
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// NULL is nil.
    public init(postgres value: PostgresValue) throws(HarbourError) {
        self = value.isNull ? nil : try Wrapped(postgres: value)
    }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    /// An array without NULLs; `bytea` for bytes.
    public init(postgres value: PostgresValue) throws(HarbourError) { self = try Element.decodeArray(value) }
}

extension UInt8 {
    /// A `smallint` within a byte's range.
    public init(postgres value: PostgresValue) throws(HarbourError) { self = try value.wholeNumber(UInt8.self) }
    /// The bytes of a `bytea`.
    public static func decodeArray(_ value: PostgresValue) throws(HarbourError) -> [UInt8] {
        guard value.isNull || value.type == .bytea else { throw value.mismatch("is not bytea") }
        return try value.binary()
    }
}

extension Bool {
    /// A `boolean`.
    public init(postgres value: PostgresValue) throws(HarbourError) {
        guard value.isNull || value.type == .bool else { throw value.mismatch("is not boolean") }
        self = try value.integer(UInt8.self) != 0
    }
}

extension Int16 {
    /// A whole number of any width that fits.
    public init(postgres value: PostgresValue) throws(HarbourError) { self = try value.wholeNumber(Int16.self) }
}

extension Int32 {
    /// A whole number of any width that fits.
    public init(postgres value: PostgresValue) throws(HarbourError) { self = try value.wholeNumber(Int32.self) }
}

extension Int64 {
    /// A whole number of any width that fits.
    public init(postgres value: PostgresValue) throws(HarbourError) { self = try value.wholeNumber(Int64.self) }
}

extension Int {
    /// A whole number of any width that fits.
    public init(postgres value: PostgresValue) throws(HarbourError) { self = try value.wholeNumber(Int.self) }
}

extension Double {
    /// A floating point number or a `numeric`, which may lose digits.
    public init(postgres value: PostgresValue) throws(HarbourError) {
        switch value.type {
        case .float8: self = Double(bitPattern: try value.integer(UInt64.self))
        case .float4: self = Double(Float(bitPattern: try value.integer(UInt32.self)))
        case .numeric:
            guard let number = Double(try PostgresNumeric.text(value)) else { throw value.mismatch("is no number") }
            self = number
        default: self = Double(try value.wholeNumber(Int64.self))
        }
    }
}

extension String {
    /// Text, JSON, a `uuid`, an enum's label or a `numeric` in digits.
    public init(postgres value: PostgresValue) throws(HarbourError) {
        self.init(decoding: try value.textBytes(), as: UTF8.self)
    }
}

extension Timestamp {
    /// A `timestamptz`, a `timestamp` taken as UTC, or a `date` at midnight UTC; infinities at the ends of the range.
    public init(postgres value: PostgresValue) throws(HarbourError) {
        switch value.type {
        case .timestamptz, .timestamp:
            let micros = try value.integer(Int64.self)
            guard micros != .max && micros != .min else {
                self.init(milliseconds: micros)
                return
            }
            let floor = micros >= 0 ? micros / 1000 : (micros - 999) / 1000
            self.init(milliseconds: floor + Timestamp.postgresEpoch)
        case .date:
            let days = Int64(try value.integer(Int32.self))
            self.init(milliseconds: days * 86_400_000 + Timestamp.postgresEpoch)
        default:
            throw value.mismatch("is not a time")
        }
    }
}

/// `numeric` in its binary form: groups of four decimal digits.
enum PostgresNumeric {
    static func text(_ value: PostgresValue) throws(HarbourError) -> String {
        let bytes = try value.content()
        func field(_ index: Int) throws(HarbourError) -> Int {
            guard (index + 1) * 2 <= bytes.count else { throw value.mismatch("is a damaged numeric") }
            return Int(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 2, as: Int16.self)))
        }
        let count = try field(0)
        let weight = try field(1)
        let scale = try field(3)
        switch try field(2) & 0xffff {
        case 0xc000: return "NaN"
        case 0xd000: return "Infinity"
        case 0xf000: return "-Infinity"
        default: break
        }
        func group(_ position: Int) throws(HarbourError) -> String {
            let digits = (0..<count).contains(position) ? String(try field(4 + position)) : "0"
            return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }
        var whole = ""
        for position in 0..<max(0, weight + 1) { whole += try group(position) }
        let trimmed = whole.drop { $0 == "0" }
        var text = (try field(2)) & 0x4000 != 0 ? "-" : ""
        text += trimmed.isEmpty ? "0" : String(trimmed)
        guard scale > 0 else { return text }
        var fraction = ""
        var position = weight + 1
        while fraction.count < scale {
            fraction += try group(position)
            position += 1
        }
        return text + "." + fraction.prefix(scale)
    }
}
