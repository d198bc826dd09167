internal import Core

/// Received bytes that nobody has taken yet, and where the search for the end of a line stopped.
struct InputBuffer {
    enum Line {
        /// The line without its CRLF, as a range of `bytes`; it has been taken.
        case complete(Range<Int>)
        case incomplete
        case tooLong
        /// Its LF has no CR before it (RFC 9112 section 2.2 lets us refuse it, and smuggling needs it).
        case bareLineFeed
    }

    private(set) var bytes: [UInt8] = []
    private var head = 0
    private var searched = 0

    var count: Int { bytes.count - head }
    var isEmpty: Bool { head == bytes.count }
    var first: UInt8? { isEmpty ? nil : bytes[head] }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        if head > 0, isEmpty || head > 16_384 {
            bytes.removeFirst(head)
            searched = max(0, searched - head)
            head = 0
        }
        bytes.append(contentsOf: more)
    }

    /// Takes the next line. Every byte is looked at once, however small the pieces are in which they come.
    mutating func takeLine(limit: Int) -> Line {
        searched = max(searched, head)
        while searched < bytes.count, bytes[searched] != 0x0a { searched += 1 }
        guard searched < bytes.count else { return count > limit ? .tooLong : .incomplete }
        let end = searched
        guard end - head <= limit else { return .tooLong }
        guard end > head, bytes[end - 1] == 0x0d else { return .bareLineFeed }
        let line = head..<(end - 1)
        head = end + 1
        return .complete(line)
    }

    /// Takes up to so many bytes.
    mutating func take(_ limit: Int) -> [UInt8] {
        let end = head + min(limit, count)
        if head == 0, end == bytes.count {
            let all = bytes
            removeAll()
            return all
        }
        let start = head
        head = end
        return Array(bytes[start..<end])
    }

    /// Drops up to so many bytes and says how many.
    mutating func drop(_ limit: Int) -> Int {
        let dropped = min(limit, count)
        head += dropped
        return dropped
    }

    mutating func removeAll() {
        bytes = []
        head = 0
        searched = 0
    }
}

extension InputBuffer {
    /// Reads bytes that a line named, valid within the closure.
    func withBytes<Result>(
        _ range: Range<Int>, _ body: (UnsafeBufferPointer<UInt8>) throws(HarbourError) -> Result
    ) throws(HarbourError) -> Result {
        try bytes.withUnsafeBufferPointer { (all) throws(HarbourError) in
            try body(UnsafeBufferPointer(rebasing: all[range]))
        }
    }
}
