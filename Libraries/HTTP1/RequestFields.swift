internal import Core
internal import HTTPMessage

/// Reads field lines (RFC 9112 section 5) into a storage and remembers those that frame the message.
struct RequestFields {
    private(set) var count = 0
    private(set) var bytes = 0
    private(set) var host: ByteRange?
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private(set) var asksToClose = false
    private(set) var asksToKeep = false
    private(set) var asksToUpgrade = false
    private(set) var expectsContinue = false

    /// Checks one line and adds it to the storage; nil checks only, as for trailers, which nobody reads.
    mutating func add(
        _ line: UnsafeBufferPointer<UInt8>, to storage: HTTPFieldStorage?, _ limits: HTTP1Limits
    ) throws(HarbourError) {
        count += 1
        bytes += line.count + 2
        guard count <= limits.fieldCount, bytes <= limits.fieldBytes else { throw RequestFields.tooLarge }
        let (name, value) = try RequestFields.split(line)
        guard let storage else {
            // RFC 9110 section 6.5.1: too late to say how the message is framed, or whom it is for.
            let forbidden: [StaticString] = ["content-length", "transfer-encoding", "host"]
            if forbidden.contains(where: { equals(name, $0) }) { throw .malformed("a trailer frames the message") }
            return
        }
        storage.append(name: name.baseAddress, name.count, value: value.baseAddress, value.count)
        let entry = storage.entries[storage.entries.count - 1]
        storage.rewrite(entry.name, HTTPFieldStorage.lowered)
        try interpret(storage.bytes(entry.name), storage.bytes(entry.value), entry.value)
    }

    static let tooLarge = HarbourError(.fieldsTooLarge, "The header fields of the request are too large.")

    private static func split(
        _ line: UnsafeBufferPointer<UInt8>
    ) throws(HarbourError) -> (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) {
        // A line that begins with a space continued the one before in old versions (obs-fold); here, as everywhere
        // before the colon, it is no character of a name.
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            line[..<colon].allSatisfy(HTTPFields.isTokenByte)
        else { throw .malformed("a header field has no valid name before its colon") }
        var start = colon + 1
        var end = line.count
        while start < end, isSpace(line[start]) { start += 1 }
        while end > start, isSpace(line[end - 1]) { end -= 1 }
        guard line[start..<end].allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
            throw .malformed("a header field has a control character in its value")
        }
        return (UnsafeBufferPointer(rebasing: line[..<colon]), UnsafeBufferPointer(rebasing: line[start..<end]))
    }

    private mutating func interpret(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, _ range: ByteRange
    ) throws(HarbourError) {
        switch name.count {
        case 4 where StaticString("host").matches(name):
            guard host == nil else { throw .malformed("it has more than one Host field") }
            guard RequestLine.isHost(value) else { throw .malformed("its Host field is not valid") }
            host = range
        case 6 where StaticString("expect").matches(name):
            guard equals(value, "100-continue"), !expectsContinue else {
                throw HarbourError(.expectationFailed, "The only expectation that is met here is 100-continue.")
            }
            expectsContinue = true
        case 10 where StaticString("connection").matches(name):
            for option in value.split(separator: UInt8(ascii: ",")) { connection(trimmed(option)) }
        case 14 where StaticString("content-length").matches(name):
            guard contentLength == nil else { throw .malformed("it has more than one Content-Length field") }
            contentLength = try length(value)
        case 17 where StaticString("transfer-encoding").matches(name):
            guard !isChunked else { throw .malformed("it has more than one Transfer-Encoding field") }
            try transferEncoding(value)
            isChunked = true
        default: break
        }
    }

    private mutating func connection(_ option: UnsafeBufferPointer<UInt8>) {
        if equals(option, "close") { asksToClose = true }
        if equals(option, "keep-alive") { asksToKeep = true }
        if equals(option, "upgrade") { asksToUpgrade = true }
    }

    /// Only digits (RFC 9110 section 8.6); a list of equal numbers, which it lets us refuse, is refused.
    private func length(_ value: UnsafeBufferPointer<UInt8>) throws(HarbourError) -> Int {
        guard !value.isEmpty, value.allSatisfy(isDigit) else { throw .malformed("its Content-Length is no number") }
        var length = 0
        for digit in value {
            let (product, over) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(digit - 0x30))
            guard !over, !carry else { return .max }
            length = sum
        }
        return length
    }

    /// RFC 9112 section 6.1: chunked must come last, and once; other codings are not spoken here.
    private func transferEncoding(_ value: UnsafeBufferPointer<UInt8>) throws(HarbourError) {
        if equals(value, "chunked") { return }
        let codings = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { trimmed($0) }
        let chunked = codings.filter { equals($0, "chunked") }.count
        guard codings.allSatisfy({ !$0.isEmpty && $0.allSatisfy(HTTPFields.isTokenByte) }), chunked <= 1,
            chunked == 0 || codings.last.map({ equals($0, "chunked") }) == true
        else { throw .malformed("its Transfer-Encoding is not valid") }
        throw HarbourError(.unsupported, "The only transfer coding that is spoken here is chunked.")
    }

    private func trimmed(_ slice: Slice<UnsafeBufferPointer<UInt8>>) -> UnsafeBufferPointer<UInt8> {
        var slice = slice
        while let first = slice.first, RequestFields.isSpace(first) { slice = slice.dropFirst() }
        while let last = slice.last, RequestFields.isSpace(last) { slice = slice.dropLast() }
        return UnsafeBufferPointer(rebasing: slice)
    }

    private func equals(_ value: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
        value.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) {
            HTTPFieldStorage.lowered($0) == $1
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
