internal import Core
internal import HarbourProtocol

/// Answers questions about the history.
struct MetricQuery: Sendable {
    let store: HistoryStore

    static let maximumSeries = 500
    static let maximumPoints = 2000

    /// One sample a step for each series of a metric; of all that is measured of the machine, without a name.
    func run(
        name: String?, match: String?, start: Int64?, end: Int64?, step: Int64?, now: Timestamp
    ) async throws -> SeriesList {
        let labels = try LabelMatch(match)
        let end = Timestamp(milliseconds: end ?? now.milliseconds)
        let start = Timestamp(milliseconds: start ?? end.milliseconds - 3_600_000)
        guard start < end else {
            throw HarbourError(.invalidParameter, "`start` has to be earlier than `end`.")
        }
        let span = end.milliseconds - start.milliseconds
        let step = step ?? max(1000, span / 300)
        guard span / step <= MetricQuery.maximumPoints else {
            throw HarbourError(
                .invalidParameter,
                "That would be more than \(MetricQuery.maximumPoints) samples a series. Use a larger step_milliseconds."
            )
        }
        let names = name.map { [$0] } ?? SystemMetrics.names
        let all = try await store.series(named: names).filter { labels.accepts($0.key) }
        let chosen = Array(all.prefix(MetricQuery.maximumSeries))
        guard !chosen.isEmpty else { return SeriesList(series: []) }
        let targets = Array(Set(chosen.map(\.target))).sorted()
        let rows = try await store.scrapes(
            of: targets, from: start, to: end, step: step, limit: targets.count * (MetricQuery.maximumPoints + 2))
        var places: [Int64: Int] = [:]
        for (index, series) in chosen.enumerated() { places[series.id] = index }
        var samples = [[Sample]](repeating: [], count: chosen.count)
        for row in rows {
            try SampleFrame.decode(row.bytes) { id, value in
                guard let place = places[id], value.isFinite else { return }
                samples[place].append(Sample(timestamp: row.time, value: value))
            }
        }
        return SeriesList(
            series: chosen.indices.filter { !samples[$0].isEmpty }.map { index in
                Series(name: chosen[index].key.name, labels: chosen[index].key.labelValues, samples: samples[index])
            }, truncated: all.count > chosen.count ? true : nil)
    }
}
