internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HTTPMessage
internal import Synchronization
internal import WebClient

/// An answer of the engine to one request.
struct EngineAnswer: Sendable {
    var status: Int
    var body: JSONValue

    /// What the engine says went wrong, cut to a length that can be shown.
    var complaint: String {
        let text = (body["message"]?.string ?? "status \(status)").split(separator: "\n").first.map(String.init) ?? ""
        var short = String(text.prefix(400))
        while short.last == "." || short.last == " " { short.removeLast() }
        return short
    }
}

/// Speaks the Docker Engine API (HTTP/1.1 with JSON), of the newest version that both sides know.
///
/// May be used from any thread.
final class EngineClient: Sendable {
    /// The oldest version that has all we need (20.10), and the newest that we know.
    static let versions = (oldest: EngineVersion(1, 41), newest: EngineVersion(1, 45))

    let endpoint: EngineEndpoint
    private let web: WebClient
    private let version = Mutex<EngineVersion?>(nil)

    init(_ endpoint: EngineEndpoint, loop: EventLoop) throws(HarbourError) {
        self.endpoint = endpoint
        web = try WebClient(loop: loop, configuration: endpoint.configuration())
    }

    /// The engine may be another one by now.
    func forgetVersion() { version.withLock { $0 = nil } }

    // MARK: Requests

    /// Sends one request and reads its whole answer, whatever its status.
    /// - Throws: `BACKEND_UNAVAILABLE` when the engine cannot be reached or makes no sense, `CANCELLED`.
    func send(
        _ method: HTTPMethod, _ path: String, _ query: [(String, String)] = [], json: JSONValue? = nil,
        bytes: [UInt8]? = nil, within limit: Duration = .seconds(60)
    ) async throws(HarbourError) -> EngineAnswer {
        let response = try await open(method, path, query, json: json, bytes: bytes, within: limit)
        return EngineAnswer(status: response.status, body: try await body(response))
    }

    /// Reads an answer that shall be JSON; an empty one is null.
    func body(_ response: WebResponse) async throws(HarbourError) -> JSONValue {
        do throws(HarbourError) {
            let bytes = try await response.collect(limit: 32 << 20)
            if bytes.allSatisfy({ $0 == 0x0a || $0 == 0x0d || $0 == 0x20 }) { return .null }
            guard response.fields["content-type"]?.hasPrefix("application/json") == true else {
                return .object(["message": .string(String(decoding: bytes.prefix(400), as: UTF8.self))])
            }
            return try JSONValue(json: bytes, subject: "answer of the container engine", code: .badGateway)
        } catch {
            throw unreachable(error)
        }
    }

    /// Sends one request and returns when the head of its answer is here.
    func open(
        _ method: HTTPMethod, _ path: String, _ query: [(String, String)] = [], json: JSONValue? = nil,
        bytes: [UInt8]? = nil, within limit: Duration? = nil
    ) async throws(HarbourError) -> WebResponse {
        let version = try await agreedVersion()
        return try await transfer(method, "/v\(version)\(path)", query, json: json, bytes: bytes, within: limit)
    }

    private func transfer(
        _ method: HTTPMethod, _ path: String, _ query: [(String, String)], json: JSONValue? = nil,
        bytes: [UInt8]? = nil, within limit: Duration?
    ) async throws(HarbourError) -> WebResponse {
        var url = "\(endpoint.base)\(path)"
        if !query.isEmpty {
            url += "?" + query.map { "\($0)=\(EngineClient.encode($1))" }.joined(separator: "&")
        }
        var request = WebRequest(method: method, url: url)
        request.unixSocket = endpoint.socket
        request.responseLimit = Int.max
        if let json {
            request.fields.append("content-type", "application/json")
            request.body = .bytes(json.encodedJSON())
        } else if let bytes {
            request.fields.append("content-type", "application/x-tar")
            request.body = .bytes(bytes)
        }
        do throws(HarbourError) {
            return try await web.send(request, deadline: limit.map { MonotonicTime.now + $0 })
        } catch {
            throw unreachable(error)
        }
    }

    /// Everything but letters, digits and a few harmless marks as %XX (RFC 3986 section 2.3).
    static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            let character = Character(UnicodeScalar(byte))
            if byte < 0x80 && (character.isLetter || character.isNumber || "-._~".contains(character)) {
                encoded.append(character)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return encoded
    }

    /// What it means that a request got no answer.
    private func unreachable(_ error: HarbourError) -> HarbourError {
        switch error.code {
        case .cancelled, .backendUnavailable: return error
        case .deadlineExceeded:
            return HarbourError(
                .backendUnavailable,
                "The container engine at \(endpoint.text) does not answer in time. Look whether it is overloaded.",
                cause: error)
        default:
            let advice =
                endpoint.socket == nil
                ? "Check its address, its certificates and the network."
                : "Start it, and let this user use its socket, or set HARBOUR_BACKEND_DOCKER_HOST."
            return HarbourError(
                .backendUnavailable, "The container engine at \(endpoint.text) cannot be reached. \(advice)",
                cause: error)
        }
    }

    // MARK: Version

    /// The version that is spoken from now on.
    func agreedVersion() async throws(HarbourError) -> EngineVersion {
        if let version = version.withLock({ $0 }) { return version }
        let answer = try await about()
        let newest = answer["ApiVersion"]?.string.flatMap { EngineVersion($0) }
        guard let newest else {
            throw HarbourError(
                .backendUnavailable,
                "What answers at \(endpoint.text) is no container engine. Set HARBOUR_BACKEND_DOCKER_HOST.")
        }
        let (ours, latest) = EngineClient.versions
        let oldest = answer["MinAPIVersion"]?.string.flatMap { EngineVersion($0) } ?? ours
        guard newest >= ours else {
            throw HarbourError(
                .backendUnavailable,
                "The container engine at \(endpoint.text) is too old: it speaks API \(newest), and \(ours) is needed. "
                    + "Install Docker 20.10 or newer.")
        }
        // An engine that has given up all we know is spoken to in its own oldest.
        let agreed = max(min(newest, latest), oldest)
        version.withLock { $0 = agreed }
        return agreed
    }

    /// What the engine says about itself, without a version being agreed on.
    func about() async throws(HarbourError) -> JSONValue {
        try await body(try await transfer(.get, "/version", [], within: .seconds(10)))
    }
}

/// A version of the API.
struct EngineVersion: Sendable, Comparable, CustomStringConvertible {
    var major: Int
    var minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".").map { Int($0) }
        guard parts.count == 2, let major = parts[0], let minor = parts[1], major >= 0, minor >= 0 else { return nil }
        self.init(major, minor)
    }

    static func < (left: EngineVersion, right: EngineVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    var description: String { "\(major).\(minor)" }
}
