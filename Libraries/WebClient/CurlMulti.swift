internal import CCurl
internal import Core
internal import EventLoop

/// libcurl's multi handle on an event loop: libcurl says which sockets and which timer it waits for, the loop waits.
///
/// `@unchecked Sendable`: everything but `loop` and `configuration` is touched on the loop only.
final class CurlMulti: @unchecked Sendable {
    let loop: EventLoop
    let configuration: WebClientConfiguration
    private let handle: UnsafeMutableRawPointer
    private var sockets: [Int32: CurlSocket] = [:]
    private var timer: LoopTimer?
    private var transfers: [UnsafeMutableRawPointer: WebTransfer] = [:]
    private var isShutDown = false

    private static let globalResult = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    init(loop: EventLoop, configuration: WebClientConfiguration) throws(HarbourError) {
        guard CurlMulti.globalResult == CURLE_OK, let handle = curl_multi_init() else {
            throw HarbourError(.unavailable, "The web client could not be set up.")
        }
        self.loop = loop
        self.configuration = configuration
        self.handle = handle
        ccurl_multi_set_long(handle, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.connectionsPerHost)
        ccurl_multi_set_long(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, configuration.connections)
        ccurl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, configuration.connections)
        ccurl_multi_set_callbacks(handle, watchSocket, setCurlTimer, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Ends all transfers: at once when on the loop, where nobody is inside one of libcurl's callbacks while the
    /// program's own code runs.
    func shutDown() { loop.onLoop { self.finishAll() } }

    /// Not in `deinit`, because closing its connections libcurl calls back to this object.
    private func finishAll() {
        for transfer in transfers.values { transfer.cancel() }
        isShutDown = true
        timer?.cancel()
        curl_multi_cleanup(handle)
        for socket in sockets.values { loop.deregister(socket.descriptor) }
        sockets = [:]
    }

    // MARK: Transfers

    func add(_ easy: UnsafeMutableRawPointer, _ transfer: WebTransfer) -> Bool {
        guard !isShutDown, curl_multi_add_handle(handle, easy) == CURLM_OK else { return false }
        transfers[easy] = transfer
        return true
    }

    func remove(_ easy: UnsafeMutableRawPointer) {
        guard transfers.removeValue(forKey: easy) != nil else { return }
        curl_multi_remove_handle(handle, easy)
    }

    private func act(_ socket: Int32, _ events: Int32) {
        guard !isShutDown else { return }
        var running: Int32 = 0
        curl_multi_socket_action(handle, socket, events, &running)
        var easy: UnsafeMutableRawPointer?
        var result = CURLE_OK
        while ccurl_next_finished(handle, &easy, &result) {
            guard let finished = easy, let transfer = transfers[finished] else { continue }
            transfer.finish(result)
        }
    }

    // MARK: What libcurl asks for

    fileprivate func watch(_ descriptor: Int32, _ what: Int32) -> Bool {
        if what == CURL_POLL_REMOVE {
            if sockets.removeValue(forKey: descriptor) != nil { loop.deregister(descriptor) }
            return true
        }
        var interest: ReadyEvents = []
        if what & CURL_POLL_IN != 0 { interest.insert(.readable) }
        if what & CURL_POLL_OUT != 0 { interest.insert(.writable) }
        if sockets[descriptor] != nil {
            loop.modify(descriptor, interest)
            return true
        }
        let socket = CurlSocket(descriptor: descriptor, multi: self)
        do throws(HarbourError) {
            try loop.register(descriptor, interest, socket)
        } catch {
            // libcurl then fails its transfers, which tell their owners.
            return false
        }
        sockets[descriptor] = socket
        return true
    }

    fileprivate func setTimer(_ milliseconds: Int) {
        timer?.cancel()
        timer = nil
        guard milliseconds >= 0, !isShutDown else { return }
        timer = loop.schedule(after: .milliseconds(milliseconds)) { [weak self] in
            self?.timer = nil
            self?.act(CURL_SOCKET_TIMEOUT, 0)
        }
    }

    fileprivate func ready(_ descriptor: Int32, _ events: ReadyEvents) {
        var mask: Int32 = 0
        if !events.isDisjoint(with: [.readable, .hungUp, .peerClosed]) { mask |= CURL_CSELECT_IN }
        if !events.isDisjoint(with: [.writable, .hungUp]) { mask |= CURL_CSELECT_OUT }
        if events.contains(.failed) { mask |= CURL_CSELECT_ERR }
        act(descriptor, mask)
    }
}

/// One socket of libcurl's.
private final class CurlSocket: DescriptorHandler {
    let descriptor: Int32
    private weak var multi: CurlMulti?

    init(descriptor: Int32, multi: CurlMulti) {
        self.descriptor = descriptor
        self.multi = multi
    }

    func descriptorReady(_ events: ReadyEvents) { multi?.ready(descriptor, events) }
}

private func watchSocket(
    _ easy: UnsafeMutableRawPointer?, _ socket: Int32, _ what: Int32, _ argument: UnsafeMutableRawPointer?,
    _ socketArgument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let argument else { return -1 }
    return Unmanaged<CurlMulti>.fromOpaque(argument).takeUnretainedValue().watch(socket, what) ? 0 : -1
}

private func setCurlTimer(
    _ multi: UnsafeMutableRawPointer?, _ milliseconds: Int, _ argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let argument else { return -1 }
    Unmanaged<CurlMulti>.fromOpaque(argument).takeUnretainedValue().setTimer(milliseconds)
    return 0
}
