internal import Configuration
internal import Core
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// What is around every request that comes to the front door: which other origins may ask, what callers who ask too
/// often are told, and the audit log.
struct FrontDoor: Sendable {
    let origins: AllowedOrigins
    let audit: AuditLog

    /// Registers itself around all routes that follow.
    func register(on router: HTTPRouter) {
        router.use { request, next in
            var response: HTTPResponse
            var code: ErrorCode?
            do { response = try await next(request) } catch {
                let error = HarbourError.wrap(error)
                code = error.code
                await audit.record(request, status: error.code.status, error: code)
                guard let wait = request.attributes[RetryAfter.self] else {
                    guard let origin = origins.origin(of: request), error.code != .cancelled else { throw error }
                    response = .error(error, requestID: request.requestID)
                    origins.allow(origin, in: &response.fields)
                    return response
                }
                response = .error(error, requestID: request.requestID)
                response.fields["retry-after"] = "\(wait.seconds)"
                if let origin = origins.origin(of: request) { origins.allow(origin, in: &response.fields) }
                return response
            }
            await audit.record(request, status: response.status, error: code)
            if let origin = origins.origin(of: request) { origins.allow(origin, in: &response.fields) }
            return response
        }
    }

    /// Answers what browsers ask before they let a page of another origin ask (Fetch standard, CORS preflight).
    func registerPreflights(of routes: [EndpointRoute], on router: HTTPRouter) {
        guard !origins.isEmpty else { return }
        var methods: [String: [String]] = [:]
        for route in routes { methods[route.path, default: []].append(route.method.name) }
        for (path, methods) in methods {
            let allowed = methods.joined(separator: ", ")
            router.on(.options, path) { [origins] (request, _) throws -> HTTPResponse in
                var response = HTTPResponse(status: 204)
                if let origin = origins.origin(of: request) {
                    origins.allow(origin, in: &response.fields)
                    response.fields.append("access-control-allow-methods", allowed)
                    response.fields.append("access-control-allow-headers", AllowedOrigins.requestFields)
                    response.fields.append("access-control-max-age", "600")
                }
                return response
            }
        }
    }
}

/// The other origins whose pages may ask the API: with a token, never with the browser's session.
struct AllowedOrigins: Sendable {
    private let origins: Set<String>

    /// - Throws: `INVALID_CONFIGURATION` for what is no origin.
    init(_ list: [String]) throws(HarbourError) {
        for origin in list {
            let rest = origin.hasPrefix("https://") ? origin.dropFirst(8) : origin.dropFirst(7)
            guard origin.hasPrefix("https://") || origin.hasPrefix("http://"), !rest.isEmpty,
                rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "*") })
            else {
                throw HarbourError(
                    .invalidConfiguration,
                    "\(origin) is no origin. HARBOUR_WORKSPACE_CORS_ORIGINS takes a list such as "
                        + "https://app.example.com,http://localhost:3000, without paths and without *.")
            }
        }
        origins = Set(list)
    }

    var isEmpty: Bool { origins.isEmpty }

    /// The origin that asks, when it is one of those.
    func origin(of request: HTTPRequest) -> String? {
        guard !origins.isEmpty, let origin = request.fields["origin"], origins.contains(origin) else { return nil }
        return origin
    }

    func allow(_ origin: String, in fields: inout HTTPFields) {
        fields.append("access-control-allow-origin", origin)
        fields.append("vary", "origin")
        fields.append("access-control-expose-headers", AllowedOrigins.answerFields)
    }

    /// What a page may send: the conditions and ranges of downloads too.
    static let requestFields = [
        "authorization", "content-type", "x-request-id", "range", "if-range", "if-match", "if-none-match",
    ].joined(separator: ", ")

    /// What a page may read beside what the standard lets it read anyway: how to go on, and what was sent of what.
    static let answerFields = [
        "retry-after", "x-request-id", "content-range", "content-disposition", "etag", "accept-ranges",
    ].joined(separator: ", ")
}
