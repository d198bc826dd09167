internal import Core
internal import Cryptography
internal import EventLoop
internal import HTTPMessage
internal import Synchronization

/// Checks passwords: slowly by design, a few at a time, and never as often as guessing would need.
final class PasswordSignIn: Sendable {
    private struct Pair: Hashable, Sendable {
        let user: String
        let network: String
    }

    private struct Failures: Sendable {
        // A person who mistypes is let go on; a program that guesses is not. Only failures count.
        var ofPair = TokenBuckets<Pair>(capacity: 5, interval: .seconds(20))
        var ofNetwork = TokenBuckets<String>(capacity: 30, interval: .seconds(5))
        // From many networks at once. Wide, so that a user cannot easily be shut out by others.
        var ofUser = TokenBuckets<String>(capacity: 100, interval: .seconds(36))
    }

    /// How many may wait for their turn; each that is being checked takes `PasswordHash.Cost.memory`.
    private static let waiting = 32
    private let store: PeopleStore
    private let cost: PasswordHash.Cost
    private let now: @Sendable () -> MonotonicTime
    private let failures = Mutex(Failures())
    private let open = Atomic<Int>(0)
    /// Its own threads, so that signing in holds up nothing else.
    private let pool = BlockingPool(threads: 2)
    /// What an unknown name is checked against, so that it takes as long as a known one.
    private let decoy: PasswordHash?

    init(
        store: PeopleStore, cost: PasswordHash.Cost = .standard,
        now: @escaping @Sendable () -> MonotonicTime = { MonotonicTime.now }
    ) {
        self.store = store
        self.cost = cost
        self.now = now
        decoy = try? PasswordHash(SystemRandom.token(), cost: cost)
    }

    /// Lets a user in.
    /// - Returns: the version of the user's credentials.
    /// - Throws: `UNAUTHENTICATED`, the same for a wrong name and a wrong password; `RESOURCE_EXHAUSTED` after too many.
    func check(user: String, password: String, _ request: HTTPRequest) async throws(HarbourError) -> Int64 {
        let pair = Pair(user: user, network: CallerNetwork.of(request))
        // Counted before it is known, so that many guesses at once are counted too.
        try count(pair, request)
        let credentials = try await store.credentials(of: user)
        let kept = credentials?.password.flatMap { PasswordHash(text: $0) }
        let matches = try await work { [decoy] () throws(HarbourError) in
            guard let hash = kept ?? decoy else { return false }
            return try hash.matches(password)
        }
        guard matches, let credentials, credentials.isActive, let kept else {
            throw HarbourError(.unauthenticated, "The name or the password is not right. Try again.")
        }
        failures.withLock { failures in
            failures.ofPair.giveBack(pair)
            failures.ofNetwork.giveBack(pair.network)
            failures.ofUser.giveBack(user)
        }
        if kept.isWeaker(than: cost) {
            try await store.strengthen(user, from: kept.text, to: try await hash(password))
        }
        return credentials.version
    }

    /// Makes what is kept of a password.
    func hash(_ password: String) async throws(HarbourError) -> String {
        try await work { [cost] () throws(HarbourError) in try PasswordHash(password, cost: cost).text }
    }

    private func count(_ pair: Pair, _ request: HTTPRequest) throws(HarbourError) {
        let now = now()
        let wait = failures.withLock { failures -> Duration? in
            let waits = [
                failures.ofPair.wait(pair, at: now), failures.ofNetwork.wait(pair.network, at: now),
                failures.ofUser.wait(pair.user, at: now),
            ]
            if let wait = waits.compactMap({ $0 }).max() { return wait }
            failures.ofPair.take(pair, at: now)
            failures.ofNetwork.take(pair.network, at: now)
            failures.ofUser.take(pair.user, at: now)
            return nil
        }
        guard let wait else { return }
        throw RetryAfter.error(wait, request, "Signing in has failed too often.")
    }

    private func work<Value: Sendable>(
        _ body: @escaping @Sendable () throws(HarbourError) -> Value
    ) async throws(HarbourError) -> Value {
        guard open.add(1, ordering: .relaxed).newValue <= PasswordSignIn.waiting else {
            open.subtract(1, ordering: .relaxed)
            throw HarbourError(.resourceExhausted, "Too many are signing in at this moment. Try again in a second.")
        }
        defer { open.subtract(1, ordering: .relaxed) }
        do { return try await pool.run(body) } catch { throw HarbourError.wrap(error) }
    }
}
