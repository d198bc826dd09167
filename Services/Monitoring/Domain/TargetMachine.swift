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
    var isReady: Bool?
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

    mutating func succeeded(at time: Timestamp, took: Duration, samples: Int) {
        health = .up
        lastScrape = time
        lastDuration = took
        self.samples = samples
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
}
