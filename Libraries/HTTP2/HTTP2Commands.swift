internal import CNghttp2
public import HTTPMessage

extension HTTP2Connection {
    // MARK: Server

    /// Queues the head of a response and, with `body`, all of it. Without a body more is to come by `write`. The
    /// request's id is answered as `x-request-id`.
    /// - Parameters:
    ///   - stream: the stream of the request.
    ///   - status: 200 to 599.
    ///   - fields: the handler's fields; those that belong to a connection are left out (RFC 9113 section 8.2.2).
    ///   - contentLength: added as `content-length` unless the fields have one.
    ///   - date: added as `date`; 29 bytes of the preferred form.
    ///   - body: all of it.
    /// - Returns: false when the stream is gone.
    @discardableResult
    public func respond(
        _ stream: HTTP2Stream, status: Int, fields: HTTPFields, contentLength: Int?, date: [UInt8], body: [UInt8]?
    ) -> Bool {
        guard !stream.isClosed, stream.id != 0 else { return false }
        // Kept until the stream is closed, because libnghttp2 reads names and values from there.
        stream.sentFields = fields
        if let body { stream.outbound = body }
        stream.outboundEnded = body != nil
        let storage = fields.storage
        let requestID = stream.request.requestIDBytes
        return withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: storage.entries.count + 4) { list in
            withDigits(status) { status in
                withDigits(contentLength ?? 0) { length in
                    date.withUnsafeBufferPointer { date in
                        var builder = FieldListBuilder(list)
                        builder.add(":status", copying: status)
                        let hasLength = builder.add(storage)
                        builder.add("date", copying: date)
                        if contentLength != nil && !hasLength { builder.add("content-length", copying: length) }
                        if !requestID.isEmpty { builder.add("x-request-id", copying: requestID, indexed: false) }
                        return submit(stream, list.baseAddress, builder.count)
                    }
                }
            }
        }
    }

    private func submit(_ stream: HTTP2Stream, _ list: UnsafeMutablePointer<nghttp2_nv>?, _ count: Int) -> Bool {
        if stream.outboundEnded && stream.outbound.isEmpty && stream.inboundEnded {
            return nghttp2_submit_response(session, stream.id, list, count, nil) == 0
        }
        var provider = nghttp2_data_provider()
        provider.read_callback = bodyProvider
        return nghttp2_submit_response(session, stream.id, list, count, &provider) == 0
    }

    // MARK: Client

    /// Opens a stream with a request.
    /// - Parameters:
    ///   - method: what is to be done.
    ///   - scheme: `http` or `https`.
    ///   - authority: host and port.
    ///   - path: the request target, `/a?b`; nil only for a plain CONNECT.
    ///   - fields: the header fields.
    ///   - body: all of it; nil when it is to come by `write`.
    ///   - connectProtocol: makes an extended CONNECT (RFC 8441).
    /// - Returns: the stream, or nil when the connection takes no more.
    public func request(
        method: HTTPMethod, scheme: String, authority: String, path: String?, fields: HTTPFields, body: [UInt8]?,
        connectProtocol: String? = nil
    ) -> HTTP2Stream? {
        let stream = newStream()
        stream.sentFields = fields
        stream.outbound = body ?? []
        stream.outboundEnded = body != nil
        // The pseudo-fields share one block of memory that lives as long as the call.
        let pseudo = HTTPFieldStorage(capacity: 256)
        func add(_ name: StaticString, _ value: String) {
            var value = value
            value.withUTF8 {
                pseudo.append(name: name.utf8Start, name.utf8CodeUnitCount, value: $0.baseAddress, $0.count)
            }
        }
        add(":method", method.name)
        if path != nil { add(":scheme", scheme) }
        add(":authority", authority)
        if let path { add(":path", path) }
        if let connectProtocol { add(":protocol", connectProtocol) }
        let storage = stream.sentFields.storage
        let capacity = storage.entries.count + pseudo.entries.count
        let id = withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: capacity) { list -> Int32 in
            var builder = FieldListBuilder(list)
            builder.copy(pseudo)
            builder.add(storage)
            let user = Unmanaged.passUnretained(stream).toOpaque()
            if stream.outboundEnded && stream.outbound.isEmpty {
                return nghttp2_submit_request(session, nil, list.baseAddress, builder.count, nil, user)
            }
            var provider = nghttp2_data_provider()
            provider.read_callback = bodyProvider
            return nghttp2_submit_request(session, nil, list.baseAddress, builder.count, &provider, user)
        }
        guard id > 0 else {
            takeBack(stream)
            return nil
        }
        stream.id = id
        opened(stream)
        return stream
    }

    // MARK: Both

    /// Queues body bytes; `end` makes them the last.
    /// - Returns: whether there is room for more. If not, a `writable` event tells when there is.
    @discardableResult
    public func write(_ stream: HTTP2Stream, _ bytes: [UInt8], end: Bool = false) -> Bool {
        guard !stream.isClosed, stream.id != 0, !stream.outboundEnded else { return true }
        if !bytes.isEmpty { stream.enqueue(bytes) }
        stream.outboundEnded = end
        if stream.outboundDeferred {
            stream.outboundDeferred = false
            // It fails only when the stream has just been closed, which is an event of its own.
            nghttp2_session_resume_data(session, stream.id)
        }
        if end || stream.unsentBytes < settings.outboundHighWater { return true }
        stream.writerWaits = true
        return false
    }

    /// Takes the received bytes and grants the peer as many new ones.
    public func takeInbound(_ stream: HTTP2Stream) -> [UInt8] {
        let bytes = stream.inbound
        if bytes.isEmpty { return bytes }
        stream.inbound = []
        nghttp2_session_consume(session, stream.id, bytes.count)
        return bytes
    }

    /// Nobody reads this stream any more: what comes is thrown away.
    public func discardInbound(_ stream: HTTP2Stream) {
        guard stream.id != 0, !stream.discardsInbound else { return }
        stream.discardsInbound = true
        releaseUnread(stream)
    }

    func releaseUnread(_ stream: HTTP2Stream) {
        guard !stream.inbound.isEmpty else { return }
        nghttp2_session_consume(session, stream.id, stream.inbound.count)
        stream.inbound = []
    }

    /// Breaks the stream off.
    public func reset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        guard !stream.isClosed, stream.id != 0 else { return }
        nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code.rawValue)
    }

    /// Server: tells the peer that streams will soon be refused; those on their way are still taken.
    public func announceShutdown() { nghttp2_submit_shutdown_notice(session) }

    /// Takes no new streams. When the open ones are done, `isFinished` becomes true.
    public func goAway(_ code: HTTP2ErrorCode = .noError) {
        let last = nghttp2_session_get_last_proc_stream_id(session)
        nghttp2_submit_goaway(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue, nil, 0)
    }

    /// Ends the connection at once, open streams included.
    public func terminate(_ code: HTTP2ErrorCode) { nghttp2_session_terminate_session(session, code.rawValue) }

    /// Asks the peer for a sign of life, which comes as a `pong` of the same number.
    public func ping(_ number: UInt64) {
        withUnsafeBytes(of: number) { bytes in
            let base = bytes.bindMemory(to: UInt8.self).baseAddress
            _ = nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), base)
        }
    }
}

