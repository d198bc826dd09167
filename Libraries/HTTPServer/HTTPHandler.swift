public import Core
public import HTTPMessage

/// What a server does with a request, decided when the head has come.
public enum HTTPAction: Sendable {
    /// Answers on the loop without a task; called when the whole body is there (`request.body.completeBytes`). It must
    /// not block.
    case sync(@Sendable (HTTPRequest) throws -> HTTPResponse)
    /// Answers in a task on the connection's loop; starts at once and reads the body as it comes. The task is cancelled
    /// when the client goes away or the request's deadline passes.
    case async(@Sendable (HTTPRequest) async throws -> HTTPResponse)
    /// Opens a WebSocket connection and runs on it in a task, as above.
    case webSocket(HTTPWebSocketOptions, @Sendable (HTTPRequest, HTTPWebSocket) async throws -> Void)
}

/// An action and what is particular about it.
public final class HTTPRoute: Sendable {
    /// The template it was registered with, for metrics and logs.
    public let template: String
    /// What is done.
    public let action: HTTPAction
    /// The largest body; nil for the server's limit.
    public let maxBodySize: Int?
    let parameterNames: [String]
    let checks: [HTTPRouter.Check]

    /// Makes a route.
    public convenience init(template: String = "", maxBodySize: Int? = nil, action: HTTPAction) {
        self.init(template: template, maxBodySize: maxBodySize, checks: [], action: action)
    }

    init(template: String, maxBodySize: Int?, checks: [HTTPRouter.Check], action: HTTPAction) {
        self.template = template
        self.action = action
        self.maxBodySize = maxBodySize
        self.checks = checks
        parameterNames = RouteTemplate.parameterNames(template)
    }
}

/// Finds out what to do with a request. Called on the loop for each head.
public protocol HTTPHandler: Sendable {
    /// The route for this request.
    /// - Throws: what is answered at once, without reading the body.
    func route(for request: HTTPRequest) throws(HarbourError) -> HTTPRoute
}
