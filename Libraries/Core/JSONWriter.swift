/// Writes JSON (RFC 8259) straight into bytes, without a tree in between.
///
/// The caller answers for the structure: an object holds pairs of `key` and one value, brackets match. Commas, quotes
/// and escapes are the writer's. It is moved and never shared, so that nothing is counted or copied while it writes.
public struct JSONWriter: ~Copyable {
    @usableFromInline var base: UnsafeMutablePointer<UInt8>
    @usableFromInline var used = 0
    @usableFromInline var capacity: Int
    @usableFromInline var needsComma = false

    /// Makes an empty writer with room for that many bytes; it grows by itself.
    public init(capacity: Int = 512) {
        self.capacity = max(capacity, 64)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    /// How many bytes have been written.
    @inlinable public var count: Int { used }

    /// What has been written; the writer's memory is freed.
    public consuming func finish() -> [UInt8] { [UInt8](UnsafeBufferPointer(start: base, count: used)) }

    /// The bytes so far, valid only for the duration of the call.
    public func withBytes<Value, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try body(UnsafeBufferPointer(start: base, count: used))
    }

    /// Forgets what was written and keeps the memory.
    public mutating func removeAll() {
        used = 0
        needsComma = false
    }

    // MARK: Structure

    /// Opens an object.
    @inlinable public mutating func beginObject() { open(0x7b) }
    /// Closes the innermost object.
    @inlinable public mutating func endObject() { close(0x7d) }
    /// Opens an array.
    @inlinable public mutating func beginArray() { open(0x5b) }
    /// Closes the innermost array.
    @inlinable public mutating func endArray() { close(0x5d) }

    /// Writes a key that is known at compile time, given with its quotes and its colon: `"\"name\":"`. The
    /// label is there because a literal would otherwise choose between two meanings.
    @inlinable public mutating func key(quoted literal: StaticString) {
        reserve(literal.utf8CodeUnitCount &+ 1)
        separate()
        UnsafeMutableRawPointer(base + used).copyMemory(
            from: literal.utf8Start, byteCount: literal.utf8CodeUnitCount)
        used &+= literal.utf8CodeUnitCount
    }

    /// Writes any key, quoted and escaped.
    public mutating func key(_ name: String) {
        value(name)
        append(0x3a)
        needsComma = false
    }

    // MARK: Values

    /// Writes a string.
    public mutating func value(_ text: String) {
        reserve(1)
        separate()
        var text = text
        text.withUTF8 { quote($0) }
        needsComma = true
    }

    /// Writes a string of bytes that are known to be UTF-8.
    public mutating func value(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        reserve(1)
        separate()
        quote(bytes)
        needsComma = true
    }

    /// Writes a whole number.
    @inlinable public mutating func value(_ number: Int) { value(Int64(number)) }

    /// Writes a whole number.
    public mutating func value(_ number: Int64) {
        reserve(21)
        separate()
        if number < 0 { put(0x2d) }
        var magnitude = number.magnitude
        var digits = 1
        var bound: UInt64 = 10
        while digits < 19, magnitude >= bound {
            digits &+= 1
            bound &*= 10
        }
        // 10^19 is over what a magnitude of Int64 can be, so 19 digits are the most.
        var cursor = base + used + digits
        used &+= digits
        repeat {
            cursor -= 1
            cursor.pointee = UInt8(truncatingIfNeeded: 48 &+ magnitude % 10)
            magnitude /= 10
        } while magnitude > 0
        needsComma = true
    }

    /// Writes the shortest text that reads back as the same number. JSON has no NaN and no infinities: they are
    /// written as null, which a reader of a number refuses.
    public mutating func value(_ number: Double) {
        guard number.isFinite else { return null() }
        reserve(1)
        separate()
        var text = number.description
        text.withUTF8 { append($0) }
        needsComma = true
    }

    /// Writes `true` or `false`.
    @inlinable public mutating func value(_ flag: Bool) { word(flag ? "true" : "false") }

    /// Writes `null`.
    @inlinable public mutating func null() { word("null") }

    /// Writes text that is one JSON value already and known at compile time: `"\"RUNNING\""`.
    @inlinable public mutating func literal(_ json: StaticString) { word(json) }

    /// Writes bytes that are one JSON value already, such as a cached row.
    public mutating func raw(_ json: [UInt8]) { json.withUnsafeBufferPointer { raw($0) } }

    /// Writes bytes that are one JSON value already.
    public mutating func raw(_ json: UnsafeBufferPointer<UInt8>) {
        reserve(1)
        separate()
        append(json)
        needsComma = true
    }

