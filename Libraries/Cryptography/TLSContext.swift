internal import COpenSSL
public import Core
internal import Synchronization

/// Certificates, keys and trust, read from their files once and shared by all sessions.
///
/// `reload()` reads the files again, for certificates that are renewed while the process runs: sessions that exist
/// keep what they began with, new ones get the new files, and when the new files are not good nothing changes.
public final class TLSContext: Sendable {
    private let configuration: Configuration
    private let current: Mutex<ContextHandle>

    private enum Configuration: Sendable {
        case server(TLSServerConfiguration)
        case client(TLSClientConfiguration)

        func load() throws(HarbourError) -> ContextHandle {
            switch self {
            case .server(let configuration): try ContextHandle(server: configuration)
            case .client(let configuration): try ContextHandle(client: configuration)
            }
        }
    }

    /// Reads a server's files.
    /// - Throws: `TLS_CONFIGURATION_INVALID` naming the file that is missing, unreadable or does not fit.
    public convenience init(server: TLSServerConfiguration) throws(HarbourError) { try self.init(.server(server)) }

    /// Reads a client's files.
    /// - Throws: `TLS_CONFIGURATION_INVALID` naming the file that is missing, unreadable or does not fit.
    public convenience init(client: TLSClientConfiguration) throws(HarbourError) { try self.init(.client(client)) }

    private init(_ configuration: Configuration) throws(HarbourError) {
        self.configuration = configuration
        current = Mutex(try configuration.load())
    }

    /// Reads the files again. On failure the old certificates stay in use.
    /// - Throws: `TLS_CONFIGURATION_INVALID`, as the initialisers.
    public func reload() throws(HarbourError) {
        let fresh = try configuration.load()
        current.withLock { $0 = fresh }
    }

    var handle: ContextHandle { current.withLock { $0 } }
}

