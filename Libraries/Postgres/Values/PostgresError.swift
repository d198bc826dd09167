public import Core

/// What PostgreSQL said about a failure. It is the `cause` of the `HarbourError` that callers see; its texts may hold
/// stored values and are for the log only.
public struct PostgresError: Error, Sendable, Hashable, CustomDebugStringConvertible {
    /// The five characters of SQLSTATE (PostgreSQL manual, appendix A), which programs decide on.
    public var sqlState: String
    /// The primary message.
    public var message: String
    /// DETAIL and HINT, where there are any.
    public var detail: String?
    /// The constraint that was violated, where one was.
    public var constraint: String?
    /// The table it is about, where it is about one.
    public var table: String?
    /// Whether the server ends the connection with it.
    var isFatal = false
    /// The routine of the server that raised it.
    var routine: String?

    /// Makes an error, for tests of what handles one.
    public init(sqlState: String, message: String, detail: String? = nil, constraint: String? = nil) {
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.constraint = constraint
    }

    /// For the log: state, message, constraint; not DETAIL, which quotes stored values.
    public var debugDescription: String {
        "PostgreSQL \(sqlState): \(message)" + (constraint.map { " (constraint \($0))" } ?? "")
    }

    /// A plan made before the table changed; preparing the statement again mends it.
    var isStalePlan: Bool { sqlState == "26000" || sqlState == "0A000" && routine == "RevalidateCachedQuery" }

    /// The failure as callers see it, by SQLSTATE alone.
    func wrapped() -> HarbourError {
        let (code, text) = PostgresError.meaning(of: sqlState)
        return HarbourError(code, text, detail: "SQLSTATE \(sqlState)", cause: self)
    }

    private static func meaning(of state: String) -> (ErrorCode, String) {
        switch state {
        case "23505": return (.alreadyExists, "Something of that name is there already. Choose another name.")
        case "23503", "23001":
            return (.conflict, "Something else refers to this, or what this refers to is gone. Reload and try again.")
        case "23502", "23514", "23P01":
            return (.invalidParameter, "A value is not allowed here. Correct it and try again.")
        case "40001", "40P01", "55P03":
            return (.conflict, "Somebody else changed the same thing at the same moment. Try again.")
        case "57014": return (.deadlineExceeded, "The database took too long and was told to stop. Try again later.")
        default: break
        }
        switch state.prefix(2) {
        case "22": return (.invalidParameter, "A value is out of range or of the wrong form. Correct it and try again.")
        case "08", "53", "57", "58":
            return (.unavailable, "The database is not available at the moment. Try again in a few seconds.")
        default:
            return (.internalError, "Something went wrong on our side. The log of the service has the details.")
        }
    }
}

extension HarbourError {
    /// What PostgreSQL said, when this is about that.
    public var postgres: PostgresError? { cause as? PostgresError }

    static func connectionLost(_ detail: String) -> HarbourError {
        HarbourError(
            .unavailable,
            "The connection to the database was lost before the answer came. Check what was done, then try again.",
            detail: detail)
    }

    static func databaseUnreachable(_ detail: String) -> HarbourError {
        HarbourError(
            .unavailable,
            "The database cannot be reached. Try again in a few seconds; if it lasts, check that it runs.",
            detail: detail)
    }

    static func databaseTimeout() -> HarbourError {
        HarbourError(.deadlineExceeded, "The database took too long and was told to stop. Try again later.")
    }

    static func databaseCancelled() -> HarbourError { HarbourError(.cancelled, "The request was cancelled.") }

    static func poolStopping() -> HarbourError {
        HarbourError(.unavailable, "The service is shutting down. Send the request again to another instance.")
    }
}
