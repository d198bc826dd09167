// How generated decoders tell the fields of an object apart.

/// The fields that an object may have, and which of them have been read.
///
/// Whoever writes a document by the contract writes its fields in the contract's order. So each key is first compared
/// with the one that follows the last, in one go with its quotes and its colon, and is not scanned when it is that one.
public struct JSONFields {
    /// How many fields an object may have: a bit each.
    public static let maximumCount = 64
    /// How many bytes the name of a field may have, so that the length of its entry is one ASCII character.
    public static let longestName = 124

    /// Every key as `"key":`, after the length of that in one byte, in the contract's order.
    @usableFromInline let table: UnsafePointer<UInt8>
    @usableFromInline let size: Int
    /// Where the field that is expected next stands in the table, and its number.
    @usableFromInline var place = 0
    @usableFromInline var next = 0
    /// A bit for each field that has been read.
    @usableFromInline var seen: UInt64 = 0

    /// Takes a table of at least one key, all of ASCII characters that need no escapes; written by the generator.
    @inlinable
    public init(_ table: StaticString) {
        self.table = table.utf8Start
        size = table.utf8CodeUnitCount
    }

    /// Whether the field with that number has been read.
    @inlinable @inline(__always)
    public func has(_ number: Int) -> Bool { seen >> UInt64(truncatingIfNeeded: number) & 1 == 1 }

    /// The number of the field that the text starts with, and the length of its entry; nil when it starts with none.
    mutating func match(_ text: UnsafePointer<UInt8>, _ available: Int) -> (number: Int, length: Int)? {
        let first = place
        repeat {
            let number = next
            let length = Int(table[place])
            let entry = table + place + 1
            advance(length)
            if length <= available, JSONFields.same(text, entry, length) { return (number, length) }
        } while place != first
        return nil
    }

    /// The same for a key that was read without its quotes.
    mutating func match(_ key: JSONKey) -> Int? {
        let first = place
        repeat {
            let number = next
            let length = Int(table[place])
            let entry = table + place + 2
            advance(length)
            if length &- 3 == key.count, (0..<key.count).allSatisfy({ entry[$0] == key.base[$0] }) { return number }
        } while place != first
        return nil
    }

    @inlinable @inline(__always)
    mutating func advance(_ length: Int) {
        place &+= length &+ 1
        next &+= 1
        if place == size {
            place = 0
            next = 0
        }
    }

    /// Compares at least four bytes, a word at a time; the last word may overlap the one before.
    @inlinable @inline(__always)
    static func same(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        func differ<Word: FixedWidthInteger>(_ type: Word.Type, at index: Int) -> Bool {
            UnsafeRawPointer(left + index).loadUnaligned(as: Word.self)
                != UnsafeRawPointer(right + index).loadUnaligned(as: Word.self)
        }
        guard count >= 8 else {
            return !differ(UInt32.self, at: 0) && !differ(UInt32.self, at: count &- 4)
        }
        var index = 0
        while index &+ 8 < count {
            if differ(UInt64.self, at: index) { return false }
            index &+= 8
        }
        return !differ(UInt64.self, at: count &- 8)
    }
}

extension JSONReader {
    /// Reads a key and its colon: the number of the field in the table, or -1 when it has none.
    /// - Throws: `duplicateKey` when the field has been read before.
    @inlinable
    public mutating func field(_ fields: inout JSONFields) throws(JSONError) -> Int {
        let number = fields.next
        let length = Int(fields.table[fields.place])
        guard length <= count &- position,
            JSONFields.same(base + position, fields.table + fields.place + 1, length)
        else {
            return try unexpectedField(&fields)
        }
        keyOffset = position
        position &+= length
        fields.advance(length)
        try once(1 << UInt64(truncatingIfNeeded: number), &fields.seen)
        return number
    }

    /// The field that comes next where it is not the one that was expected, or not written as it was expected.
    @usableFromInline
    mutating func unexpectedField(_ fields: inout JSONFields) throws(JSONError) -> Int {
        skipSpace()
        let found: Int
        if let (number, length) = fields.match(base + position, count &- position) {
            keyOffset = position
            position &+= length
            found = number
        } else {
            // Escapes in it, a space before its colon, no field, or no key at all.
            guard let number = fields.match(try key()) else { return -1 }
            found = number
        }
        try once(1 << UInt64(truncatingIfNeeded: found), &fields.seen)
        return found
    }
}
