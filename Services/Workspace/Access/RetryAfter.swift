internal import Core
internal import HTTPMessage

/// After how many seconds a request that was refused may be sent again; left at the request for the front door, which
/// says so in `retry-after` (RFC 9110 section 10.2.3).
struct RetryAfter: Sendable {
    let seconds: Int

    /// The error of a caller who asks too often, with its wait left at the request.
    static func error(_ wait: Duration, _ request: HTTPRequest, _ reason: String) -> HarbourError {
        let seconds = max(1, Int((wait.milliseconds + 999) / 1000))
        request.attributes[RetryAfter.self] = RetryAfter(seconds: seconds)
        let unit = seconds == 1 ? "second" : "seconds"
        return HarbourError(.resourceExhausted, "\(reason) Try again in \(seconds) \(unit).")
    }
}
