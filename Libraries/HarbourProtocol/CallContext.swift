public import Core
public import HTTPMessage

/// Names of the header fields that travel with every call between our services.
public enum CallHeader {
    /// Names a request in logs and answers.
    public static let requestID = "x-request-id"
    /// Milliseconds that the caller still waits.
    public static let deadline = "x-harbour-deadline-ms"
    /// The caller's place in its trace (W3C Trace Context).
    public static let trace = "traceparent"
    /// On whose behalf a service calls; believed only together with the service token.
    public static let user = "x-harbour-user"
    /// `Bearer` and a token (RFC 6750).
    public static let authorization = "authorization"
}

/// What a call carries besides its input: until when, on whose behalf, and as part of what.
public struct CallContext: Sendable {
    /// When the caller stops waiting; nil when it waits for ever, as for streams.
    public var deadline: MonotonicTime?
    /// Names the request in the logs of every service it passes.
    public var requestID: String
    /// The caller's place in its trace.
    public var trace: TraceContext?
    /// The user on whose behalf the call is made; nil when a service calls for itself.
    public var user: String?

    /// Makes a context; a request id is made up when none is given.
    public init(
        deadline: MonotonicTime? = nil, requestID: String? = nil, trace: TraceContext? = nil, user: String? = nil
    ) {
        self.deadline = deadline
        self.requestID = requestID ?? Identifier.make()
        self.trace = trace
        self.user = user
    }

    /// A context of the service's own, with that much time.
    public static func within(_ time: Duration, user: String? = nil) -> CallContext {
        CallContext(deadline: .now + time, user: user)
    }

    /// Writes request id, trace and user; the client adds the deadline when it sends.
    public func encode(to fields: inout HTTPFields) {
        fields[CallHeader.requestID] = requestID
        if let trace { fields[CallHeader.trace] = trace.child().traceparent }
        if let user { fields[CallHeader.user] = user }
    }
}
