internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceClients
internal import WebClient

/// What the monitor is told by its configuration.
struct MonitorSettings: Sendable {
    var targets: [ScrapeTarget]
    var interval: Duration
    var timeout: Duration
    /// How long a target that has not answered yet may be starting.
    var startup: Duration
    var retention: Duration
    /// What our services want to see of scrapers, if anything.
    var metricsToken: String?
}

/// Scrapes everything in turn and keeps what it finds. Timers wake it, and nothing else.
actor Monitor {
    /// The newest scrape of a target, for federation.
    struct Newest: Sendable {
        var time: Timestamp
        var samples: [(key: SeriesKey, value: Double)]
    }

    private let loop: EventLoop
    private let settings: MonitorSettings
    private let web: WebClient
    private let clusters: ServiceClient
    private let store: HistoryStore
    private let catalog: SeriesCatalog
    private let log = Logger("monitoring")
    private var machines: [ScrapeTarget: TargetMachine] = [:]
    private var drivers: [ScrapeTarget: TargetMachine] = [:]
    private(set) var newest: [ScrapeTarget: Newest] = [:]
    private var timers: [LoopTimer] = []
    private var isStopped = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(
        loop: EventLoop, settings: MonitorSettings, web: WebClient, clusters: ServiceClient, store: HistoryStore,
        catalog: SeriesCatalog
    ) {
        self.loop = loop
        self.settings = settings
        self.web = web
        self.clusters = clusters
        self.store = store
        self.catalog = catalog
    }

    func start() async throws {
        try await catalog.load()
        let share = settings.interval / max(1, settings.targets.count + 1)
        let begin = MonotonicTime.now + .milliseconds(50)
        for (index, target) in settings.targets.enumerated() {
            machines[target] = TargetMachine(
                interval: settings.interval, first: begin + share * index, begin: begin, startup: settings.startup)
            armScrape(target)
        }
        armDrivers(after: share * settings.targets.count + .milliseconds(50))
        armRetention(after: .seconds(60))
    }

    func stop() {
        isStopped = true
        for timer in timers { timer.cancel() }
        timers = []
    }

    // MARK: Timers

    private func arm(at time: MonotonicTime, _ work: @escaping @Sendable (isolated Monitor) async -> Void) {
        guard !isStopped else { return }
        let box = TimerBox()
        let timer = loop.schedule(at: time) { [self] in
            assumeIsolated { monitor in monitor.timers.removeAll { $0 === box.timer } }
            loop.spawn { [self] in await perform(work) }
        }
        box.timer = timer
        timers.append(timer)
    }

    private func perform(_ work: @Sendable (isolated Monitor) async -> Void) async {
        if !isStopped { await work(self) }
    }

    private func armScrape(_ target: ScrapeTarget) {
        guard let time = machines[target]?.nextScrape(after: .now) else { return }
        arm(at: time) { monitor in
            await monitor.scrape(target)
            monitor.armScrape(target)
        }
    }

    private func armDrivers(after delay: Duration) {
        arm(at: .now + delay) { monitor in
            await monitor.scrapeDrivers()
            monitor.armDrivers(after: monitor.settings.interval)
        }
    }

    private func armRetention(after delay: Duration) {
        arm(at: .now + delay) { monitor in
            await monitor.dropOld()
            monitor.armRetention(after: .seconds(3600))
        }
    }

    private func dropOld() async {
        let oldest = Timestamp(milliseconds: Timestamp.now.milliseconds - settings.retention.milliseconds)
        do { while try await store.dropScrapes(before: oldest) {} } catch {
            log.warning("old scrapes could not be dropped", ["error": HarbourError.describe(error)])
        }
    }

    // MARK: Scraping

    private func scrape(_ target: ScrapeTarget) async {
        let begin = MonotonicTime.now
        let time = Timestamp.now
        do {
            let samples = try PrometheusText.parse(try await exposition(of: target))
            let took = MonotonicTime.now - begin
            machines[target]?.succeeded(at: time, took: took, samples: samples)
            await keep(samples, of: target, at: time, took: took, isUp: true)
        } catch {
            let took = MonotonicTime.now - begin
            let failure = HarbourError.wrap(error)
            let before = machines[target]?.health
            machines[target]?.failed(at: time, now: .now, took: took, reason: failure.message)
            // What is starting is not away: whoever is alarmed by `up` hears of it when it does not come.
            guard case .down = machines[target]?.health else { return }
            if case .down = before {
            } else {
                log.info("a target is away", ["target": target.instance, "reason": failure.message])
            }
            await keep([], of: target, at: time, took: took, isUp: false)
        }
    }

    private func exposition(of target: ScrapeTarget) async throws -> [UInt8] {
        let url = "\(target.url)/metrics"
        var request = WebRequest(method: .get, url: url)
        if target.isOurs, let token = settings.metricsToken { request.fields["authorization"] = "Bearer \(token)" }
        let response = try await web.send(request, deadline: .now + settings.timeout)
        let bytes = try await response.collect(limit: ExpositionLimits().bytes)
        guard response.status == 200 else {
            throw HarbourError(.badGateway, "\(url) answered with status \(response.status).")
        }
        return bytes
    }

    private func scrapeDrivers() async {
        let begin = MonotonicTime.now
        do {
            let list = try await clusters.call(
                ClusterAPI.scrapeDrivers, .init(), context: .within(settings.timeout))
            var seen: Set<ScrapeTarget> = []
            for scrape in list.clusters {
                let target = ScrapeTarget(job: "driver", instance: scrape.clusterID, url: "")
                seen.insert(target)
                await takeDriver(scrape, target, took: MonotonicTime.now - begin)
            }
            // A cluster that has ended has no driver to be away.
            drivers = drivers.filter { seen.contains($0.key) }
            newest = newest.filter { $0.key.job != "driver" || seen.contains($0.key) }
        } catch {
            // That the cluster service is away is told by its own target.
            log.debug("drivers could not be scraped", ["error": HarbourError.describe(error)])
        }
    }

    private func takeDriver(_ scrape: DriverScrape, _ target: ScrapeTarget, took: Duration) async {
        let time = Timestamp.now
        // The driver of a cluster that runs has started already.
        var machine =
            drivers[target]
            ?? TargetMachine(interval: settings.interval, first: .now, begin: .now, startup: .zero)
        do {
            guard let text = scrape.text else {
                throw HarbourError(.unavailable, scrape.message ?? "The driver did not answer.")
            }
            let samples = try PrometheusText.parse(Array(text.utf8))
            machine.succeeded(at: time, took: took, samples: samples)
            drivers[target] = machine
            await keep(samples, of: target, at: time, took: took, isUp: true)
        } catch {
            machine.failed(at: time, now: .now, took: took, reason: HarbourError.wrap(error).message)
            drivers[target] = machine
            await keep([], of: target, at: time, took: took, isUp: false)
        }
    }

    private func keep(
        _ samples: [ExposedSample], of target: ScrapeTarget, at time: Timestamp, took: Duration, isUp: Bool
    ) async {
        let own = [("instance", target.instance), ("job", target.job)]
        var kept = samples.map { sample in
            // A label of the same name in the exposition gives way, as Prometheus does without honor_labels.
            let labels = sample.labels.map { label in
                own.contains { $0.0 == label.name } ? (name: "exported_\(label.name)", value: label.value) : label
            }
            return (
                key: SeriesKey(name: sample.name, labels: labels + own.map { (name: $0.0, value: $0.1) }),
                value: sample.value
            )
        }
        let seconds = Double(took.milliseconds) / 1000
        for (name, value) in [
            ("up", isUp ? 1 : 0), ("scrape_duration_seconds", seconds),
            ("scrape_samples_scraped", Double(samples.count)),
        ] { kept.append((SeriesKey(name: name, labels: own.map { (name: $0.0, value: $0.1) }), value)) }
        newest[target] = Newest(time: time, samples: kept)
        do {
            let resolved = try await catalog.resolve(kept, target: target.instance)
            try await store.add(resolved, target: target.instance, at: time)
        } catch {
            log.warning(
                "a scrape could not be kept", ["target": target.instance, "error": HarbourError.describe(error)])
        }
    }

    // MARK: Looking

    /// All targets and how they are, by job and name.
    var targets: [Target] {
        (machines.merging(drivers) { $1 }).map { target, machine in
            let (health, message): (TargetHealth, String?) =
                switch machine.health {
                case .unknown: (.unknown, nil)
                case .up: (.up, nil)
                case .down(let reason): (.down, reason)
                }
            return Target(
                name: target.instance, job: target.job, url: target.url, health: health, ready: machine.isReady,
                message: message, lastScrapeTime: machine.lastScrape,
                scrapeMilliseconds: Double(machine.lastDuration.nanoseconds) / 1_000_000,
                samples: Int64(machine.samples))
        }.sorted { ($0.job, $0.name) < ($1.job, $1.name) }
    }
}

/// `@unchecked Sendable`: touched on the loop only.
private final class TimerBox: @unchecked Sendable {
    var timer: LoopTimer?
}
