/// Bytes on their way out, in one block that is used again and again.
struct ByteQueue: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private var start = 0
    private var end = 0

    init(capacity: Int = 16_384) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    var count: Int { end - start }
    var isEmpty: Bool { start == end }

    /// The bytes that wait, valid until the next change.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base + start, count: end - start) }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        if end + bytes.count > capacity { makeRoom(bytes.count) }
        (base + end).copyMemory(from: source, byteCount: bytes.count)
        end += bytes.count
    }

    mutating func removeFirst(_ count: Int) {
        start += count
        guard start == end else { return }
        start = 0
        end = 0
        // A burst must not keep its memory for the rest of a long connection.
        if capacity > 1 << 20 { resize(16_384) }
    }

    private mutating func makeRoom(_ extra: Int) {
        let waiting = count
        if start > 0 && waiting + extra <= capacity {
            base.copyMemory(from: base + start, byteCount: waiting)
            start = 0
            end = waiting
            return
        }
        resize(max(capacity * 2, waiting + extra))
    }

    private mutating func resize(_ newCapacity: Int) {
        let waiting = count
        let larger = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 16)
        larger.copyMemory(from: base + start, byteCount: waiting)
        base.deallocate()
        base = larger
        capacity = newCapacity
        start = 0
        end = waiting
    }
}
