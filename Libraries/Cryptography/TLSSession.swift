internal import COpenSSL
public import Core
internal import Glibc

/// One TLS connection without a socket: ciphertext in and out on one side, plaintext on the other.
///
/// The owner moves bytes: what it receives goes to `feed`, what `moveOutput` gives is sent, in this order and after
/// every call, failed ones included (a failure often has an alert to send). It is not for use by two threads at once.
///
/// What is fed is kept until it is read: the owner reads all it can before it feeds more, and stops feeding when it
/// does not want more plaintext. That is the back-pressure.
public struct TLSSession: ~Copyable, @unchecked Sendable {
    /// Where a connection is in its life; it only moves forward.
    public enum State: Sendable, Hashable {
        /// The two sides have not agreed yet. Next: any of the others.
        case handshaking
        /// Plaintext flows. A client learns only with its first read that the server refused its certificate
        /// (RFC 8446 section 4.6.2 lets it speak first). Next: closed or failed.
        case established
        /// The other side has said that it sends no more (close_notify); we still may. Next: failed.
        case peerClosed
        /// The connection is lost; nothing more comes in, and only an alert goes out.
        case failed
    }

    /// What a read gave.
    public enum ReadResult: Sendable, Hashable {
        /// So many bytes, at least one.
        case bytes(Int)
        /// Nothing until more ciphertext is fed.
        case wantsInput
        /// The other side has ended its direction properly.
        case end
    }

    /// Where the connection is.
    public private(set) var state = State.handshaking

    private let pointer: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let context: ContextHandle
    private let peerName: String?
    private var sentClose = false

    /// A server's side of a new connection.
    /// - Throws: `INTERNAL_ERROR` when OpenSSL has no memory.
    public init(server context: TLSContext) throws(HarbourError) {
        let parts = try TLSSessionParts(context.handle)
        precondition(parts.context.isServer, "a client's context cannot serve")
        SSL_set_accept_state(parts.pointer)
        self.init(parts, peerName: nil)
    }

    /// A client's side of a new connection; the first message is in the output at once.
    /// - Parameters:
    ///   - context: whom to trust.
    ///   - serverName: the host name or address that the server's certificate must be for.
    /// - Throws: `INVALID_PARAMETER_VALUE` for a name that cannot be one.
    public init(client context: TLSContext, serverName: String) throws(HarbourError) {
        let parts = try TLSSessionParts(context.handle)
        precondition(!parts.context.isServer, "a server's context cannot connect")
        try parts.connect(to: serverName)
        self.init(parts, peerName: serverName)
    }

    private init(_ parts: TLSSessionParts, peerName: String?) {
        pointer = parts.pointer
        input = parts.input
        output = parts.output
        context = parts.context
        self.peerName = peerName
    }

    deinit { SSL_free(pointer) }

    // MARK: Ciphertext

    /// Takes bytes from the other side and goes on with the handshake if that is not over.
    /// - Throws: `TLS_CERTIFICATE_REJECTED`, `TLS_HANDSHAKE_FAILED` or `TLS_CONNECTION_BROKEN`.
    public mutating func feed(_ ciphertext: UnsafeRawBufferPointer) throws(HarbourError) {
        guard state != .failed, !ciphertext.isEmpty else { return }
        var rest = ciphertext
        while !rest.isEmpty {
            let count = BIO_write(input, rest.baseAddress, Int32(clamping: rest.count))
            guard count > 0 else {
                state = .failed
                throw OpenSSLQueue.error(.internalError, "There is no memory for a TLS connection.")
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
        }
        if state == .handshaking { try shakeHands() }
    }

    /// Takes bytes from the other side; see the other overload.
    public mutating func feed(_ ciphertext: [UInt8]) throws(HarbourError) {
        let failure = ciphertext.withUnsafeBytes { bytes in
            do throws(HarbourError) { try feed(bytes) } catch { return Optional(error) }
            return nil
        }
        if let failure { throw failure }
    }

    /// Says that the transport has ended. Without the other side's close_notify before it, somebody may have cut the
    /// connection to make a message look complete.
    /// - Throws: `TLS_CONNECTION_BROKEN` when the end was not announced.
    public mutating func feedEnd() throws(HarbourError) {
        guard state == .handshaking || state == .established else { return }
        state = .failed
        throw HarbourError(.tlsBroken, "The connection\(toPeer) was cut off.")
    }

    /// How many bytes wait to be sent.
    public var outputCount: Int { openssl_bio_pending(output) }

    /// Appends the bytes to send.
    public mutating func moveOutput(into buffer: inout [UInt8]) {
        let count = outputCount
        if count > 0 { buffer.append(contentsOf: takeOutput(count)) }
    }

    /// Takes the bytes to send.
    public mutating func takeOutput() -> [UInt8] {
        let count = outputCount
        return count > 0 ? takeOutput(count) : []
    }

    private func takeOutput(_ pending: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: pending) { buffer, filled in
            filled = max(0, Int(BIO_read(output, buffer.baseAddress, Int32(clamping: pending))))
        }
    }

    // MARK: Plaintext

