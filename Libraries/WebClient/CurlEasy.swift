internal import CCurl
internal import Core
internal import Cryptography
internal import EventLoop
internal import Glibc
internal import HTTPMessage

/// libcurl's handle of one transfer, set up for it.
final class CurlEasy {
    let handle: UnsafeMutableRawPointer
    private var headerList: UnsafeMutablePointer<curl_slist>?
    /// What went wrong, in libcurl's words.
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    /// Sent in place, so it must not move: libcurl reads it as it sends.
    private var body: UnsafeMutableBufferPointer<UInt8>?
    private var problem = CURLE_OK
    private var recipients: UnsafeMutablePointer<curl_slist>?
    private var isMail = false
    /// The mail server's last answer, other than to our farewell.
    private(set) var mailReply = 0

    init(_ transfer: WebTransfer) throws(HarbourError) {
        guard let handle = curl_easy_init() else {
            errorText.deallocate()
            throw HarbourError(.unavailable, "There is no memory for a request.")
        }
        self.handle = handle
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        let configuration = transfer.multi.configuration
        set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
        note(
            ccurl_set_callbacks(
                handle, receiveHeader, receiveBody, supplyBody, Unmanaged.passUnretained(transfer).toOpaque()))
        setConnection(configuration, transfer.request)
        try setAddresses(configuration, transfer)
        setTrust(configuration)
        if let mail = transfer.request.mail {
            isMail = true
            try setMail(mail)
        } else {
            try setRequest(transfer.request, configuration)
        }
        guard problem == CURLE_OK else { throw error(problem, transfer.request.url) }
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headerList)
        curl_slist_free_all(recipients)
        errorText.deallocate()
        body?.deallocate()
    }

    var status: Int { ccurl_status(handle) }

    /// Lets go on what is not paused; libcurl may call back before this returns.
    func pause(receiving: Bool, sending: Bool) -> CURLcode {
        curl_easy_pause(handle, (receiving ? CURLPAUSE_RECV : 0) | (sending ? CURLPAUSE_SEND : 0))
    }

    // MARK: Options

    private func note(_ result: CURLcode) { if problem == CURLE_OK { problem = result } }
    func set(_ option: CURLoption, _ value: Int) { note(ccurl_set_long(handle, option, value)) }
    func set(_ option: CURLoption, _ value: String) { note(ccurl_set_text(handle, option, value)) }
    private func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer?) {
        note(ccurl_set_pointer(handle, option, value))
    }

    private func setConnection(_ configuration: WebClientConfiguration, _ request: WebRequest) {
        // Signals would be the whole process's.
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(clamping: configuration.connectTimeout.milliseconds))
        // A stream may be silent for long; without probes a way that was cut would look the same for ever.
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_TCP_KEEPIDLE, 15)
        set(CURLOPT_TCP_KEEPINTVL, 5)
        set(CURLOPT_URL, request.url)
        // libcurl would otherwise understand %-escapes and dots in the path in its own way.
        set(CURLOPT_PATH_AS_IS, 1)
        if request.redirects > 0 {
            set(CURLOPT_FOLLOWLOCATION, 1)
            set(CURLOPT_MAXREDIRS, request.redirects)
        }
        if let path = request.unixSocket {
            set(CURLOPT_UNIX_SOCKET_PATH, path)
            set(CURLOPT_PROXY, "")
            return
        }
        switch configuration.proxy {
        case .environment: break
        case .none: set(CURLOPT_PROXY, "")
        case .url(let url): set(CURLOPT_PROXY, url)
        }
    }

    private func setAddresses(
        _ configuration: WebClientConfiguration, _ transfer: WebTransfer
    ) throws(HarbourError) {
        guard configuration.addresses.refusesSome else { return }
        let host = HostAndPort(hostName(of: transfer.request.url)).host
        guard configuration.addresses.allows(host: host) else { throw AddressPolicy.refusal(host) }
        // An address of an allowed inside network is not asked of a proxy that is outside.
        // An address in escapes would be one to the proxy only.
        guard !host.contains("%") || host.contains(":") else { throw AddressPolicy.refusal(host) }
        let isInside = IPAddress(host).map { !AddressPolicy.outside().allows($0) } ?? false
        if !isInside, configuration.proxy.isUsed(for: transfer.request.url) {
            // Exceptions from the proxy would be connections that nobody has looked at.
            set(CURLOPT_NOPROXY, "")
            return
        }
        set(CURLOPT_PROXY, "")
        note(ccurl_set_open_socket(handle, openSocket, Unmanaged.passUnretained(transfer).toOpaque()))
    }

    private func setTrust(_ configuration: WebClientConfiguration) {
        if case .authorityFile(let file) = configuration.trust {
            set(CURLOPT_CAINFO, file)
            // Debian's libcurl has a default directory beside the file; these authorities and no others.
            note(ccurl_set_text(handle, CURLOPT_CAPATH, nil))
        }
        if let certificate = configuration.certificate {
            set(CURLOPT_SSLCERT, certificate.chainFile)
            set(CURLOPT_SSLKEY, certificate.privateKeyFile)
        }
    }

    private func setRequest(_ request: WebRequest, _ configuration: WebClientConfiguration) throws(HarbourError) {
        guard !request.url.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7f }) else {
            throw HarbourError(.invalidParameter, "The URL has characters that must be percent-encoded.")
        }
        let scheme = request.url.prefix(8).lowercased()
        guard scheme.hasPrefix("http://") || scheme == "https://" else { throw CurlEasy.notAURL(nil) }
        switch request.body {
        case .empty: setMethod(request.method, hasBody: false)
        case .bytes(let bytes):
            setMethod(request.method, hasBody: !bytes.isEmpty)
            if !bytes.isEmpty { setBody(bytes) }
        case .stream: setUpload(request.method, nil)
        case .file(let file): setUpload(request.method, file.length)
        }
        var fields = request.fields
        if !fields.contains("user-agent") { fields.append("user-agent", configuration.userAgent) }
        if let signature = request.signature { try signature.sign(request, &fields, at: .now) }
        addHeaders(fields)
    }

    private func setMethod(_ method: HTTPMethod, hasBody: Bool) {
        switch method {
        case .get where !hasBody: set(CURLOPT_HTTPGET, 1)
        case .head: set(CURLOPT_NOBODY, 1)
        case .post, .put, .patch:
            // These say that they have no body, too, by a length of 0.
            if !hasBody { setBody([]) }
            if method != .post { set(CURLOPT_CUSTOMREQUEST, method.name) }
        default: set(CURLOPT_CUSTOMREQUEST, method.name)
        }
    }

    private func setBody(_ bytes: [UInt8]) {
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, bytes.count))
        _ = copy.initialize(from: bytes)
        body?.deallocate()
        body = copy
        set(CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(copy.baseAddress))
        note(ccurl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)))
    }

    private func setUpload(_ method: HTTPMethod, _ length: Int?) {
        set(CURLOPT_UPLOAD, 1)
        set(CURLOPT_CUSTOMREQUEST, method.name)
        note(ccurl_set_size(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(length ?? -1)))
    }

    private func addHeaders(_ fields: HTTPFields) {
        // Without these, libcurl adds a type and waits for a go-ahead that many servers never give.
        if !fields.contains("content-type") { addHeader("content-type:") }
        addHeader("expect:")
        for (name, value) in fields where name != "content-length" && name != "transfer-encoding" {
            addHeader(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        set(CURLOPT_HTTPHEADER, UnsafeMutableRawPointer(headerList))
    }

    func setRecipient(_ address: String) {
        recipients = curl_slist_append(recipients, address)
        set(CURLOPT_MAIL_RCPT, UnsafeMutableRawPointer(recipients))
    }

    private func addHeader(_ line: String) {
        guard let longer = curl_slist_append(headerList, line) else {
            note(CURLE_OUT_OF_MEMORY)
            return
        }
        headerList = longer
    }

    /// Takes a line of a mail server's answer: `550 no such user`, `550-no such`.
    func noteMailReply(_ line: Slice<UnsafeBufferPointer<UInt8>>) {
        guard let code = Int(String(decoding: line.prefix(3), as: UTF8.self)), code != 221 else { return }
        mailReply = code
    }

    // MARK: Failures

    private static func notAURL(_ detail: String?) -> HarbourError {
        HarbourError(
            .invalidParameter, "The URL must be a valid one that begins with http:// or https://.", detail: detail)
    }

    /// What a result of libcurl's means for the user; its own words are for the log.
    func error(_ result: CURLcode, _ url: String) -> HarbourError {
        let words = errorText[0] == 0 ? String(cString: curl_easy_strerror(result)) : String(cString: errorText)
        let detail = "libcurl \(result.rawValue): \(words)"
        let host = hostName(of: url)
        if isMail, let failure = mailError(result, host, detail) { return failure }
        switch result {
        case CURLE_URL_MALFORMAT: return CurlEasy.notAURL(detail)
        case CURLE_COULDNT_RESOLVE_HOST:
            return HarbourError(.unavailable, "The host \(host) is not known. Check its name.", detail: detail)
        case CURLE_COULDNT_RESOLVE_PROXY:
            return HarbourError(.unavailable, "The proxy's host is not known. Check its name.", detail: detail)
        case CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT:
            return HarbourError(.unavailable, "The host \(host) cannot be reached.", detail: detail)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR:
            return HarbourError(
                .tlsCertificateRejected, "The certificate of \(host) is not accepted.", detail: detail)
        case CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CRL_BADFILE:
            return HarbourError(.tlsConfigurationInvalid, "A TLS certificate file cannot be used.", detail: detail)
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CIPHER, CURLE_USE_SSL_FAILED:
            return HarbourError(
                .tlsHandshakeFailed, "No TLS connection to \(host) could be agreed on.", detail: detail)
        case CURLE_TOO_MANY_REDIRECTS:
            return HarbourError(.badGateway, "The host \(host) redirects too often.", detail: detail)
        // An unsupported protocol: ours is http, so it is an answer without a head, or a redirect to elsewhere.
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_HTTP2, CURLE_BAD_CONTENT_ENCODING:
            return HarbourError(.badGateway, "The answer of \(host) is not valid HTTP.", detail: detail)
        case CURLE_OUT_OF_MEMORY:
            return HarbourError(.unavailable, "There is no memory for a request.", detail: detail)
        default:
            return HarbourError(.unavailable, "The connection to \(host) broke off.", detail: detail)
        }
    }
}

/// The host and port in a URL; its path and user may hold secrets.
func hostName(of url: String) -> String {
    guard let scheme = url.firstRange(of: "://") else { return "the URL" }
    let authority = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    return String(authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority)
}

/// The two parts of `example.org:8080` and `[::1]:8080`.
struct HostAndPort {
    let host: String

    init(_ authority: String) {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = String(authority[authority.index(after: authority.startIndex)..<end])
        } else {
            host = String(authority.prefix { $0 != ":" })
        }
    }
}

