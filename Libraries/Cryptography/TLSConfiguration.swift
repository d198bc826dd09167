/// The oldest protocol version that is spoken.
public enum TLSVersion: Sendable, Hashable {
    /// RFC 5246, with forward secrecy and authenticated encryption only.
    case tls12
    /// RFC 8446.
    case tls13
}

/// A certificate with its chain, and the private key to it; files in PEM.
public struct TLSCertificateFiles: Sendable, Hashable {
    /// The path of the certificate, followed by the intermediate ones.
    public var chainFile: String
    /// The path of the private key, which must not be encrypted.
    public var privateKeyFile: String

    /// Names the two files.
    public init(chainFile: String, privateKeyFile: String) {
        self.chainFile = chainFile
        self.privateKeyFile = privateKeyFile
    }
}

/// What a server shows, and what it asks of its clients.
public struct TLSServerConfiguration: Sendable, Hashable {
    /// Whether clients must show a certificate (mutual TLS).
    public enum ClientCertificates: Sendable, Hashable {
        /// They are not asked.
        case none
        /// They may show one; one that these authorities (PEM) did not sign is refused.
        case optional(authorityFile: String)
        /// They must show one that these authorities (PEM) signed.
        case required(authorityFile: String)
    }

    /// The server's certificate and key.
    public var certificate: TLSCertificateFiles
    /// ALPN names in the server's order of preference (RFC 7301). A client that offers others only is refused; one
    /// that offers none is not. Empty: the extension is not answered.
    public var applicationProtocols: [String]
    /// Mutual TLS.
    public var clientCertificates: ClientCertificates
    /// The oldest version that is spoken.
    public var minimumVersion: TLSVersion

    /// Makes a configuration; `h2` before `http/1.1`, TLS 1.3 only and no client certificates unless told.
    public init(
        certificate: TLSCertificateFiles, applicationProtocols: [String] = ["h2", "http/1.1"],
        clientCertificates: ClientCertificates = .none, minimumVersion: TLSVersion = .tls13
    ) {
        self.certificate = certificate
        self.applicationProtocols = applicationProtocols
        self.clientCertificates = clientCertificates
        self.minimumVersion = minimumVersion
    }
}

/// Whom a client trusts, and what it shows.
public struct TLSClientConfiguration: Sendable, Hashable {
    /// The authorities a client trusts.
    public enum Trust: Sendable, Hashable {
        /// Those of the operating system.
        case system
        /// Those in this file (PEM) and no others.
        case authorityFile(String)
    }

    /// The authorities a server's certificate must come from.
    public var trust: Trust
    /// Shown when the server asks (mutual TLS).
    public var certificate: TLSCertificateFiles?
    /// ALPN names in the order of preference. Empty: the extension is not sent.
    public var applicationProtocols: [String]
    /// The oldest version that is spoken.
    public var minimumVersion: TLSVersion

    /// Makes a configuration; the system's authorities, `h2`, TLS 1.3 only and no certificate unless told.
    public init(
        trust: Trust = .system, certificate: TLSCertificateFiles? = nil, applicationProtocols: [String] = ["h2"],
        minimumVersion: TLSVersion = .tls13
    ) {
        self.trust = trust
        self.certificate = certificate
        self.applicationProtocols = applicationProtocols
        self.minimumVersion = minimumVersion
    }
}
