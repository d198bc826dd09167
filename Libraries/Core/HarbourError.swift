/// The one error grammar of DataHarbour: what programs decide on, what people read, and what only the log sees.
public struct HarbourError: Error, Sendable {
    /// What programs decide on.
    public var code: ErrorCode
    /// A sentence for the user: what happened and what to do next. It never holds secrets or internals.
    public var message: String
    /// Private detail for the log, such as an address, an SQLSTATE or a path.
    public var detail: String?
    /// The failure below this one. It is printed by `describeChain()` and by nothing else.
    public var cause: (any Error)?

    /// Makes an error; `message` is shown to users, `detail` and `cause` go to the log.
    public init(_ code: ErrorCode, _ message: String, detail: String? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.detail = detail
        self.cause = cause
    }

    /// The whole chain on one line, outermost first, for the log.
    public func describeChain() -> String {
        var text = "\(code.name): \(message)"
        if let detail { text += " [\(detail)]" }
        if let cause { text += " <- \(HarbourError.describe(cause))" }
        return text
    }

    /// Describes any error for the log: the chain of ours, the value of others.
    public static func describe(_ error: any Error) -> String {
        (error as? HarbourError)?.describeChain() ?? String(reflecting: error)
    }

    /// Any error as ours: itself, a cancellation, or an internal error that hides its cause from the user.
    public static func wrap(_ error: any Error) -> HarbourError {
        if let error = error as? HarbourError { return error }
        if error is CancellationError { return HarbourError(.cancelled, "The request was cancelled.") }
        return HarbourError(
            .internalError, "Something went wrong on our side. The log of the service has the details.", cause: error)
    }
}

extension HarbourError: CustomStringConvertible {
    /// The part that users may see.
    public var description: String { "\(code.name): \(message)" }
}
