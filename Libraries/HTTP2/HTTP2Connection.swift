internal import CNghttp2
public import Core
internal import HTTPMessage

/// An HTTP/2 connection without sockets: bytes in, events out; commands in, bytes out (RFC 9113).
///
/// Give what the network brings to `receive`, then read `nextEvent()` until nil. Give what `produce` yields to the
/// network, then read the events again, because sending ends streams too. Not safe to share between threads, and not
/// to be called from inside `produce`'s closure.
public final class HTTP2Connection {
    /// Which end we are.
    public let role: HTTP2Role
    /// The limits this connection was made with.
    public let settings: HTTP2Settings
    let session: OpaquePointer
    /// Every stream object of this connection: what keeps them alive for the lists and events below, which are walked
    /// for each request and would otherwise spend their time on counting references.
    private var owned: [HTTP2Stream] = []
    @exclusivity(unchecked) private var openStreams: [Unmanaged<HTTP2Stream>] = []
    @exclusivity(unchecked) private var pool: [Unmanaged<HTTP2Stream>] = []
    @exclusivity(unchecked) private var events: [RecordedEvent] = []
    @exclusivity(unchecked) private var eventIndex = 0
    @exclusivity(unchecked) private var idleFrameBudget: Int
    @exclusivity(unchecked) private var budgetTime: MonotonicTime?
    @exclusivity(unchecked) private var failure: HTTP2Failure?
    @exclusivity(unchecked) private var headersOpen = false

    /// Makes a connection and queues our preface and settings.
    /// - Throws: `HTTP2Failure` when there is no memory.
    public init(role: HTTP2Role, settings: HTTP2Settings = HTTP2Settings()) throws(HTTP2Failure) {
        self.role = role
        self.settings = settings
        idleFrameBudget = settings.idleFrameBurst
        var made: OpaquePointer?
        let options = HTTP2Connection.makeOptions(settings)
        defer { nghttp2_option_del(options) }
        let status =
            role == .server
            ? nghttp2_session_server_new2(&made, sharedCallbacks, nil, options)
            : nghttp2_session_client_new2(&made, sharedCallbacks, nil, options)
        guard status == 0, let made else { throw HTTP2Failure(code: Int(status)) }
        session = made
        nghttp2_session_set_user_data(session, Unmanaged.passUnretained(self).toOpaque())
        submitSettings()
    }

    deinit { nghttp2_session_del(session) }

    // MARK: State

    /// Streams that are open in either direction.
    public var streams: [HTTP2Stream] { openStreams.map { $0.takeUnretainedValue() } }
    /// How many streams are open.
    public var openStreamCount: Int { openStreams.count }
    /// A header block has begun and not ended.
    public var isReceivingHeaders: Bool { headersOpen }
    /// There is nothing more to be read or written: close the socket once all bytes are out.
    public var isFinished: Bool {
        nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
    }
    /// Client: whether the peer takes new streams; false after GOAWAY or when the numbers are used up.
    public var canOpenStreams: Bool { nghttp2_session_check_request_allowed(session) != 0 }
    /// Client: how many streams the peer lets us have open at once; 100 until it has said.
    public var peerMaxConcurrentStreams: Int {
        let limit = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        return min(Int(limit), 1_000_000)
    }
    /// Client: whether the peer takes extended CONNECT (RFC 8441).
    public var peerAllowsExtendedConnect: Bool {
        nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
    }

    // MARK: Pump

    /// Takes bytes from the network. `now` feeds the limits on frames that do no work.
    /// - Throws: `HTTP2Failure` when the connection cannot go on. Errors of the protocol that the peer can be told of
    ///   do not throw: they put a GOAWAY into what `produce` gives, and then `isFinished` becomes true.
    public func receive(_ bytes: UnsafeRawBufferPointer, now: MonotonicTime) throws(HTTP2Failure) {
        refillBudget(now)
        let base = bytes.bindMemory(to: UInt8.self).baseAddress
        let taken = nghttp2_session_mem_recv(session, base, bytes.count)
        if let failure { throw failure }
        guard taken >= 0 else { throw HTTP2Failure(code: Int(taken)) }
    }

