/// Any JSON value, for what has no shape of its own: notebook metadata, outputs, options of other programs.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// A number with its text, so that it is written as it was read.
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// A whole number.
    public static func integer(_ value: some FixedWidthInteger) -> JSONValue { .number(JSONNumber(value)) }

    // MARK: What it is

    /// The text of a string, or nil.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The value of a whole number, or nil.
    public var int64: Int64? { if case .number(let value) = self { value.int64 } else { nil } }
    /// The value of a whole number, or nil.
    public var int: Int? { int64.map(Int.init) }
    /// The value of a number, or nil.
    public var double: Double? { if case .number(let value) = self { value.double } else { nil } }
    /// The value of `true` or `false`, or nil.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The elements of an array, or nil.
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    /// The fields of an object, or nil.
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
    /// Whether it is null.
    public var isNull: Bool { self == .null }

    /// A field of an object; nil when this is no object or has no such field. Setting on anything but an object makes
    /// it one.
    public subscript(key: String) -> JSONValue? {
        get { object?[key] }
        set {
            var fields = object ?? JSONObject()
            fields[key] = newValue
            self = .object(fields)
        }
    }

    /// An element of an array; nil when this is no array or is shorter.
    public subscript(index: Int) -> JSONValue? {
        guard let elements = array, elements.indices.contains(index) else { return nil }
        return elements[index]
    }
}

extension JSONValue: JSONCodable {
    /// Writes the value.
    public func encode(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let value): writer.value(value)
        case .number(let value): value.encode(to: &writer)
        case .string(let value): writer.value(value)
        case .array(let elements): elements.encode(to: &writer)
        case .object(let fields): fields.encode(to: &writer)
        }
    }

    /// Reads any value; the reader's depth limit holds.
    public init(from reader: inout JSONReader) throws(JSONError) {
        switch try reader.peek() {
        case .object: self = .object(try JSONObject(from: &reader))
        case .array: self = .array(try [JSONValue](from: &reader))
        case .string: self = .string(try reader.string())
        case .number: self = .number(try reader.number())
        case .bool: self = .bool(try reader.bool())
        case .null:
            _ = try reader.null()
            self = .null
        }
    }
}

extension JSONNumber: JSONCodable {
    /// Writes the number as it was.
    public func encode(to writer: inout JSONWriter) {
        var text = text
        text.withUTF8 { writer.raw($0) }
    }

    /// Reads a number.
    public init(from reader: inout JSONReader) throws(JSONError) { self = try reader.number() }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A number; a literal that is not finite becomes null.
    public init(floatLiteral value: Double) { self = JSONNumber(value).map(JSONValue.number) ?? .null }
    /// `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object; of equal keys the last counts.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
    /// Null.
    public init(nilLiteral: ()) { self = .null }
}
