internal import COpenSSL
internal import Core

/// What a session is made of, made before it: an owner that cannot be copied must not fail half-made.
struct TLSSessionParts {
    let pointer: OpaquePointer
    let input: OpaquePointer
    let output: OpaquePointer
    let context: ContextHandle

    init(_ context: ContextHandle) throws(HarbourError) {
        OpenSSLQueue.clear()
        guard let pointer = SSL_new(context.pointer) else {
            throw OpenSSLQueue.error(.internalError, "A TLS session could not be made.")
        }
        var input: OpaquePointer?
        var output: OpaquePointer?
        guard openssl_session_attach(pointer, &input, &output), let input, let output else {
            SSL_free(pointer)
            throw OpenSSLQueue.error(.internalError, "A TLS session could not be made.")
        }
        self.pointer = pointer
        self.input = input
        self.output = output
        self.context = context
    }

    /// Begins a client's handshake. On failure everything is given back.
    func connect(to name: String) throws(HarbourError) {
        SSL_set_connect_state(pointer)
        do throws(HarbourError) {
            try expect(name)
            let status = SSL_do_handshake(pointer)
            guard status == 1 || SSL_get_error(pointer, status) == SSL_ERROR_WANT_READ else {
                throw OpenSSLQueue.error(.internalError, "A TLS handshake could not be begun.")
            }
        } catch {
            SSL_free(pointer)
            throw error
        }
    }

    /// Sets the name to send and the name to check: RFC 6125 without partial wildcards, or the exact address.
    private func expect(_ name: String) throws(HarbourError) {
        guard !name.isEmpty, name.utf8.count <= 253, !name.utf8.contains(0) else {
            throw HarbourError(.invalidParameter, "The server's name must have 1 to 253 characters.")
        }
        let parameters = SSL_get0_param(pointer)
        X509_VERIFY_PARAM_set_hostflags(
            parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return }
        OpenSSLQueue.clear()
        guard SSL_set1_host(pointer, name) == 1, openssl_session_set_name(pointer, name) else {
            throw OpenSSLQueue.error(.invalidParameter, "\"\(name)\" cannot be a server's name.")
        }
    }
}
