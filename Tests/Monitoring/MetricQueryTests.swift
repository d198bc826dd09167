import Core
import Glibc
import HarbourProtocol
import Postgres
import ServiceTestKit
import TestSupport
import Testing

@testable import MonitoringService

/// Queries of the history against the plainest way to answer them, over random histories in a real PostgreSQL.
@Suite(.timeLimit(.minutes(15))) struct MetricQueryTests {
    private static let begin: Int64 = 1_700_000_000_000
    private static let span: Int64 = 600_000

    private struct KeptScrape {
        let target: String
        let time: Int64
        let samples: [(key: SeriesKey, value: Double)]
    }
    private struct Question: CustomStringConvertible {
        let name: String
        let match: [String: String]
        let start: Int64?
        let end: Int64?
        let step: Int64?

        var matchText: String? {
            match.isEmpty
                ? nil : match.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        }
        var description: String {
            "\(name) \(matchText ?? "-") from \(start ?? -1) to \(end ?? -1) by \(step ?? -1)"
        }
    }

    @Test func answersAsTheNaiveWayDoes() async throws {
        let seed =
            getenv("HARBOUR_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64(Timestamp.now.milliseconds)
        // Samples of long ago, which the service itself must not take away while questions are asked.
        let arguments = ["--scrape-interval", "1h", "--retention", "36500d"]
        try await withService(MonitoringService.definition, arguments: arguments) { service in
            let database = try #require(service.database)
            let pool = PostgresPool(
                configuration: PostgresConfiguration(url: database.url, schema: "monitoring", maxConnections: 2),
                loop: service.loop)
            var random = SeededGenerator(seed: seed)
            let store = HistoryStore(pool: pool)
            let (scrapes, ids) = try await MetricQueryTests.makeHistory(store, &random)
            let now = MetricQueryTests.begin + MetricQueryTests.span
            var answered = 0
            for _ in 0..<150 {
                let question = MetricQueryTests.makeQuestion(&random)
                let expected = MetricQueryTests.naive(question, scrapes, ids, now: now)
                let answer = try await MetricQuery(store: store).run(
                    name: question.name, match: question.matchText, start: question.start, end: question.end,
                    step: question.step, now: Timestamp(milliseconds: now))
                #expect(answer.series == expected, "seed \(seed): \(question)")
                #expect(answer.truncated == nil)
                answered += answer.series.count
            }
            #expect(answered > 100, "seed \(seed): the questions hit hardly anything")
            await pool.drain(budget: .seconds(5))
        }
    }

    private static func makeHistory(
        _ store: HistoryStore, _ random: inout SeededGenerator
    ) async throws -> (scrapes: [KeptScrape], ids: [SeriesKey: Int64]) {
        var scrapes: [KeptScrape] = []
        var ids: [SeriesKey: Int64] = [:]
        for target in ["a:1", "b:2", "c:3"] {
            let keys = ["work_total", "idle", "rare"].flatMap { name in
                ["x", "y"].map { kind in
                    SeriesKey(name: name, labels: [("instance", target), ("job", "test"), ("kind", kind)])
                }
            }
            ids.merge(try await store.add(keys, target: target)) { $1 }
            var times: Set<Int64> = []
            for _ in 0..<120 { times.insert(begin + Int64.random(in: 0...span, using: &random)) }
            for time in times.sorted() {
                let samples = keys.filter { _ in Int.random(in: 0..<10, using: &random) > 0 }.map { key in
                    (key: key, value: value(&random))
                }
                let kept = KeptScrape(target: target, time: time, samples: samples)
                try await store.add(
                    samples.map { (id: ids[$0.key] ?? 0, value: $0.value) }, target: target,
                    at: Timestamp(milliseconds: time))
                scrapes.append(kept)
            }
        }
        return (scrapes, ids)
    }

    private static func value(_ random: inout SeededGenerator) -> Double {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: .nan
        case 1: .infinity
        case 2: -0.0
        default: Double.random(in: -1e6...1e6, using: &random)
        }
    }

    private static func makeQuestion(_ random: inout SeededGenerator) -> Question {
        var match: [String: String] = [:]
        if Bool.random(using: &random) { match["kind"] = ["x", "y", "z"].randomElement(using: &random) }
        if Int.random(in: 0..<4, using: &random) == 0 { match["instance"] = "b:2" }
        let start = begin - 60_000 + Int64.random(in: 0...span, using: &random)
        let end = start + Int64.random(in: 1...span, using: &random)
        let isOpen = Int.random(in: 0..<8, using: &random) == 0
        let least = (end - start) / Int64(MetricQuery.maximumPoints) + 1
        return Question(
            name: ["work_total", "idle", "rare", "absent"].randomElement(using: &random) ?? "", match: match,
            start: isOpen ? nil : start, end: isOpen ? nil : end,
            step: isOpen || Bool.random(using: &random) ? nil : max(least, Int64.random(in: 1...90_000, using: &random))
        )
    }

    /// Of each target the last scrape of each step counts; a series has a point there when that scrape has a finite
    /// value of it.
    private static func naive(
        _ question: Question, _ scrapes: [KeptScrape], _ ids: [SeriesKey: Int64], now: Int64
    ) -> [Series] {
        let end = question.end ?? now
        let start = question.start ?? end - 3_600_000
        let step = question.step ?? max(1000, (end - start) / 300)
        var answer: [Series] = []
        for (key, _) in ids.sorted(by: { $0.value < $1.value }) where key.name == question.name {
            let labels = key.labelValues
            guard question.match.allSatisfy({ labels[$0.key] == $0.value }) else { continue }
            var points: [Sample] = []
            let own = scrapes.filter { $0.target == labels["instance"] && (start...end).contains($0.time) }
            for scrape in own {
                let isLast = !own.contains { $0.time / step == scrape.time / step && $0.time > scrape.time }
                guard isLast, let sample = scrape.samples.first(where: { $0.key == key }), sample.value.isFinite else {
                    continue
                }
                points.append(Sample(timestamp: Timestamp(milliseconds: scrape.time), value: sample.value))
            }
            if !points.isEmpty { answer.append(Series(name: key.name, labels: labels, samples: points)) }
        }
        return answer
    }
}