/// Owns one `SSL_CTX`, which is not changed once it is made: that, and its own counting, make it safe on all threads.
final class ContextHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    let isServer: Bool
    /// Server: our names in ALPN wire form, read by the selection callback. Lives as long as the context.
    private let protocols: UnsafeMutableBufferPointer<UInt8>

    private init(isServer: Bool, protocols names: [String], _ version: TLSVersion) throws(HarbourError) {
        let wire = try ContextHandle.wireForm(names)
        OpenSSLQueue.clear()
        guard let pointer = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw OpenSSLQueue.error(.tlsConfigurationInvalid, "OpenSSL could not be set up.")
        }
        self.pointer = pointer
        self.isServer = isServer
        protocols = .allocate(capacity: wire.count)
        _ = protocols.initialize(from: wire)
        guard openssl_context_prepare(pointer, version == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) else {
            throw OpenSSLQueue.error(.tlsConfigurationInvalid, "OpenSSL does not offer the protocol version asked for.")
        }
    }

    deinit {
        SSL_CTX_free(pointer)
        protocols.deallocate()
    }

    convenience init(server: TLSServerConfiguration) throws(HarbourError) {
        try self.init(isServer: true, protocols: server.applicationProtocols, server.minimumVersion)
        try use(server.certificate)
        if !protocols.isEmpty {
            SSL_CTX_set_alpn_select_cb(pointer, selectProtocol, Unmanaged.passUnretained(self).toOpaque())
        }
        // Tickets of a session with a client certificate are only taken back in the context they were made for.
        let name = Array("dataharbour".utf8)
        SSL_CTX_set_session_id_context(pointer, name, UInt32(name.count))
        switch server.clientCertificates {
        case .none: break
        case .optional(let file): try ask(for: file, SSL_VERIFY_PEER)
        case .required(let file): try ask(for: file, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT)
        }
    }

    convenience init(client: TLSClientConfiguration) throws(HarbourError) {
        try self.init(isServer: false, protocols: client.applicationProtocols, client.minimumVersion)
        SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        switch client.trust {
        case .system:
            guard SSL_CTX_set_default_verify_paths(pointer) == 1 else {
                throw OpenSSLQueue.error(
                    .tlsConfigurationInvalid, "The system's certificate authorities cannot be read.")
            }
        case .authorityFile(let file): try trust(file)
        }
        if let certificate = client.certificate { try use(certificate) }
        // Here 0 is success, unlike everywhere else in OpenSSL.
        if !protocols.isEmpty {
            guard SSL_CTX_set_alpn_protos(pointer, protocols.baseAddress, UInt32(protocols.count)) == 0 else {
                throw OpenSSLQueue.error(.tlsConfigurationInvalid, "The application protocols cannot be offered.")
            }
        }
    }

    private func use(_ files: TLSCertificateFiles) throws(HarbourError) {
        guard SSL_CTX_use_certificate_chain_file(pointer, files.chainFile) == 1 else {
            throw unusable("certificate file", files.chainFile)
        }
        guard SSL_CTX_use_PrivateKey_file(pointer, files.privateKeyFile, SSL_FILETYPE_PEM) == 1 else {
            throw unusable("private key file", files.privateKeyFile)
        }
        guard SSL_CTX_check_private_key(pointer) == 1 else {
            throw OpenSSLQueue.error(
                .tlsConfigurationInvalid,
                "The private key \(files.privateKeyFile) does not belong to the certificate \(files.chainFile).")
        }
    }

    private func trust(_ file: String) throws(HarbourError) {
        guard SSL_CTX_load_verify_locations(pointer, file, nil) == 1 else { throw unusable("authority file", file) }
    }

    private func ask(for file: String, _ mode: Int32) throws(HarbourError) {
        try trust(file)
        guard openssl_context_set_client_authorities(pointer, file) else { throw unusable("authority file", file) }
        SSL_CTX_set_verify(pointer, mode, nil)
    }

    private func unusable(_ what: String, _ path: String) -> HarbourError {
        OpenSSLQueue.error(
            .tlsConfigurationInvalid,
            "The TLS \(what) \(path) cannot be used. Check that it exists, is readable and is unencrypted PEM.")
    }

    /// Names, each after one byte with its length (RFC 7301 section 3.1).
    private static func wireForm(_ names: [String]) throws(HarbourError) -> [UInt8] {
        var wire: [UInt8] = []
        for name in names {
            guard (1...255).contains(name.utf8.count) else {
                throw HarbourError(
                    .tlsConfigurationInvalid, "An application protocol's name must have 1 to 255 bytes: \"\(name)\".")
            }
            wire.append(UInt8(name.utf8.count))
            wire.append(contentsOf: name.utf8)
        }
        return wire
    }

    /// Our first name that the client offers too.
    fileprivate func select(
        from offered: UnsafeBufferPointer<UInt8>
    ) -> UnsafeMutableBufferPointer<UInt8>.SubSequence? {
        var ours = 0
        while ours < protocols.count {
            let name = protocols[(ours + 1)..<(ours + 1 + Int(protocols[ours]))]
            var theirs = 0
            while theirs < offered.count {
                let end = theirs + 1 + Int(offered[theirs])
                guard end <= offered.count else { return nil }
                if name.elementsEqual(offered[(theirs + 1)..<end]) { return name }
                theirs = end
            }
            ours += 1 + Int(protocols[ours])
        }
        return nil
    }
}

/// Called by OpenSSL on a server while it reads the client's first message.
private func selectProtocol(
    _ session: OpaquePointer?, _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ selectedCount: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ offeredCount: UInt32,
    _ argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let selected, let selectedCount, let argument else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    let handle = Unmanaged<ContextHandle>.fromOpaque(argument).takeUnretainedValue()
    guard let name = handle.select(from: UnsafeBufferPointer(start: offered, count: Int(offeredCount))) else {
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    let bytes = UnsafeMutableBufferPointer(rebasing: name)
    selected.pointee = bytes.baseAddress.map { UnsafePointer($0) }
    selectedCount.pointee = UInt8(bytes.count)
    return SSL_TLSEXT_ERR_OK
}
