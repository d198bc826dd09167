import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HTTPServer
import Synchronization

/// A door before the far platform, with TLS, that a test can make misbehave.
final class FarFront: HTTPHandler {
    /// What happens to a request instead of being passed on, or after it.
    enum Fault: Sendable {
        /// Answered with that status and those fields, and not passed on.
        case answer(Int, HTTPFields = HTTPFields())
        /// Not passed on; the answer breaks off.
        case lostOnTheWay
        /// Passed on and acted upon; its answer breaks off.
        case answerLost
    }
    private struct Rule {
        var path: String
        var method: HTTPMethod?
        var fault: Fault
        var times: Int
    }
    private struct State {
        var rules: [Rule] = []
        var isCut = false
        var open: [Int: AsyncStream<Void>.Continuation] = [:]
        var next = 0
        /// Method and path of all requests that came.
        var seen: [String] = []
    }

    private let upstream: HTTPOrigin
    private let http: HTTPClient
    private let state = Mutex(State())

    init(_ upstream: HTTPOrigin, _ http: HTTPClient) {
        self.upstream = upstream
        self.http = http
    }

    /// The next so many requests whose path contains the text fail.
    func fail(_ path: String, _ method: HTTPMethod? = nil, _ fault: Fault, times: Int = 1) {
        state.withLock { $0.rules.append(Rule(path: path, method: method, fault: fault, times: times)) }
    }

    /// Forgets all planned faults.
    func forgive() { state.withLock { $0.rules = [] } }

    /// Breaks all connections off and lets nothing through, or lets everything through again.
    func setCut(_ isCut: Bool) {
        let open = state.withLock { state in
            state.isCut = isCut
            return isCut ? Array(state.open.values) : []
        }
        for stream in open { stream.finish() }
    }

    var seen: [String] { state.withLock { $0.seen } }

    func route(for request: HTTPRequest) throws(HarbourError) -> HTTPRoute {
        HTTPRoute(action: .async { [self] request in try await pass(request) })
    }

    private static let broken = HTTPResponse(body: .stream { _ in throw HarbourError(.unavailable, "Cut.") })

    private func pass(_ request: HTTPRequest) async throws -> HTTPResponse {
        let fault = state.withLock { state -> Fault? in
            state.seen.append("\(request.method) \(request.path)")
            if state.isCut { return .lostOnTheWay }
            let rule = state.rules.firstIndex { rule in
                request.path.contains(rule.path) && (rule.method == nil || rule.method == request.method)
            }
            guard let rule else { return nil }
            state.rules[rule].times -= 1
            defer { if state.rules[rule].times == 0 { state.rules.remove(at: rule) } }
            return state.rules[rule].fault
        }
        switch fault {
        case .answer(let status, let fields):
            return HTTPResponse(status: status, fields: fields, body: .bytes(Array(#"{"error":"told to"}"#.utf8)))
        case .lostOnTheWay: return FarFront.broken
        case .answerLost:
            _ = try await forward(request).collect(limit: 1 << 20)
            return FarFront.broken
        case nil: break
        }
        let response = try await forward(request)
        var fields = HTTPFields()
        for (name, value) in response.fields where name == "content-type" { fields.append(name, value) }
        return HTTPResponse(
            status: response.status, fields: fields, body: .stream { [self] in try await copy(response, $0) })
    }

    private func forward(_ request: HTTPRequest) async throws -> HTTPClientResponse {
        var fields = HTTPFields()
        for name in ["authorization", "content-type", "accept"] { fields[name] = request.fields[name] }
        let body = try await request.body.collect()
        return try await http.send(
            HTTPClientRequest(
                method: request.method, origin: upstream,
                target: request.query.map { "\(request.path)?\($0)" } ?? request.path, fields: fields,
                body: body.isEmpty ? .empty : .bytes(body)), deadline: nil)
    }

    /// Copies until the end, or until the connection is cut.
    private func copy(_ response: HTTPClientResponse, _ writer: HTTPBodyWriter) async throws {
        let (cut, continuation) = AsyncStream.makeStream(of: Void.self)
        let key = state.withLock { state in
            state.next += 1
            // It may have been cut since the request was let through.
            if state.isCut { continuation.finish() } else { state.open[state.next] = continuation }
            return state.next
        }
        defer { _ = state.withLock { $0.open.removeValue(forKey: key) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for try await chunk in response.body { try await writer.write(chunk) } }
            group.addTask {
                for await _ in cut {}
                throw HarbourError(.unavailable, "Cut.")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