    /// Ends a line of NDJSON: the next value starts without a comma.
    public mutating func endLine() {
        append(0x0a)
        needsComma = false
    }

    // MARK: Bytes

    @usableFromInline @inline(never)
    mutating func grow(_ needed: Int) {
        var larger = capacity &* 2
        while larger < needed { larger &*= 2 }
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        moved.update(from: base, count: used)
        base.deallocate()
        base = moved
        capacity = larger
    }

    @inlinable @inline(__always)
    mutating func reserve(_ extra: Int) {
        if used &+ extra > capacity { grow(used &+ extra) }
    }

    /// The byte must have been reserved.
    @inlinable @inline(__always)
    mutating func put(_ byte: UInt8) {
        base[used] = byte
        used &+= 1
    }

    @inlinable @inline(__always)
    mutating func append(_ byte: UInt8) {
        reserve(1)
        put(byte)
    }

    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let start = bytes.baseAddress else { return }
        reserve(bytes.count)
        (base + used).update(from: start, count: bytes.count)
        used &+= bytes.count
    }

    /// Writes the comma that is due; its byte must have been reserved.
    @inlinable @inline(__always)
    mutating func separate() {
        if needsComma {
            put(0x2c)
            needsComma = false
        }
    }

    @inlinable @inline(__always)
    mutating func open(_ bracket: UInt8) {
        reserve(2)
        separate()
        put(bracket)
    }

    @inlinable @inline(__always)
    mutating func close(_ bracket: UInt8) {
        append(bracket)
        needsComma = true
    }

    @inlinable
    mutating func word(_ text: StaticString) {
        reserve(text.utf8CodeUnitCount &+ 1)
        separate()
        UnsafeMutableRawPointer(base + used).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        used &+= text.utf8CodeUnitCount
        needsComma = true
    }

    /// Copies eight bytes at a time for as long as none of them needs an escape.
    private mutating func quote(_ bytes: UnsafeBufferPointer<UInt8>) {
        let count = bytes.count
        reserve(count &+ 2)
        put(0x22)
        guard count > 0, let source = bytes.baseAddress else { return put(0x22) }
        var index = 0
        let target = base + used
        while index &+ 8 <= count {
            let word = UnsafeRawPointer(source + index).loadUnaligned(as: UInt64.self)
            if JSONScan.special(word) != 0 { break }
            UnsafeMutableRawPointer(target + index).storeBytes(of: word, as: UInt64.self)
            index &+= 8
        }
        while index < count {
            let byte = source[index]
            if byte < 0x20 || byte == 0x22 || byte == 0x5c { break }
            target[index] = byte
            index &+= 1
        }
        used &+= index
        if index < count { escape(UnsafeBufferPointer(rebasing: bytes[index...])) }
        append(0x22)
    }

    /// The rest of a string from its first byte that needs an escape (RFC 8259 section 7).
    @inline(never)
    private mutating func escape(_ bytes: UnsafeBufferPointer<UInt8>) {
        for byte in bytes {
            reserve(6)
            switch byte {
            case 0x22, 0x5c: escaped(byte)
            case 0x08: escaped(UInt8(ascii: "b"))
            case 0x09: escaped(UInt8(ascii: "t"))
            case 0x0a: escaped(UInt8(ascii: "n"))
            case 0x0c: escaped(UInt8(ascii: "f"))
            case 0x0d: escaped(UInt8(ascii: "r"))
            case 0..<0x20:
                escaped(UInt8(ascii: "u"))
                put(0x30)
                put(0x30)
                put(0x30 &+ byte >> 4)
                put(byte & 15 < 10 ? 0x30 &+ byte & 15 : 0x57 &+ byte & 15)
            default: put(byte)
            }
        }
    }

    private mutating func escaped(_ letter: UInt8) {
        put(0x5c)
        put(letter)
    }
}

/// Tests on eight bytes at once, after the "has zero byte" trick.
enum JSONScan {
    static let ones: UInt64 = 0x0101_0101_0101_0101
    static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// A high bit in the lowest byte that is a control character, a quote or a backslash; bytes above it may be marked
    /// wrongly, bytes below it never are.
    @inline(__always)
    static func special(_ word: UInt64) -> UInt64 {
        let quotes = word ^ (ones &* 0x22)
        let slashes = word ^ (ones &* 0x5c)
        // Only bytes below 0x80 can be any of these, so one mask takes away what the subtractions mark in the others.
        return ((word &- ones &* 0x20) | (quotes &- ones) | (slashes &- ones)) & ~word & highBits
    }
}
