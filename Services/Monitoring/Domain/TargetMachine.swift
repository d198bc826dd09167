internal import Core

/// When a target is scraped, and what is known of it. Pure: the shell scrapes and tells how it went.
struct TargetMachine: Sendable {
    enum Health: Sendable, Equatable {
        case unknown
        case up
        case down(String)
    }

    let interval: Duration
    private(set) var health = Health.unknown
    private(set) var lastScrape: Timestamp?
    private(set) var lastDuration = Duration.zero
    private(set) var samples = 0
    private(set) var isReady: Bool?
    private var due: MonotonicTime

    /// - Parameter first: when it is scraped first; targets are spread over the interval, so that they do not all come
    ///   at once.
    init(interval: Duration, first: MonotonicTime) {
        self.interval = interval
        due = first
    }

    /// When the next scrape begins. Scrapes that took longer than the interval are not made up for.
    mutating func nextScrape(after now: MonotonicTime) -> MonotonicTime {
        while due <= now { due = due + interval }
        return due
    }

    /// The target answered. Services of ours say in their metrics whether they are ready; of others nothing is known.
    mutating func succeeded(at time: Timestamp, took: Duration, samples: [ExposedSample]) {
        health = .up
        lastScrape = time
        lastDuration = took
        self.samples = samples.count
        isReady = samples.first { $0.name == "harbour_ready" && $0.labels.isEmpty }.map { $0.value == 1 }
    }

    mutating func failed(at time: Timestamp, took: Duration, reason: String) {
        health = .down(reason)
        lastScrape = time
        lastDuration = took
        samples = 0
        isReady = nil
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