    /// Yields frames to be sent until there are none or `limit` bytes have been given. Each piece is valid within the
    /// closure only.
    /// - Returns: how many bytes were given.
    @discardableResult
    public func produce(upTo limit: Int = .max, _ send: (UnsafeRawBufferPointer) -> Void) throws(HTTP2Failure) -> Int {
        var total = 0
        while total < limit {
            var piece: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &piece)
            guard count >= 0 else { throw HTTP2Failure(code: Int(count)) }
            if count == 0 { break }
            send(UnsafeRawBufferPointer(start: piece, count: count))
            total += count
        }
        return total
    }

    /// The next thing that happened, in order.
    public func nextEvent() -> HTTP2Event? { nextRecordedEvent()?.told }

    /// The same without a reference of its own to the stream, for the server's request path: the stream lives as long
    /// as this connection.
    package func nextRecordedEvent() -> RecordedEvent? {
        guard eventIndex < events.count else {
            if eventIndex > 0 {
                events.removeAll(keepingCapacity: true)
                eventIndex = 0
            }
            return nil
        }
        let event = events[eventIndex]
        eventIndex += 1
        if case .data(let stream) = event { stream._withUnsafeGuaranteedRef { $0.dataEventPending = false } }
        return event
    }

    /// Takes back the object of a closed stream. It must not be used afterwards.
    public func recycle(_ stream: HTTP2Stream) {
        guard stream.isClosed, stream.id != 0 else { return }
        // Bytes nobody has read must not keep the connection's window shut.
        releaseUnread(stream)
        takeBack(stream)
    }

    /// The object is free for the next stream.
    func takeBack(_ stream: HTTP2Stream) {
        stream.recycle()
        pool.append(Unmanaged.passUnretained(stream))
    }

    /// Frees the objects of streams that are over, when none is open: what a burst needed is not kept through the quiet
    /// that follows.
    public func releaseMemory() {
        guard openStreams.isEmpty, events.isEmpty else { return }
        pool = []
        owned = []
    }

    func opened(_ stream: HTTP2Stream) {
        stream.openIndex = openStreams.count
        openStreams.append(Unmanaged.passUnretained(stream))
    }

    func newStream() -> HTTP2Stream {
        if let known = pool.popLast() { return known.takeUnretainedValue() }
        let made = HTTP2Stream()
        owned.append(made)
        return made
    }

    func removeOpen(_ stream: HTTP2Stream) {
        let index = stream.openIndex
        let this = Unmanaged.passUnretained(stream).toOpaque()
        guard index < openStreams.count, openStreams[index].toOpaque() == this else { return }
        let last = openStreams.removeLast()
        if last.toOpaque() != this {
            openStreams[index] = last
            last._withUnsafeGuaranteedRef { $0.openIndex = index }
        }
    }

    // MARK: Called by the callbacks

    func headersBegin(_ id: Int32, isRequest: Bool) -> Int32 {
        headersOpen = true
        guard role == .server, isRequest else { return 0 }
        let stream = newStream()
        stream.id = id
        opened(stream)
        nghttp2_session_set_stream_user_data(session, id, Unmanaged.passUnretained(stream).toOpaque())
        return 0
    }

    func field(
        _ stream: HTTP2Stream, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
    ) -> Int32 {
        stream.receiveField(role, name, value, limit: settings.maxHeaderListSize)
        // Beyond the limit nothing is kept; beyond a multiple of it the peer only wants to keep us busy.
        guard stream.headersTooLarge, stream.headerBytes > settings.maxHeaderListSize * 16 else { return 0 }
        return fail(.flooded, "a header list of more than \(stream.headerBytes) bytes")
    }

    func bodyBytes(_ stream: HTTP2Stream?, _ id: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
        guard let stream, !stream.discardsInbound else {
            nghttp2_session_consume(session, id, bytes.count)
            if let stream { stream.receivedBytes += bytes.count }
            return
        }
        stream.inbound.append(contentsOf: bytes)
        stream.receivedBytes += bytes.count
        recordData(stream)
    }

    func frameReceived(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
        let header = frame.pointee.hd
        switch header.type {
        case UInt8(NGHTTP2_HEADERS.rawValue):
            headersOpen = false
            guard let stream = stream(header.stream_id) else { return 0 }
            headReceived(stream, ended: header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0)
        case UInt8(NGHTTP2_DATA.rawValue):
            let ended = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
            if ended, let stream = stream(header.stream_id) {
                stream.inboundEnded = true
                recordData(stream)
            }
            if header.length == 0 && !ended { return spendIdleFrame() }
        case UInt8(NGHTTP2_SETTINGS.rawValue):
            if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 { events.append(.settings) }
            return spendIdleFrame()
        case UInt8(NGHTTP2_PING.rawValue):
            if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 {
                events.append(.pong(withUnsafeBytes(of: frame.pointee.ping.opaque_data) { $0.load(as: UInt64.self) }))
            }
            return spendIdleFrame()
        case UInt8(NGHTTP2_GOAWAY.rawValue):
            events.append(
                .goAway(
                    lastStreamID: frame.pointee.goaway.last_stream_id,
                    HTTP2ErrorCode(rawValue: frame.pointee.goaway.error_code)))
        case UInt8(NGHTTP2_WINDOW_UPDATE.rawValue), UInt8(NGHTTP2_RST_STREAM.rawValue):
            break
        default:
            return spendIdleFrame()
        }
        return 0
    }

    private func headReceived(_ stream: HTTP2Stream, ended: Bool) {
        if stream.isInformational && !ended {
            // A 1xx response: the final one follows with a head of its own.
            stream.status = 0
            stream.isInformational = false
            stream.headerBytes = 0
            stream.fields.recycle()
            return
        }
        stream.inboundEnded = ended
        if stream.headComplete {
            recordData(stream)
        } else {
            stream.headComplete = true
            if stream.cookies > 1 { stream.joinCookies() }
            events.append(.head(Unmanaged.passUnretained(stream)))
        }
    }

    func streamClosed(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        guard !stream.isClosed else { return }
        stream.isClosed = true
        removeOpen(stream)
        events.append(.closed(Unmanaged.passUnretained(stream), code))
    }

    func headersNotSent(_ id: Int32) {
        guard role == .client, let stream = streams.first(where: { $0.id == id && !$0.headComplete }) else {
            return
        }
        streamClosed(stream, .refusedStream)
    }

    func outboundShrank(_ stream: HTTP2Stream) {
        guard stream.unsentBytes <= settings.outboundLowWater else { return }
        stream.writerWaits = false
        events.append(.writable(Unmanaged.passUnretained(stream)))
    }

    func sentFirst(_ stream: HTTP2Stream) { events.append(.sentFirst(Unmanaged.passUnretained(stream))) }

    private func recordData(_ stream: HTTP2Stream) {
        // A head that is still unread tells about the body too.
        if stream.dataEventPending || !stream.headComplete { return }
        stream.dataEventPending = true
        events.append(.data(Unmanaged.passUnretained(stream)))
    }

    func stream(_ id: Int32) -> HTTP2Stream? {
        nghttp2_session_get_stream_user_data(session, id).map {
            Unmanaged<HTTP2Stream>.fromOpaque($0).takeUnretainedValue()
        }
    }

    // MARK: Limits

    private func refillBudget(_ now: MonotonicTime) {
        guard idleFrameBudget < settings.idleFrameBurst else {
            budgetTime = now
            return
        }
        let start = budgetTime ?? now
        let gained = (now.nanoseconds - start.nanoseconds) / (1_000_000_000 / Int64(max(1, settings.idleFrameRate)))
        guard gained > 0 else { return }
        idleFrameBudget = min(settings.idleFrameBurst, idleFrameBudget + Int(min(gained, 1_000_000)))
        budgetTime = now
    }

    private func spendIdleFrame() -> Int32 {
        idleFrameBudget -= 1
        return idleFrameBudget >= 0 ? 0 : fail(.flooded, "more frames without work than a well-meaning peer sends")
    }

    private func fail(_ reason: HTTP2Failure.Reason, _ text: String) -> Int32 {
        failure = HTTP2Failure(reason: reason, description: text)
        return Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
    }
}
