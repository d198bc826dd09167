/// Reads JSON (RFC 8259) piece by piece, as its caller asks for it, and accepts nothing that is not JSON.
///
/// What is skipped is checked as strictly as what is read. It borrows its bytes: make one with `JSONReader.read`.
///
/// An object is read by `if try reader.beginObject() { repeat { key, then one value } while try reader.nextKey() }`, an
/// array likewise with `beginArray` and `nextElement`.
public struct JSONReader: ~Copyable {
    /// How deep values may be nested where nothing else is said.
    public static let defaultDepth = 128

    @usableFromInline let base: UnsafePointer<UInt8>
    @usableFromInline let count: Int
    @usableFromInline var position = 0
    @usableFromInline var depth = 0
    @usableFromInline let maximumDepth: Int
    /// Where the last key started, for the errors about keys.
    @usableFromInline var keyOffset = 0
    /// Where the last word started, for the errors about words.
    var wordOffset = 0
    /// The text of the last key that had escapes in it.
    private var unescapedKey: UnsafeMutableBufferPointer<UInt8>?

    /// Makes a reader over bytes that must outlive it.
    init(_ bytes: UnsafeBufferPointer<UInt8>, maximumDepth: Int) {
        // An empty buffer has no address; nothing is ever read through this one.
        base = bytes.baseAddress ?? UnsafePointer(bitPattern: 1)!
        count = bytes.count
        self.maximumDepth = maximumDepth
    }

    deinit { unescapedKey?.deallocate() }

    /// Lets the body read one document, and checks that nothing follows it.
    /// - Throws: what the body throws, with the path of the field in it.
    public static func read<Value>(
        _ bytes: UnsafeBufferPointer<UInt8>, maximumDepth: Int = JSONReader.defaultDepth,
        _ body: (inout JSONReader) throws(JSONError) -> Value
    ) throws(JSONError) -> Value {
        var reader = JSONReader(bytes, maximumDepth: maximumDepth)
        do throws(JSONError) {
            let value = try body(&reader)
            try reader.expectEnd()
            return value
        } catch {
            throw error.located(in: bytes)
        }
    }

    /// Lets the body read one document, and checks that nothing follows it.
    /// - Throws: what the body throws, with the path of the field in it.
    public static func read<Value>(
        _ bytes: [UInt8], maximumDepth: Int = JSONReader.defaultDepth,
        _ body: (inout JSONReader) throws(JSONError) -> Value
    ) throws(JSONError) -> Value {
        try bytes.withUnsafeBufferPointer { bytes throws(JSONError) in
            try read(bytes, maximumDepth: maximumDepth, body)
        }
    }

    /// Bytes from the start of the document to the next one that is read.
    public var offset: Int { position }

    // MARK: Structure

    /// Enters an object; false when it is empty, and it has then been left again.
    @inlinable @inline(__always)
    public mutating func beginObject() throws(JSONError) -> Bool {
        // The same without white space, which is how programs write.
        guard count &- position > 1, base[position] == 0x7b, base[position &+ 1] == 0x22, depth < maximumDepth else {
            return try enterObject()
        }
        depth &+= 1
        position &+= 1
        return true
    }

    @usableFromInline @inline(never)
    mutating func enterObject() throws(JSONError) -> Bool {
        try enter(0x7b, "an object")
        if try next() == 0x7d {
            leave()
            return false
        }
        return true
    }

    /// After a value of an object: true when another key follows, false when the object has ended.
    @inlinable @inline(__always)
    public mutating func nextKey() throws(JSONError) -> Bool {
        guard position < count, base[position] == 0x2c else { return try endObject() }
        position &+= 1
        return true
    }

    @usableFromInline @inline(never)
    mutating func endObject() throws(JSONError) -> Bool {
        switch try next() {
        case 0x2c:
            position &+= 1
            return true
        case 0x7d:
            leave()
            return false
        default: throw unexpected("a comma or a closing brace was expected")
        }
    }

    /// Enters an array; false when it is empty, and it has then been left again.
    public mutating func beginArray() throws(JSONError) -> Bool {
        try enter(0x5b, "an array")
        if try next() == 0x5d {
            leave()
            return false
        }
        return true
    }

    /// After a value of an array: true when another follows, false when the array has ended.
    @inlinable @inline(__always)
    public mutating func nextElement() throws(JSONError) -> Bool {
        guard position < count, base[position] == 0x2c else { return try endArray() }
        position &+= 1
        return true
    }

    @usableFromInline @inline(never)
    mutating func endArray() throws(JSONError) -> Bool {
        switch try next() {
        case 0x2c:
            position &+= 1
            return true
        case 0x5d:
            leave()
            return false
        default: throw unexpected("a comma or a closing bracket was expected")
        }
    }

