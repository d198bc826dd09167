internal import Core

/// How much each caller may ask for: a bucket of tokens each, which fills at a steady rate. A request takes one; when
/// there is none, it says after how long there will be.
///
/// A value without a clock: the time is given. A bucket that has filled again is forgotten, so that only those who ask
/// take memory.
struct TokenBuckets<Key: Hashable & Sendable>: Sendable {
    private struct Bucket: Sendable {
        /// When the bucket will be, or was, full.
        var fullAt: MonotonicTime
    }

    /// How many may come at once.
    let capacity: Int
    /// How long it takes until one more may come.
    let interval: Duration
    private var buckets: [Key: Bucket] = [:]
    private var sweepAt = 1024

    init(capacity: Int, interval: Duration) {
        self.capacity = max(1, capacity)
        self.interval = interval
    }

    /// How many buckets are not full.
    var count: Int { buckets.count }

    /// How long the caller has to wait; nil when there is a token.
    func wait(_ key: Key, at now: MonotonicTime) -> Duration? {
        guard let bucket = buckets[key] else { return nil }
        // With the next token taken, it must not take longer to fill than an empty bucket does.
        let wait = bucket.fullAt + interval - (now + interval * capacity)
        return wait > .zero ? wait : nil
    }

    /// Takes a token, whether there is one or not.
    mutating func take(_ key: Key, at now: MonotonicTime) {
        let begin = max(buckets[key]?.fullAt ?? now, now)
        buckets[key] = Bucket(fullAt: begin + interval)
        guard buckets.count >= sweepAt else { return }
        buckets = buckets.filter { $0.value.fullAt > now }
        sweepAt = max(1024, buckets.count * 2)
    }

    /// Puts a token back that turned out not to be needed.
    mutating func giveBack(_ key: Key) {
        guard let bucket = buckets[key] else { return }
        buckets[key] = Bucket(fullAt: MonotonicTime(nanoseconds: bucket.fullAt.nanoseconds - interval.nanoseconds))
    }

    /// Takes a token if there is one; otherwise says how long to wait.
    mutating func takeIfThere(_ key: Key, at now: MonotonicTime) -> Duration? {
        if let wait = wait(key, at: now) { return wait }
        take(key, at: now)
        return nil
    }
}
