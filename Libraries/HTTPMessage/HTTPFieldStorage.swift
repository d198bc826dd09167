/// A piece of a field storage's bytes.
package struct ByteRange: Sendable, Hashable {
    package var offset: UInt32
    package var count: UInt32

    package init(offset: Int, count: Int) {
        self.offset = UInt32(truncatingIfNeeded: offset)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    package static let empty = ByteRange(offset: 0, count: 0)
    package var isEmpty: Bool { count == 0 }
    package var start: Int { Int(offset) }
    package var end: Int { Int(offset) + Int(count) }
}

/// All names and values of one message in one block of memory, with the places where each begins.
///
/// A message of ten fields costs one allocation here against twenty Strings, and none when the storage is used again
/// for the next message. The address of a byte is stable until the storage is changed or freed, which lets the HTTP/2
/// encoder read from it without a copy.
///
/// `@unchecked Sendable`: changed only while it has one owner (`HTTPFields` copies it otherwise).
package final class HTTPFieldStorage: @unchecked Sendable {
    package struct Entry {
        package var name: ByteRange
        package var value: ByteRange
    }

    @exclusivity(unchecked) package private(set) var base: UnsafeMutablePointer<UInt8>
    @exclusivity(unchecked) package private(set) var count = 0
    @exclusivity(unchecked) private var capacity: Int
    @exclusivity(unchecked) package var entries: ContiguousArray<Entry> = []

    package init(capacity: Int = 512) {
        self.capacity = max(capacity, 64)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    package func copy() -> HTTPFieldStorage {
        let copy = HTTPFieldStorage(capacity: count + 128)
        copy.base.update(from: base, count: count)
        copy.count = count
        copy.entries = entries
        return copy
    }

    package func removeAll() {
        count = 0
        entries.removeAll(keepingCapacity: true)
    }

    /// Adds bytes that belong to no field, such as a request target.
    @inline(__always)
    package func store(_ bytes: UnsafePointer<UInt8>?, _ length: Int) -> ByteRange {
        if count &+ length > capacity { grow(by: length) }
        let range = ByteRange(offset: count, count: length)
        if let bytes, length > 0 { (base + count).update(from: bytes, count: length) }
        count &+= length
        return range
    }

    /// Adds a field whose name is in lower case and whose value is valid already.
    @inline(__always)
    package func append(
        name: UnsafePointer<UInt8>?, _ nameLength: Int, value: UnsafePointer<UInt8>?, _ valueLength: Int
    ) {
        let name = store(name, nameLength)
        entries.append(Entry(name: name, value: store(value, valueLength)))
    }

    @inline(__always)
    package func bytes(_ range: ByteRange) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base + range.start, count: Int(range.count))
    }

    package func text(_ range: ByteRange) -> String { String(decoding: bytes(range), as: UTF8.self) }

    /// Goes through the fields without making anything.
    @inline(__always)
    package func forEach(_ body: (UnsafeBufferPointer<UInt8>, ByteRange) -> Void) {
        entries.withUnsafeBufferPointer { entries in
            for entry in entries { body(bytes(entry.name), entry.value) }
        }
    }

    /// Changes stored bytes in place: lower-casing and cleaning after `store`.
    package func rewrite(_ range: ByteRange, _ change: (UInt8) -> UInt8) {
        for index in range.start..<range.end { base[index] = change(base[index]) }
    }

    /// Compares without regard to ASCII case; stored names are in lower case already.
    @inline(__always)
    package func nameEquals(_ range: ByteRange, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard Int(range.count) == name.count else { return false }
        let start = base + range.start
        for index in 0..<name.count where start[index] != HTTPFieldStorage.lowered(name[index]) { return false }
        return true
    }

    @inline(__always)
    package static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    @inline(never)
    private func grow(by length: Int) {
        capacity = max(capacity * 2, count + length)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
    }
}
