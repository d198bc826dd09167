internal import Core
internal import EventLoop

extension ErrorCode {
    /// There are more series than monitoring keeps.
    static let tooManySeries = ErrorCode("TOO_MANY_SERIES", status: 507)
}

/// The ids of all series, known by heart, because every sample of every scrape needs one.
actor SeriesCatalog {
    private let store: HistoryStore
    private let loop: EventLoop
    private let limit: Int
    private var ids: [SeriesKey: Int64] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(store: HistoryStore, loop: EventLoop, limit: Int) {
        self.store = store
        self.loop = loop
        self.limit = limit
    }

    func load() async throws {
        for (id, key) in try await store.allSeries() { ids[key] = id }
    }

    /// The ids of the samples' series; new ones are written down first.
    /// - Throws: `TOO_MANY_SERIES`; the scrape is then left out rather than half kept.
    func resolve(
        _ samples: [(key: SeriesKey, value: Double)], target: String
    ) async throws -> [(id: Int64, value: Double)] {
        let new = Set(samples.map(\.key)).filter { ids[$0] == nil }
        if !new.isEmpty {
            guard ids.count + new.count <= limit else {
                throw HarbourError(
                    .tooManySeries,
                    "The target \(target) would bring the history to more than \(limit) series. Give its metrics "
                        + "fewer labels, or raise --max-series.")
            }
            for (key, id) in try await store.add(new.sorted { $0.labels < $1.labels }, target: target) { ids[key] = id }
        }
        return samples.compactMap { sample in ids[sample.key].map { ($0, sample.value) } }
    }
}
