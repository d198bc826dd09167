public import Core
public import Cryptography

/// What two ends of an encrypted connection agreed on.
public struct SecureDetails: Sendable {
    /// The ALPN name, such as `h2`; nil when none was negotiated.
    public let applicationProtocol: String?
    /// Version and cipher, for logs.
    public let description: String
    /// The other side's certificate, when it showed one.
    public let peerCertificate: TLSPeerCertificate?
}

/// The TLS session of a stream.
public final class SecureLayer {
    var session: TLSSession
    var isEstablished = false

    /// A server's side.
    /// - Throws: `INTERNAL_ERROR` without memory.
    public init(server context: TLSContext) throws(HarbourError) { session = try TLSSession(server: context) }

    /// A client's side; `serverName` is what the certificate must be for.
    /// - Throws: `INVALID_PARAMETER_VALUE` for a name that cannot be one.
    public init(client context: TLSContext, serverName: String) throws(HarbourError) {
        session = try TLSSession(client: context, serverName: serverName)
    }

    var details: SecureDetails {
        SecureDetails(
            applicationProtocol: session.applicationProtocol, description: session.description,
            peerCertificate: session.peerCertificate)
    }
}