extension WebClientConfiguration.Proxy {
    /// Whether a request goes through a proxy, but for the exceptions that the environment may name.
    ///
    /// - Parameter variable: looks a variable of the environment up.
    func isUsed(
        for url: String, variable: (String) -> String? = { name in getenv(name).map { String(cString: $0) } }
    ) -> Bool {
        switch self {
        case .none: false
        case .url: true
        case .environment:
            // As libcurl has it: HTTP_PROXY in capitals could come from a header of a CGI's caller.
            ((url.lowercased().hasPrefix("https:") ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"])
                + ["all_proxy", "ALL_PROXY"]).contains { (name: String) in variable(name)?.isEmpty == false }
        }
    }
}

private func transfer(_ argument: UnsafeMutableRawPointer?) -> WebTransfer? {
    argument.map { Unmanaged<WebTransfer>.fromOpaque($0).takeUnretainedValue() }
}

private func receiveHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ argument: UnsafeMutableRawPointer?
) -> Int {
    let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return transfer(argument)?.receiveHeader(line.assumingMemoryBound(to: UInt8.self)) == true ? size * count : 0
}

private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ argument: UnsafeMutableRawPointer?
) -> Int {
    let body = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return transfer(argument)?.receiveBody(body.assumingMemoryBound(to: UInt8.self)) ?? 0
}

private func openSocket(
    _ argument: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let transfer = transfer(argument), let address, let name = ccurl_address(address) else { return -1 }
    guard let target = IPAddress(name), transfer.mayConnect(to: target) else { return -1 }
    let wanted = address.pointee
    return socket(wanted.family, wanted.socktype | Int32(SOCK_CLOEXEC.rawValue), wanted.protocol)
}

private func supplyBody(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ argument: UnsafeMutableRawPointer?
) -> Int {
    transfer(argument)?.supply(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
        ?? Int(CURL_READFUNC_ABORT)
}