    /// Reads a key and its colon.
    public mutating func key() throws(JSONError) -> JSONKey {
        guard try next() == 0x22 else { throw unexpected("a key in quotes was expected") }
        keyOffset = position
        let text = try scanString()
        guard try next() == 0x3a else { throw unexpected("a colon was expected") }
        position &+= 1
        guard text.hasEscapes else { return JSONKey(base: base + text.start, count: text.count) }
        let bytes = try unescape(text)
        unescapedKey?.deallocate()
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(bytes.count, 1))
        _ = copy.update(fromContentsOf: bytes)
        unescapedKey = copy
        return JSONKey(base: copy.baseAddress ?? UnsafeMutablePointer(mutating: base), count: bytes.count)
    }

    /// Checks that nothing but white space is left.
    public mutating func expectEnd() throws(JSONError) {
        skipSpace()
        if position < count { throw JSONError(.trailingBytes, at: position, "the document should have ended") }
    }

    /// The type of the next value, which is not read.
    public mutating func peek() throws(JSONError) -> JSONKind {
        switch try next() {
        case 0x7b: return .object
        case 0x5b: return .array
        case 0x22: return .string
        case 0x74, 0x66: return .bool
        case 0x6e: return .null
        case 0x2d, 0x30...0x39: return .number
        default: throw unexpected("a value was expected")
        }
    }

    /// Bytes from the start of the document to the next value, which is not read.
    public mutating func valueOffset() throws(JSONError) -> Int {
        _ = try next()
        return position
    }

    /// Reads over the next value and checks it.
    public mutating func skip() throws(JSONError) {
        switch try peek() {
        case .object:
            guard try beginObject() else { return }
            repeat {
                _ = try key()
                try skip()
            } while try nextKey()
        case .array:
            guard try beginArray() else { return }
            repeat { try skip() } while try nextElement()
        case .string:
            let text = try scanString()
            if text.hasEscapes { _ = try unescape(text) }
        case .number: _ = try scanNumber()
        case .bool: _ = try bool()
        case .null: _ = try null()
        }
    }

    /// Reads over the next value, checks it, and gives its bytes as they stand.
    public mutating func raw() throws(JSONError) -> [UInt8] {
        _ = try next()
        let start = position
        try skip()
        return [UInt8](UnsafeBufferPointer(start: base + start, count: position &- start))
    }

    /// The value of a field of type string in the object that comes next, found without reading the object.
    /// - Throws: `missingField` when there is none.
    public mutating func discriminator(_ name: StaticString) throws(JSONError) -> String {
        _ = try next()
        let start = position
        let startDepth = depth
        if try beginObject() {
            repeat {
                if try key().matches(name) {
                    let value = try string()
                    position = start
                    depth = startDepth
                    return value
                }
                try skip()
            } while try nextKey()
        }
        throw JSONError(.missingField, at: start, "has no `\(name)`, which is required")
    }

    // MARK: Inside

    @inline(__always)
    mutating func skipSpace() {
        while position < count {
            let byte = base[position]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return }
            position &+= 1
        }
    }

    /// The next byte that is not white space; it stays to be read.
    @inline(__always)
    mutating func next() throws(JSONError) -> UInt8 {
        skipSpace()
        guard position < count else { throw ended() }
        return base[position]
    }

    private mutating func enter(_ bracket: UInt8, _ expected: StaticString) throws(JSONError) {
        guard try next() == bracket else { throw try wrongType(expected) }
        guard depth < maximumDepth else {
            throw JSONError(.tooDeep, at: position, "values are nested deeper than \(maximumDepth) levels")
        }
        depth &+= 1
        position &+= 1
    }

    private mutating func leave() {
        depth &-= 1
        position &+= 1
    }

    func ended() -> JSONError { JSONError(.unexpectedEnd, at: count, "the text ends too early") }

    func unexpected(_ expected: String) -> JSONError { JSONError(.syntax, at: position, expected) }

    /// The error for a value of another type, or for something that is no value at all, which it throws itself.
    @inline(never)
    mutating func wrongType(_ expected: StaticString) throws(JSONError) -> JSONError {
        let kind = try peek()
        return JSONError(.wrongType, at: position, "must be \(expected), and is \(kind.name)")
    }
}

/// The types of JSON values.
public enum JSONKind: Sendable, Hashable {
    case object
    case array
    case string
    case number
    case bool
    case null

    /// The type with its article, for messages.
    public var name: String {
        switch self {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .number: "a number"
        case .bool: "true or false"
        case .null: "null"
        }
    }
}

/// A key as it was read; valid until the next key is read.
public struct JSONKey {
    @usableFromInline let base: UnsafePointer<UInt8>
    /// Bytes of UTF-8.
    public let count: Int

    /// Whether the key is this one.
    @inlinable @inline(__always)
    public func matches(_ name: StaticString) -> Bool {
        guard count == name.utf8CodeUnitCount else { return false }
        let other = name.utf8Start
        var index = 0
        while index &+ 8 <= count {
            let left = UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self)
            let right = UnsafeRawPointer(other + index).loadUnaligned(as: UInt64.self)
            if left != right { return false }
            index &+= 8
        }
        while index < count {
            if base[index] != other[index] { return false }
            index &+= 1
        }
        return true
    }

    /// The key as a string.
    public var string: String { String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self) }
}
