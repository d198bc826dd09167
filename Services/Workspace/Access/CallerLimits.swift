internal import Core
internal import HTTPMessage
internal import Synchronization

/// How many requests each user may make, all tokens and browsers together. Services are not counted.
final class CallerLimits: Sendable {
    private let buckets: Mutex<TokenBuckets<String>>?

    /// `perSecond` on average, and four seconds' worth at once; 0 is without limit.
    init(perSecond: Int) {
        guard perSecond > 0 else {
            buckets = nil
            return
        }
        buckets = Mutex(TokenBuckets(capacity: perSecond * 4, interval: .nanoseconds(1_000_000_000 / perSecond)))
    }

    /// - Throws: `RESOURCE_EXHAUSTED`, with the wait left at the request.
    func take(_ user: String, _ request: HTTPRequest) throws(HarbourError) {
        guard let wait = buckets?.withLock({ $0.takeIfThere(user, at: .now) }) else { return }
        throw RetryAfter.error(wait, request, "\(user) asks more often than this platform allows.")
    }
}
