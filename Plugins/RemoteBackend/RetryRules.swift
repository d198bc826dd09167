internal import Core

/// Decides what follows a failed attempt. No I/O and no clock.
///
/// A request that changes something is sent again only when it is certain that it was not acted upon, or when acting
/// twice is the same as once.
struct RetryRules: Sendable, Hashable {
    /// What an attempt came to.
    enum Outcome: Sendable, Hashable {
        /// An answer of that status; `retryAfter` in seconds.
        case status(Int, retryAfter: Duration?)
        /// No answer, or half of one.
        case broken
    }
    enum Decision: Sendable, Hashable {
        /// The answer is one for the caller.
        case accept
        /// Once more, after that long.
        case retry(after: Duration)
        /// Once more, with a token that is read anew.
        case renewToken
        /// The token is refused for good.
        case tokenRejected
        /// There is no answer, and no more time to ask, or it must not be asked again.
        case giveUp
    }

    /// The longest wait that a platform may ask for.
    static let longestWait = Duration.seconds(120)
    private static let longestPause = Duration.seconds(5)

    let isRepeatable: Bool
    private var pause = Duration.milliseconds(100)
    private var hasRenewed = false

    init(isRepeatable: Bool) { self.isRepeatable = isRepeatable }

    /// - Parameters:
    ///   - outcome: what the attempt came to.
    ///   - left: how much time the caller has.
    ///   - jitter: a random factor near 1, so that many callers do not come back at once.
    mutating func decide(_ outcome: Outcome, left: Duration, jitter: Double) -> Decision {
        switch outcome {
        case .status(401, _):
            if hasRenewed { return .tokenRejected }
            hasRenewed = true
            return .renewToken
        case .status(429, let wait):
            // It was turned away before anything was done.
            return wait.map { again(after: $0, left) } ?? again(after: next(jitter), left)
        case .status(let status, let wait) where status == 503 || status == 502 || status == 504:
            guard isRepeatable else { return .accept }
            let pause = next(jitter)
            let decision = again(after: wait ?? pause, left)
            return decision == .giveUp ? .accept : decision
        case .status: return .accept
        case .broken: return isRepeatable ? again(after: next(jitter), left) : .giveUp
        }
    }

    private func again(after wait: Duration, _ left: Duration) -> Decision {
        wait <= min(left, RetryRules.longestWait) ? .retry(after: wait) : .giveUp
    }

    private mutating func next(_ jitter: Double) -> Duration {
        let now = pause
        pause = min(pause * 2, RetryRules.longestPause)
        return now * jitter
    }
}

/// The `Retry-After` field (RFC 9110 section 10.2.3).
enum RetryAfter {
    /// Seconds as they are; a date is compared with the answer's own `Date`, so that neither clock has to be right.
    static func parse(_ text: String?, date: String?) -> Duration? {
        guard let text else { return nil }
        if let seconds = Int64(text), seconds >= 0 { return .seconds(min(seconds, 86_400)) }
        guard let then = seconds(ofDate: text), let now = date.flatMap(seconds(ofDate:)) else { return nil }
        return .seconds(max(0, min(then - now, 86_400)))
    }

    /// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func seconds(ofDate text: String) -> Int64? {
        let parts = text.split { $0 == " " || $0 == ":" }
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 8, parts[7] == "GMT", let day = Int(parts[1]), (1...31).contains(day),
            let month = months.firstIndex(of: String(parts[2])), let year = Int(parts[3]),
            (1970...9999).contains(year), let hour = Int64(parts[4]), (0...23).contains(hour),
            let minute = Int64(parts[5]), (0...59).contains(minute), let second = Int64(parts[6]),
            (0...60).contains(second)
        else { return nil }
        let days = CivilDate(year: year, month: month + 1, day: day).daysSinceEpoch
        return Int64(days) * 86_400 + hour * 3600 + minute * 60 + second
    }
}
