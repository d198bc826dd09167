/// The header fields of a message: ordered, names compared without regard to case, Strings made on demand.
///
/// What is put in by the program is made safe for the wire: names become lower case, and control characters in values
/// become spaces, so that text from outside cannot begin a field or a message of its own (RFC 9110 section 5.5).
public struct HTTPFields: Sendable {
    package private(set) var storage: HTTPFieldStorage

    /// No fields.
    public init() { storage = HTTPFields.emptyStorage }

    package init(storage: HTTPFieldStorage) { self.storage = storage }

    /// Never written: every change to fields first makes the storage its own.
    private static let emptyStorage = HTTPFieldStorage(capacity: 0)

    /// How many fields there are; repeated names count each time.
    public var count: Int { storage.entries.count }

    /// Whether there is no field.
    public var isEmpty: Bool { storage.entries.isEmpty }

    /// The first value of that name. Setting replaces all fields of the name; nil removes them.
    public subscript(name: String) -> String? {
        get { entry(name).map { storage.text($0.value) } }
        set {
            removeAll(name)
            if let newValue { append(name, newValue) }
        }
    }

    /// All values of that name in their order.
    public func values(_ name: String) -> [String] {
        var name = name
        return name.withUTF8 { bytes in
            storage.entries.filter { storage.nameEquals($0.name, bytes) }.map { storage.text($0.value) }
        }
    }

    /// All values of that name as one list, separated by commas (RFC 9110 section 5.3).
    public func combined(_ name: String) -> String? {
        let values = values(name)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    /// Whether there is a field of that name.
    public func contains(_ name: String) -> Bool { entry(name) != nil }

    /// Adds a field after those that are there.
    public mutating func append(_ name: String, _ value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in value.withUTF8 { append(name: name, value: $0) } }
    }

    /// The same from bytes.
    public mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        makeUnique()
        let nameRange = storage.store(name.baseAddress, name.count)
        storage.rewrite(nameRange) { HTTPFields.isTokenByte($0) ? HTTPFieldStorage.lowered($0) : UInt8(ascii: "_") }
        let valueRange = storage.store(value.baseAddress, value.count)
        storage.rewrite(valueRange) { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7f ? 0x20 : $0 }
        storage.entries.append(.init(name: nameRange, value: trimmed(valueRange)))
    }

    /// Removes all fields of that name.
    public mutating func removeAll(_ name: String) {
        guard contains(name) else { return }
        makeUnique()
        var name = name
        name.withUTF8 { bytes in
            let storage = storage
            storage.entries.removeAll { storage.nameEquals($0.name, bytes) }
        }
    }

    /// Reads the first value of that name as bytes, valid within the closure.
    public func withValue<Result>(_ name: StaticString, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result? {
        let bytes = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        for entry in storage.entries where storage.nameEquals(entry.name, bytes) {
            return body(storage.bytes(entry.value))
        }
        return nil
    }

    /// Makes the storage writable, to be filled by a parser.
    package mutating func makeUnique() {
        if !isKnownUniquelyReferenced(&storage) { storage = storage.copy() }
    }

    /// Empties the fields for the next message and keeps the memory when nobody else reads it.
    package mutating func recycle() {
        if isKnownUniquelyReferenced(&storage) { storage.removeAll() } else { storage = HTTPFieldStorage() }
    }

    private func entry(_ name: String) -> HTTPFieldStorage.Entry? {
        var name = name
        return name.withUTF8 { bytes in storage.entries.first { storage.nameEquals($0.name, bytes) } }
    }

    /// Without the spaces and tabs around it.
    private func trimmed(_ range: ByteRange) -> ByteRange {
        var start = range.start
        var end = range.end
        while start < end, storage.base[start] == 0x20 || storage.base[start] == 0x09 { start += 1 }
        while end > start, storage.base[end - 1] == 0x20 || storage.base[end - 1] == 0x09 { end -= 1 }
        return ByteRange(offset: start, count: end - start)
    }

    /// `tchar` of RFC 9110 section 5.6.2.
    package static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e, 0x5f, 0x60, 0x7c, 0x7e: true
        default: false
        }
    }
}

extension HTTPFields: Sequence {
    /// Goes through the fields in their order.
    public struct Iterator: IteratorProtocol {
        private let storage: HTTPFieldStorage
        private var index = 0
        fileprivate init(_ storage: HTTPFieldStorage) { self.storage = storage }
        /// The next field.
        public mutating func next() -> (name: String, value: String)? {
            guard index < storage.entries.count else { return nil }
            defer { index += 1 }
            let entry = storage.entries[index]
            return (storage.text(entry.name), storage.text(entry.value))
        }
    }

    /// Goes through the fields in their order.
    public func makeIterator() -> Iterator { Iterator(storage) }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
    /// Fields in the order of the literal; a name may occur twice.
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init()
        for (name, value) in elements { append(name, value) }
    }
}

extension HTTPFields: Equatable {
    /// Whether both have the same fields in the same order.
    public static func == (left: HTTPFields, right: HTTPFields) -> Bool {
        left.storage === right.storage || left.elementsEqual(right) { $0 == $1 }
    }
}

extension HTTPFields: CustomStringConvertible {
    /// For logs and tests; values of credentials are hidden.
    public var description: String {
        let hidden: Set<String> = ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        return map { "\($0.name): \(hidden.contains($0.name) ? "(hidden)" : $0.value)" }.joined(separator: "\n")
    }
}
