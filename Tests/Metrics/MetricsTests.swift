import Core
import Glibc
import Metrics
import Testing

private func text(_ registry: MetricsRegistry, _ format: MetricsFormat = .prometheusText) -> String {
    String(decoding: registry.exposition(format), as: UTF8.self)
}

private func sample() -> MetricsRegistry {
    let registry = MetricsRegistry()
    let requests = registry.counter("harbour_requests_total", help: "Requests.", labels: ["method", "status"])
    requests.with("GET", "200").increment(by: 3)
    requests.with("GET", "404").increment()
    registry.gauge("harbour_clusters", help: "Clusters \"now\".").set(2.5)
    let latency = registry.histogram("harbour_wait_seconds", help: "Waiting.", bounds: [0.1, 1])
    for value in [0.05, 0.1, 0.5, 7] { latency.observe(value) }
    latency.observe(.milliseconds(50))
    return registry
}

@Suite struct MetricsTests {
    @Test func prometheusText() {
        #expect(
            text(sample()) == """
                # HELP harbour_requests_total Requests.
                # TYPE harbour_requests_total counter
                harbour_requests_total{method="GET",status="200"} 3
                harbour_requests_total{method="GET",status="404"} 1
                # HELP harbour_clusters Clusters "now".
                # TYPE harbour_clusters gauge
                harbour_clusters 2.5
                # HELP harbour_wait_seconds Waiting.
                # TYPE harbour_wait_seconds histogram
                harbour_wait_seconds_bucket{le="0.1"} 3
                harbour_wait_seconds_bucket{le="1"} 4
                harbour_wait_seconds_bucket{le="+Inf"} 5
                harbour_wait_seconds_sum 7.7
                harbour_wait_seconds_count 5

                """)
    }

    @Test func openMetrics() {
        #expect(
            text(sample(), .openMetrics) == """
                # HELP harbour_requests Requests.
                # TYPE harbour_requests counter
                harbour_requests_total{method="GET",status="200"} 3
                harbour_requests_total{method="GET",status="404"} 1
                # HELP harbour_clusters Clusters \\"now\\".
                # TYPE harbour_clusters gauge
                harbour_clusters 2.5
                # HELP harbour_wait_seconds Waiting.
                # TYPE harbour_wait_seconds histogram
                # UNIT harbour_wait_seconds seconds
                harbour_wait_seconds_bucket{le="0.1"} 3
                harbour_wait_seconds_bucket{le="1.0"} 4
                harbour_wait_seconds_bucket{le="+Inf"} 5
                harbour_wait_seconds_sum 7.7
                harbour_wait_seconds_count 5
                # EOF

                """)
    }

    @Test func outsideTextIsEscaped() {
        let registry = MetricsRegistry()
        registry.gauge("g", help: "a\\b\nc", labels: ["path"]).with("a\"b\\c\nd").set(Double.nan)
        registry.computedGauge("h", help: "") { [MetricSample(value: .infinity)] }
        let lines = text(registry).split(separator: "\n").map(String.init)
        #expect(lines[0] == "# HELP g a\\\\b\\nc")
        #expect(lines[2] == "g{path=\"a\\\"b\\\\c\\nd\"} NaN")
        #expect(lines.last == "h +Inf")
    }

    @Test func seriesAreLimited() {
        let registry = MetricsRegistry()
        let family = registry.counter("c_total", help: "", labels: ["id"])
        for number in 0..<5000 { family.with("\(number)").increment() }
        let lines = text(registry).split(separator: "\n")
        #expect(lines.count <= 1003)
        #expect(lines.contains("c_total{id=\"other\"} 4000"))
        family.remove("7")
        #expect(!text(registry).contains("id=\"7\""))
    }

    @Test func aNameIsRegisteredOnce() {
        let registry = MetricsRegistry()
        registry.counter("c_total", help: "").increment()
        registry.counter("c_total", help: "").increment()
        #expect(text(registry).hasSuffix("c_total 2\n"))
    }

    @Test func countsFromManyThreadsAddUp() async {
        let registry = MetricsRegistry()
        let counter = registry.counter("c_total", help: "")
        let gauge = registry.gauge("g", help: "")
        let histogram = registry.histogram("h", help: "", bounds: [1])
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        counter.increment()
                        gauge.increment()
                        histogram.observe(0.5)
                    }
                }
            }
        }
        #expect(counter.value == 8000)
        #expect(gauge.value == 8000)
        #expect(histogram.buckets == [8000, 0])
        #expect(histogram.sum == 4000)
    }

    @Test func theProcessTellsAboutItself() throws {
        let registry = MetricsRegistry()
        registry.registerProcessMetrics { 42 }
        let values = Dictionary(
            uniqueKeysWithValues: text(registry).split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap {
                line -> (String, Double)? in
                let parts = line.split(separator: " ")
                return Double(parts[1]).map { (String(parts[0]), $0) }
            })
        #expect(try #require(values["process_resident_memory_bytes"]) > 1_000_000)
        #expect(try #require(values["process_cpu_seconds_total"]) > 0)
        #expect(try #require(values["process_open_fds"]) >= 3)
        #expect(try #require(values["process_max_fds"]) >= 64)
        #expect(try #require(values["process_threads"]) >= 1)
        let age = Double(Timestamp.now.milliseconds) / 1000 - (try #require(values["process_start_time_seconds"]))
        #expect((-2..<86_400).contains(age))
        #expect(values["harbour_loop_wakeups_total"] == 42)
    }

    @Test func theFormIsNegotiated() {
        #expect(MetricsFormat(accept: nil).contentType.hasPrefix("text/plain; version=0.0.4"))
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5"
        #expect(MetricsFormat(accept: prometheus).contentType.hasPrefix("application/openmetrics-text"))
    }

    @Test(.enabled(if: access("/usr/bin/promtool", X_OK) == 0, "promtool is not installed"))
    func promtoolAgrees() throws {
        let registry = sample()
        registry.registerProcessMetrics()
        let tool = try #require(popen("/usr/bin/promtool check metrics", "w"))
        let bytes = registry.exposition(.prometheusText)
        #expect(fwrite(bytes, 1, bytes.count, tool) == bytes.count)
        #expect(pclose(tool) == 0)
    }
}