/// Fills libnghttp2's list of fields. Names and the values of a field storage are not copied: the stream keeps their
/// memory until it is closed, which is after its head has been sent.
private struct FieldListBuilder {
    private let list: UnsafeMutableBufferPointer<nghttp2_nv>
    private(set) var count = 0
    private static let noCopyName = UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue)
    private static let noCopy = noCopyName | UInt8(NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
    private static let noIndex = UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue)

    init(_ list: UnsafeMutableBufferPointer<nghttp2_nv>) { self.list = list }

    private mutating func put(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, _ flags: UInt8
    ) {
        list.initializeElement(
            at: count,
            to: nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name.baseAddress),
                value: UnsafeMutablePointer(mutating: value.baseAddress), namelen: name.count, valuelen: value.count,
                flags: flags))
        count += 1
    }

    mutating func add(_ name: StaticString, copying value: UnsafeBufferPointer<UInt8>, indexed: Bool = true) {
        let name = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        let flags = FieldListBuilder.noCopyName
        put(name, value, indexed ? flags : flags | FieldListBuilder.noIndex)
    }

    /// Adds all fields but those of a connection; tells whether there was a `content-length`.
    @discardableResult
    mutating func add(_ storage: HTTPFieldStorage) -> Bool {
        var hasLength = false
        storage.forEach { name, value in
            if name.count == 14, ("content-length" as StaticString).matches(name) { hasLength = true }
            if FieldListBuilder.isConnectionField(name) { return }
            put(name, storage.bytes(value), FieldListBuilder.noCopy)
        }
        return hasLength
    }

    mutating func copy(_ storage: HTTPFieldStorage) {
        for entry in storage.entries { put(storage.bytes(entry.name), storage.bytes(entry.value), 0) }
    }

    private static func isConnectionField(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        switch name.count {
        case 7: ("upgrade" as StaticString).matches(name)
        case 10: ("connection" as StaticString).matches(name) || ("keep-alive" as StaticString).matches(name)
        case 16: ("proxy-connection" as StaticString).matches(name)
        case 17: ("transfer-encoding" as StaticString).matches(name)
        default: name.isEmpty || name[0] == UInt8(ascii: ":")
        }
    }
}

/// The number in decimal digits, without a String.
private func withDigits<Result>(_ number: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
        var rest = UInt64(clamping: number)
        var start = 20
        repeat {
            start -= 1
            digits[start] = UInt8(truncatingIfNeeded: 48 + rest % 10)
            rest /= 10
        } while rest > 0
        return body(UnsafeBufferPointer(rebasing: digits[start...]))
    }
}
