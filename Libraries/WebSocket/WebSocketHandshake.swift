public import Core
internal import Cryptography
public import HTTPMessage

/// Opens connections over HTTP/1.1 (RFC 6455 section 4) and over a stream of HTTP/2 (RFC 8441).
public enum WebSocketHandshake {
    /// From which pages browsers may connect. A page of another site would otherwise act with its visitor's cookies
    /// (RFC 6455 section 10.2). Clients that are no browsers send no `Origin` and are let in.
    public enum Origins: Sendable, Hashable {
        /// From any page: only where cookies are not what signs in.
        case any
        /// From pages of the authority that the request is for.
        case same
        /// From pages of these origins, such as `https://harbour.example.org`.
        case these(Set<String>)
    }

    /// What to answer.
    public struct Acceptance: Sendable {
        /// 101 with HTTP/1.1, 200 with HTTP/2.
        public var status: Int
        /// The fields to send.
        public var fields: HTTPFields
        /// The chosen one of our subprotocols, if the client offers any of them.
        public var subprotocol: String?
    }

    /// The only version there is (RFC 6455 section 4.1).
    public static let version = "13"

    /// Checks a request that wants a WebSocket.
    /// - Parameters:
    ///   - request: GET with `Upgrade: websocket`, or CONNECT with `:protocol` websocket when `isHTTP2`. That its
    ///     `Connection` field says `upgrade` is the connection's to know.
    ///   - isHTTP2: whether it came as an extended CONNECT.
    ///   - subprotocols: ours in the order of preference.
    ///   - origins: which pages may connect.
    /// - Returns: the answer that opens the connection.
    /// - Throws: `UPGRADE_REQUIRED` (answer with `sec-websocket-version: 13`), `MALFORMED_REQUEST`, or
    ///   `PERMISSION_DENIED` for a page of another origin.
    public static func accept(
        _ request: HTTPRequest, isHTTP2: Bool, subprotocols: [String] = [], origins: Origins = .same
    ) throws(HarbourError) -> Acceptance {
        guard request.method == (isHTTP2 ? .connect : .get) else {
            throw HarbourError(.malformedRequest, "A WebSocket is opened with GET.")
        }
        if !isHTTP2 {
            guard list(request.fields, "upgrade").contains(where: { $0.lowercased() == "websocket" }) else {
                throw HarbourError(.upgradeRequired, "This path speaks WebSocket. Connect with a WebSocket client.")
            }
        }
        guard request.fields.values("sec-websocket-version") == [version] else {
            throw HarbourError(.upgradeRequired, "Version \(version) of WebSocket is spoken here.")
        }
        try check(request, origins)
        var acceptance = Acceptance(status: isHTTP2 ? 200 : 101, fields: HTTPFields(), subprotocol: nil)
        if !isHTTP2 {
            let keys = request.fields.values("sec-websocket-key")
            guard keys.count == 1, Base64.decode(keys[0])?.count == 16 else {
                throw HarbourError(.malformedRequest, "The Sec-WebSocket-Key must be 16 bytes in base64.")
            }
            acceptance.fields.append("upgrade", "websocket")
            acceptance.fields.append("sec-websocket-accept", acceptValue(for: keys[0]))
        }
        let offered = list(request.fields, "sec-websocket-protocol")
        if let chosen = subprotocols.first(where: { offered.contains($0) }) {
            acceptance.subprotocol = chosen
            acceptance.fields.append("sec-websocket-protocol", chosen)
        }
        return acceptance
    }

    /// The value that proves that a server understood the key (RFC 6455 section 4.2.2).
    public static func acceptValue(for key: String) -> String {
        Base64.encode(Digest.sha1(Array("\(key)258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
    }

    // MARK: Clients

    /// A new key for one request: 16 random bytes in base64.
    public static func makeKey() -> String { Base64.encode(SystemRandom.bytes(16)) }

    /// The fields of a client's request over HTTP/1.1; `host` is the caller's to add.
    public static func requestFields(key: String, subprotocols: [String] = []) -> HTTPFields {
        var fields: HTTPFields = [
            "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": version,
            "sec-websocket-key": key,
        ]
        if !subprotocols.isEmpty {
            fields.append("sec-websocket-protocol", subprotocols.joined(separator: ", "))
        }
        return fields
    }

    /// Checks a server's answer over HTTP/1.1 (RFC 6455 section 4.1, second list).
    /// - Parameters:
    ///   - status: the answer's status.
    ///   - fields: the answer's fields.
    ///   - key: the key that was sent.
    ///   - subprotocols: what was offered.
    /// - Returns: the chosen subprotocol.
    /// - Throws: `BAD_UPSTREAM_RESPONSE`.
    public static func verify(
        status: Int, fields: HTTPFields, key: String, subprotocols: [String] = []
    ) throws(HarbourError) -> String? {
        let chosen = fields.values("sec-websocket-protocol")
        guard status == 101, list(fields, "upgrade").map({ $0.lowercased() }) == ["websocket"],
            list(fields, "connection").contains(where: { $0.lowercased() == "upgrade" }),
            fields.values("sec-websocket-accept") == [acceptValue(for: key)],
            !fields.contains("sec-websocket-extensions"), chosen.count <= 1, chosen.allSatisfy(subprotocols.contains)
        else {
            throw HarbourError(
                .badGateway, "The server did not open a WebSocket connection.", detail: "status \(status)")
        }
        return chosen.first
    }

    // MARK: Inside

    private static func check(_ request: HTTPRequest, _ origins: Origins) throws(HarbourError) {
        let values = request.fields.values("origin")
        if values.isEmpty || origins == .any { return }
        let isAllowed: Bool
        switch origins {
        case .any: isAllowed = true
        case .same: isAllowed = values.count == 1 && isSame(values[0], request.authority)
        case .these(let known): isAllowed = values.count == 1 && known.contains(values[0].lowercased())
        }
        guard isAllowed else {
            throw HarbourError(.permissionDenied, "Pages of this origin may not open a WebSocket here.")
        }
    }

    /// Compares host and port; the scheme is a proxy's to know, when one ends TLS before us.
    private static func isSame(_ origin: String, _ authority: String) -> Bool {
        guard let scheme = ["http://", "https://"].first(where: { origin.lowercased().hasPrefix($0) }) else {
            return false
        }
        let port = scheme == "http://" ? ":80" : ":443"
        func plain(_ text: String) -> String { text.hasSuffix(port) ? String(text.dropLast(port.count)) : text }
        return plain(origin.lowercased().dropFirst(scheme.count).description) == plain(authority.lowercased())
    }

    /// The items of a field that is a list (RFC 9110 section 5.6.1).
    private static func list(_ fields: HTTPFields, _ name: String) -> [String] {
        fields.values(name).flatMap { value in
            value.split { $0 == "," || $0 == " " || $0 == "\t" }.map(String.init)
        }
    }
}
