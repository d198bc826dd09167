internal import Core

/// When a target is scraped, and what is known of it. Pure: the shell scrapes and tells how it went.
///
/// Services that are started together do not listen at the same moment, and listen before they are ready. Until a target
/// has answered once it may be starting: it stays unknown, and is down only when the time for its start is over. It is
/// looked at often until then, or until it is ready.
struct TargetMachine: Sendable {
    enum Health: Sendable, Equatable {
        case unknown
        case up
        case down(String)
    }

    /// How often what may be starting is looked at.
    static let startupInterval = Duration.seconds(1)

    let interval: Duration
    private(set) var health = Health.unknown
    private(set) var lastScrape: Timestamp?
    private(set) var lastDuration = Duration.zero
    private(set) var samples = 0
    private(set) var isReady: Bool?
    private var due: MonotonicTime
    /// The next look at what may be starting.
    private var nextLook: MonotonicTime
    /// Until when it may be starting; nothing once it is ready.
    private var startupEnd: MonotonicTime?

    /// - Parameters:
    ///   - first: when it is scraped first; targets are spread over the interval, so that they do not all come at once.
    ///   - begin: when it may begin to start.
    ///   - startup: how long its start may take.
    init(interval: Duration, first: MonotonicTime, begin: MonotonicTime, startup: Duration) {
        self.interval = interval
        due = first
        nextLook = begin
        startupEnd = begin + startup
    }

    /// When the next scrape begins. Scrapes that took longer than the interval are not made up for.
    mutating func nextScrape(after now: MonotonicTime) -> MonotonicTime {
        while due <= now { due = due + interval }
        guard let startupEnd, now < startupEnd else { return due }
        let pace = min(TargetMachine.startupInterval, interval)
        while nextLook <= now { nextLook = nextLook + pace }
        // The look at the end of that time says that it is down.
        return min(nextLook, startupEnd)
    }

    /// The target answered. Services of ours say in their metrics whether they are ready; of others nothing is known.
    mutating func succeeded(at time: Timestamp, took: Duration, samples: [ExposedSample]) {
        health = .up
        lastScrape = time
        lastDuration = took
        self.samples = samples.count
        isReady = samples.first { $0.name == "harbour_ready" && $0.labels.isEmpty }.map { $0.value == 1 }
        if isReady != false { startupEnd = nil }
    }

    /// - Parameter now: when it was known that it did not answer.
    mutating func failed(at time: Timestamp, now: MonotonicTime, took: Duration, reason: String) {
        lastScrape = time
        lastDuration = took
        samples = 0
        isReady = nil
        if health == .unknown, let startupEnd, now < startupEnd { return }
        startupEnd = nil
        health = .down(reason)
    }
}

/// One process that is scraped.
struct ScrapeTarget: Sendable, Hashable {
    /// What it is: `scheduler`, `driver`, ...
    var job: String
    /// Which one of them.
    var instance: String
    /// Its address, without a path.
    var url: String
    /// Whether it is a service of ours, which may see the scrapers' token.
    var isOurs = false
}
