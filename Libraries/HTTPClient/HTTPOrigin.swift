public import Core

/// Where requests go: a host and port, plain or encrypted, or a socket in the file system.
public enum HTTPOrigin: Sendable, Hashable {
    /// HTTP/2 by prior knowledge over TCP.
    case http(host: String, port: Int)
    /// HTTP/2 over TLS.
    case https(host: String, port: Int)
    /// HTTP/2 by prior knowledge over a unix socket.
    case unix(path: String)

    /// Reads `http://host:port`, `https://host` or `unix:/path`; a path after the port is not part of an origin.
    /// - Throws: `INVALID_PARAMETER_VALUE`.
    public init(_ text: String) throws(HarbourError) {
        if text.hasPrefix("unix:") {
            self = .unix(path: String(text.dropFirst(5)))
            return
        }
        let (origin, path) = try HTTPOrigin.split(url: text)
        guard path.isEmpty || path == "/" else { throw HTTPOrigin.invalid(text) }
        self = origin
    }

    /// Splits `http://host:port/path?query` into origin and target; the target is empty when there is none.
    /// - Throws: `INVALID_PARAMETER_VALUE`.
    public static func split(url: String) throws(HarbourError) -> (HTTPOrigin, String) {
        let isSecure = url.hasPrefix("https://")
        guard isSecure || url.hasPrefix("http://") else { throw invalid(url) }
        let rest = url.dropFirst(isSecure ? 8 : 7)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        let target = String(rest[end...])
        guard !authority.isEmpty, !authority.contains("@"), !target.contains("#") else { throw invalid(url) }
        var host = authority
        var port = isSecure ? 443 : 80
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(number) else {
                throw invalid(url)
            }
            host = authority[..<colon]
            port = number
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { throw invalid(url) }
        let origin: HTTPOrigin =
            isSecure ? .https(host: String(host), port: port) : .http(host: String(host), port: port)
        return (origin, target.hasPrefix("?") ? "/" + target : target)
    }

    private static func invalid(_ text: String) -> HarbourError {
        HarbourError(
            .invalidParameter,
            "“\(text)” is not an address. Write http://host:port, https://host:port or unix:/path/to/socket.")
    }

    var scheme: String {
        if case .https = self { return "https" }
        return "http"
    }

    /// What goes into `:authority`.
    var authority: String {
        switch self {
        case .http(let host, let port): port == 80 ? host : "\(host):\(port)"
        case .https(let host, let port): port == 443 ? host : "\(host):\(port)"
        case .unix: "localhost"
        }
    }
}

extension HTTPOrigin: CustomStringConvertible {
    /// As it is written in configurations.
    public var description: String {
        switch self {
        case .http(let host, let port): "http://\(host):\(port)"
        case .https(let host, let port): "https://\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