    /// Reads plaintext; call it until it wants input.
    /// - Throws: `TLS_CONNECTION_BROKEN` or `TLS_HANDSHAKE_FAILED` (the other side sent an alert).
    public mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(HarbourError) -> ReadResult {
        switch state {
        case .handshaking, .failed: return .wantsInput
        case .peerClosed: return .end
        case .established: break
        }
        guard !buffer.isEmpty else { return .wantsInput }
        OpenSSLQueue.clear()
        let count = SSL_read(pointer, buffer.baseAddress, Int32(clamping: buffer.count))
        if count > 0 { return .bytes(Int(count)) }
        switch SSL_get_error(pointer, count) {
        case SSL_ERROR_WANT_READ: return .wantsInput
        case SSL_ERROR_ZERO_RETURN:
            state = .peerClosed
            return .end
        default: throw fail()
        }
    }

    /// Reads all plaintext there is: empty when more ciphertext is wanted, and at the end.
    public mutating func read() throws(HarbourError) -> [UInt8] {
        var bytes: [UInt8] = []
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 16)
        defer { chunk.deallocate() }
        while case .bytes(let count) = try read(into: chunk) { bytes.append(contentsOf: chunk[..<count]) }
        return bytes
    }

    /// Encrypts all of the bytes into the output; the owner limits how much lies there.
    /// - Throws: `INVALID_STATE` before the handshake is over and after `close()`.
    public mutating func write(_ plaintext: UnsafeRawBufferPointer) throws(HarbourError) {
        guard !sentClose, state == .established || state == .peerClosed else {
            throw HarbourError(.invalidState, "Nothing can be sent on this TLS connection now.")
        }
        var rest = plaintext
        while !rest.isEmpty {
            OpenSSLQueue.clear()
            let count = SSL_write(pointer, rest.baseAddress, Int32(clamping: rest.count))
            guard count > 0 else { throw fail() }
            rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
        }
    }

    /// Encrypts all of the bytes into the output; see the other overload.
    public mutating func write(_ plaintext: [UInt8]) throws(HarbourError) {
        let failure = plaintext.withUnsafeBytes { bytes in
            do throws(HarbourError) { try write(bytes) } catch { return Optional(error) }
            return nil
        }
        if let failure { throw failure }
    }

    /// Puts a close_notify into the output: nothing is written afterwards, reading goes on.
    public mutating func close() {
        guard !sentClose, state == .established || state == .peerClosed else { return }
        sentClose = true
        OpenSSLQueue.clear()
        // 0 means that the other side has not closed yet, which is for `read` to find out.
        if SSL_shutdown(pointer) < 0 { state = .failed }
    }

    // MARK: What was agreed

    /// The application protocol, once established; nil when none was negotiated.
    public var applicationProtocol: String? {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(pointer, &bytes, &count)
        guard let bytes, count > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
    }

    /// The protocol version and cipher suite for the log, such as `TLSv1.3 TLS_AES_256_GCM_SHA384`.
    public var description: String {
        let version = String(cString: SSL_get_version(pointer))
        guard let cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(pointer)) else { return version }
        return "\(version) \(String(cString: cipher))"
    }

    /// The other side's verified certificate, once established; nil when it showed none.
    public var peerCertificate: TLSPeerCertificate? {
        guard state == .established || state == .peerClosed, let certificate = SSL_get0_peer_certificate(pointer)
        else { return nil }
        return TLSPeerCertificate(certificate)
    }

    /// The name the client asked for (SNI), on a server.
    public var requestedServerName: String? {
        SSL_get_servername(pointer, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }

    // MARK: Inside

    private mutating func shakeHands() throws(HarbourError) {
        OpenSSLQueue.clear()
        let status = SSL_do_handshake(pointer)
        if status == 1 {
            state = .established
            return
        }
        if SSL_get_error(pointer, status) != SSL_ERROR_WANT_READ { throw fail() }
    }

    private var toPeer: String { peerName.map { " to \($0)" } ?? "" }

    private mutating func fail() -> HarbourError {
        let wasHandshaking = state == .handshaking
        state = .failed
        let failures = OpenSSLQueue.take()
        let detail = OpenSSLQueue.describe(failures)
        let verification = SSL_get_verify_result(pointer)
        if verification != Int(X509_V_OK) {
            let reason = String(cString: X509_verify_cert_error_string(verification))
            let owner = peerName ?? "the client"
            return HarbourError(
                .tlsCertificateRejected, "The certificate of \(owner) is not accepted: \(reason).", detail: detail)
        }
        if failures.contains(where: { $0.isAlert }) {
            return HarbourError(
                .tlsHandshakeFailed,
                "The other side refused the TLS connection\(toPeer). Check certificates and protocols on both sides.",
                detail: detail)
        }
        if failures.contains(where: {
            $0.library == ERR_LIB_SSL && $0.reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
        }) {
            return HarbourError(
                .tlsCertificateRejected, "The client showed no certificate, and this service asks for one.",
                detail: detail)
        }
        if wasHandshaking {
            return HarbourError(
                .tlsHandshakeFailed,
                "No TLS connection\(toPeer) could be agreed on. Check that the other side speaks TLS 1.3.",
                detail: detail)
        }
        return HarbourError(
            .tlsBroken, "The TLS connection\(toPeer) broke: what arrived is not what was sent.", detail: detail)
    }
}
