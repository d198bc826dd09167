public import Core
public import EventLoop
public import HTTPMessage
public import HarbourProtocol

/// What a handler knows about its request besides the input.
public struct RequestContext: Sendable {
    /// Who asks.
    public let caller: Caller
    /// The loop that the handler runs on.
    public let loop: EventLoop
    /// The request itself, for what the contract does not cover.
    public let request: HTTPRequest

    /// Makes a context; for tests of handlers.
    public init(caller: Caller, loop: EventLoop, request: HTTPRequest) {
        self.caller = caller
        self.loop = loop
        self.request = request
    }

    /// The user who asks, or on whose behalf a service asks; nil when a service asks for itself.
    public var user: String? { caller.user }
    /// The user's name to be kept with what is made; `system` when a service asks for itself.
    public var userName: String { caller.user ?? RequestContext.system }
    /// Whose the things are that a service makes for itself; no user has this name.
    public static let system = "system"
    /// Whether one of our services asks.
    public var isService: Bool { caller.isService }
    /// Names the request in logs and in the answer.
    public var requestID: String { request.requestID }
    /// The caller's place in its trace.
    public var trace: TraceContext { request.trace }
    /// When the caller stops waiting.
    public var deadline: MonotonicTime? { request.deadline }

    /// A logger whose lines carry the request's id.
    public func logger(_ label: String) -> Logger { Logger(label).with("request_id", requestID) }

    /// The context for calls to other services that this request leads to: same id, trace, user and deadline, or an
    /// earlier one.
    public func call(within limit: Duration? = nil) -> CallContext {
        var deadline = deadline
        if let limit { deadline = min(deadline ?? .now + limit, .now + limit) }
        return CallContext(deadline: deadline, requestID: requestID, trace: trace, user: user)
    }
}
