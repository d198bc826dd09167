public import HTTPMessage

/// One request and its response on a connection. Pooled: after `recycle` the same object serves another stream, with a
/// higher generation, so whoever waits must compare.
public final class HTTP2Stream {
    /// The number on the wire; 0 while it waits in the pool.
    @exclusivity(unchecked) public internal(set) var id: Int32 = 0
    /// Goes up with each use of the object.
    @exclusivity(unchecked) public private(set) var generation: UInt32 = 0
    /// Server: the request as far as it has been received.
    @exclusivity(unchecked) public internal(set) var request: HTTPRequest
    /// Client: the status of the response; 0 before it has come.
    @exclusivity(unchecked) public internal(set) var status = 0
    /// Client: the fields of the response.
    @exclusivity(unchecked) public internal(set) var fields: HTTPFields
    /// Server: the `:protocol` of an extended CONNECT (RFC 8441); empty otherwise.
    @exclusivity(unchecked) public internal(set) var connectProtocol = ""
    /// The header fields were larger than allowed and have not been kept.
    @exclusivity(unchecked) public internal(set) var headersTooLarge = false
    /// All fields of the head have come.
    @exclusivity(unchecked) public internal(set) var headComplete = false
    /// The peer sends nothing more on this stream.
    @exclusivity(unchecked) public internal(set) var inboundEnded = false
    /// All bytes of the body that were ever received.
    @exclusivity(unchecked) public internal(set) var receivedBytes = 0
    /// The announced length of the body, when it was announced.
    @exclusivity(unchecked) public internal(set) var contentLength: Int?
    /// Closed by either side.
    @exclusivity(unchecked) public internal(set) var isClosed = false
    /// The object of the layer above that goes with this one, for as long as both live.
    @exclusivity(unchecked) public var context: AnyObject?

    @exclusivity(unchecked) var inbound: [UInt8] = []
    @exclusivity(unchecked) var discardsInbound = false
    @exclusivity(unchecked) var dataEventPending = false
    @exclusivity(unchecked) var headerBytes = 0
    @exclusivity(unchecked) var isInformational = false
    @exclusivity(unchecked) var openIndex = 0
    @exclusivity(unchecked) var cookies = 0

    @exclusivity(unchecked) var sentFields = HTTPFields()
    @exclusivity(unchecked) var outbound: [UInt8] = []
    @exclusivity(unchecked) var outboundStart = 0
    @exclusivity(unchecked) var outboundEnded = false
    @exclusivity(unchecked) var outboundDeferred = false
    @exclusivity(unchecked) var writerWaits = false
    /// All body bytes that the peer's window has let through.
    @exclusivity(unchecked) public internal(set) var sentBytes = 0

    init() {
        request = HTTPRequest(forServer: ())
        fields = HTTPFields(storage: HTTPFieldStorage(capacity: 64))
    }

    /// Bytes that have been received and not been taken.
    public var unreadBytes: Int { inbound.count }
    /// Bytes that have been written and wait for the peer's window.
    public var unsentBytes: Int { outbound.count - outboundStart }

    /// Makes the object ready for the next stream. A request that somebody still holds is left to them.
    func recycle() {
        generation &+= 1
        id = 0
        if isKnownUniquelyReferenced(&request) { request.recycle() } else { request = HTTPRequest(forServer: ()) }
        if status != 0 { fields.recycle() }
        status = 0
        if !connectProtocol.isEmpty { connectProtocol = "" }
        headersTooLarge = false
        headComplete = false
        inboundEnded = false
        receivedBytes = 0
        contentLength = nil
        isClosed = false
        if !inbound.isEmpty { inbound = [] }
        discardsInbound = false
        dataEventPending = false
        headerBytes = 0
        cookies = 0
        isInformational = false
        outbound = []
        outboundStart = 0
        outboundEnded = false
        outboundDeferred = false
        writerWaits = false
        sentBytes = 0
    }

    // MARK: From the callbacks

    func receivePseudoField(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
        switch name[1] {
        case UInt8(ascii: "p") where name.count == 5:
            request.setTarget(value.baseAddress, value.count)
        case UInt8(ascii: "p"):
            connectProtocol = String(decoding: value, as: UTF8.self)
        case UInt8(ascii: "m"):
            request.method = HTTPMethod(bytes: value)
        case UInt8(ascii: "a"):
            request.authorityRange = request.fields.storage.store(value.baseAddress, value.count)
        case UInt8(ascii: "s") where name.count == 7 && value.count == 3 && name[2] == UInt8(ascii: "t"):
            status = value.reduce(0) { $0 * 10 + Int($1) - 48 }
            isInformational = status < 200
        default:
            break
        }
    }

    func receiveField(
        _ role: HTTP2Role, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, limit: Int
    ) {
        headerBytes &+= name.count &+ value.count &+ 32
        guard headerBytes <= limit else {
            headersTooLarge = true
            return
        }
        if name[0] == UInt8(ascii: ":") {
            receivePseudoField(name, value)
            return
        }
        // What comes after the head are trailers, which nobody here uses.
        if headComplete { return }
        if name.count == 14, ("content-length" as StaticString).matches(name) {
            contentLength = HTTP2Stream.length(value)
        }
        if name.count == 6, ("cookie" as StaticString).matches(name) { cookies += 1 }
        let storage = role == .server ? request.fields.storage : fields.storage
        storage.append(name: name.baseAddress, name.count, value: value.baseAddress, value.count)
    }

    /// Clients send each cookie as a field of its own to compress them better; handlers see one field, as HTTP/1.1 has
    /// it (RFC 9113 section 8.2.3).
    func joinCookies() {
        guard cookies > 1 else { return }
        request.fields["cookie"] = request.fields.values("cookie").joined(separator: "; ")
    }

    private static func length(_ digits: UnsafeBufferPointer<UInt8>) -> Int? {
        guard !digits.isEmpty, digits.count < 19 else { return nil }
        var value = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + Int(digit - 0x30)
        }
        return value
    }

    // MARK: Outbound bytes

    func enqueue(_ bytes: [UInt8]) {
        if outboundStart == outbound.count {
            outbound = bytes
            outboundStart = 0
        } else {
            if outboundStart > 32_768 {
                outbound.removeFirst(outboundStart)
                outboundStart = 0
            }
            outbound.append(contentsOf: bytes)
        }
    }

    /// Copies what fits; the count copied.
    @inline(__always)
    func dequeue(into buffer: UnsafeMutablePointer<UInt8>, _ capacity: Int) -> Int {
        let count = min(capacity, outbound.count &- outboundStart)
        if count > 0 {
            outbound.withUnsafeBufferPointer { bytes in
                if let base = bytes.baseAddress { buffer.update(from: base + outboundStart, count: count) }
            }
            outboundStart &+= count
            sentBytes &+= count
        }
        return count
    }
}
