/// Cuts a stream of bytes into lines. Pure: it neither reads nor waits.
struct LineSplitter {
    private var buffer: [UInt8] = []
    private var start = 0
    /// No line feed is between `start` and here.
    private var scanned = 0
    private var finished = false

    mutating func append(_ bytes: [UInt8]) {
        if start > 0 {
            buffer.removeFirst(start)
            scanned -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// No more bytes will come: what is left is the last line.
    mutating func finish() { finished = true }

    /// The next whole line without its end, or a piece of `limit` bytes of one that is longer.
    mutating func next(limit: Int) -> ArraySlice<UInt8>? {
        let bound = min(buffer.count, start + limit + 1)
        while scanned < bound {
            if buffer[scanned] == UInt8(ascii: "\n") {
                var line = buffer[start..<scanned]
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                scanned += 1
                start = scanned
                return line
            }
            scanned += 1
        }
        if buffer.count - start > limit {
            let piece = buffer[start..<start + limit]
            start += limit
            scanned = start
            return piece
        }
        guard finished, start < buffer.count else { return nil }
        defer { start = buffer.count }
        return buffer[start...]
    }
}
