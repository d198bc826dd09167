/// The fields of a JSON object in the order they were written. No key appears twice.
///
/// Two objects are equal when they have equal fields, in whatever order (RFC 8259 section 4 gives the order no
/// meaning). Keys are told apart by their code units: Swift's own comparison would take `é` and `e` with an accent for
/// one key, which other programs do not.
public struct JSONObject: Sendable {
    /// A key compared by its code units.
    private struct FieldName: Hashable {
        let text: String

        static func == (left: FieldName, right: FieldName) -> Bool { JSONObject.same(left.text, right.text) }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    /// From this many fields on, an index is kept.
    private static let indexedFrom = 12

    /// The fields in order.
    public private(set) var fields: [(key: String, value: JSONValue)] = []
    private var index: [FieldName: Int] = [:]

    /// Makes an object without fields.
    public init() {}

    /// Makes an object; of equal keys the last value counts, at the place of the first.
    public init(_ fields: some Sequence<(String, JSONValue)>) {
        for (key, value) in fields { self[key] = value }
    }

    /// How many fields there are.
    public var count: Int { fields.count }
    /// Whether there are none.
    public var isEmpty: Bool { fields.isEmpty }
    /// The keys in order.
    public var keys: [String] { fields.map(\.key) }

    /// The value of a field. Setting a new one appends it; setting nil removes it and keeps the order of the others.
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { fields[$0].value } }
        set {
            if let position = position(of: key) {
                if let newValue {
                    fields[position].value = newValue
                } else {
                    fields.remove(at: position)
                    index = [:]
                    if fields.count >= JSONObject.indexedFrom { buildIndex() }
                }
            } else if let newValue {
                append(key, newValue)
            }
        }
    }

    private func position(of key: String) -> Int? {
        if fields.count >= JSONObject.indexedFrom { return index[FieldName(text: key)] }
        return fields.firstIndex { JSONObject.same($0.key, key) }
    }

    private mutating func append(_ key: String, _ value: JSONValue) {
        fields.append((key, value))
        if fields.count == JSONObject.indexedFrom {
            buildIndex()
        } else if fields.count > JSONObject.indexedFrom {
            index[FieldName(text: key)] = fields.count - 1
        }
    }

    private mutating func buildIndex() {
        for (position, field) in fields.enumerated() { index[FieldName(text: field.key)] = position }
    }

    private static func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }
}

extension JSONObject: Hashable {
    /// Whether the fields are equal, in whatever order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.fields.allSatisfy { right[$0.key] == $0.value }
    }

    /// Combines the fields so that their order does not count.
    public func hash(into hasher: inout Hasher) {
        var combined = 0
        for field in fields {
            var fieldHasher = Hasher()
            fieldHasher.combine(FieldName(text: field.key))
            fieldHasher.combine(field.value)
            combined ^= fieldHasher.finalize()
        }
        hasher.combine(count)
        hasher.combine(combined)
    }
}

extension JSONObject: JSONCodable {
    /// Writes the fields in order.
    public func encode(to writer: inout JSONWriter) {
        writer.beginObject()
        for field in fields {
            writer.key(field.key)
            field.value.encode(to: &writer)
        }
        writer.endObject()
    }

    /// Reads an object; a key that appears twice is refused.
    public init(from reader: inout JSONReader) throws(JSONError) {
        guard try reader.beginObject() else { return }
        repeat {
            let key = try reader.key().string
            if position(of: key) != nil { throw reader.duplicateKey() }
            append(key, try JSONValue(from: &reader))
        } while try reader.nextKey()
    }
}

extension JSONObject: Sequence, ExpressibleByDictionaryLiteral {
    /// Keys are strings.
    public typealias Key = String
    /// Values are any JSON.
    public typealias Value = JSONValue

    /// Goes through the fields in order.
    public func makeIterator() -> IndexingIterator<[(key: String, value: JSONValue)]> { fields.makeIterator() }

    /// Makes an object; of equal keys the last counts.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}
