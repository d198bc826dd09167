internal import ClusterBackend
internal import Core
internal import HarbourProtocol
internal import Metrics
internal import Synchronization

/// The figures of the cluster service.
final class ClusterMetrics: Sendable {
    private final class States: Sendable {
        let byID = Mutex<[String: ClusterState]>([:])
    }

    private let states = States()
    private let starts: MetricFamily<Counter>
    private let ends: MetricFamily<Counter>
    private let startSeconds: Histogram
    private let commands: MetricFamily<Counter>
    private let openCommands: Gauge

    init(_ registry: MetricsRegistry) {
        starts = registry.counter(
            "harbour_cluster_starts_total", help: "Starts of clusters that have come to a result.",
            labels: ["backend", "result"])
        ends = registry.counter(
            "harbour_cluster_terminations_total", help: "Ends of clusters by reason.", labels: ["backend", "reason"])
        startSeconds = registry.histogram(
            "harbour_cluster_start_seconds", help: "From being asked for to RUNNING.",
            bounds: [0.1, 0.25, 0.5, 1, 2, 4, 6, 8, 10, 15, 20, 30, 60, 120, 300])
        commands = registry.counter(
            "harbour_cluster_commands_total", help: "Commands that have come to an end.", labels: ["state"])
        openCommands = registry.gauge("harbour_cluster_open_commands", help: "Commands that run or wait.")
        let states = states
        registry.computedGauge(
            "harbour_clusters", help: "Clusters that have not ended, by state.", labels: ["state"]
        ) {
            let counts = states.byID.withLock { Dictionary(grouping: $0.values, by: \.rawValue).mapValues(\.count) }
            return ClusterState.allCases.map {
                MetricSample(labels: [$0.rawValue], value: Double(counts[$0.rawValue] ?? 0))
            }
        }
    }

    /// A cluster is in that state now, or is forgotten.
    func cluster(_ id: String, is state: ClusterState?) {
        states.byID.withLock { $0[id] = state == .terminated ? nil : state }
    }

    /// A step of a cluster was taken.
    func moved(_ row: ClusterRow, from before: ClusterStep) {
        cluster(row.id.text, is: row.record.state)
        switch (before, row.record.step) {
        case (.connecting, .running):
            starts.with(row.backend, "success").increment()
            if let ready = row.record.readyTime { startSeconds.observe(ready - row.record.startTime) }
        case (.starting, .ending), (.connecting, .ending):
            let wanted = row.record.reason?.type == .success
            starts.with(row.backend, wanted ? "cancelled" : "failure").increment()
        case (.ending, .ended): ends.with(row.backend, row.record.reason?.code ?? "UNKNOWN").increment()
        default: break
        }
    }

    func commandBegan() { openCommands.increment() }

    func commandEnded(_ state: CommandState) {
        openCommands.decrement()
        commands.with(state.rawValue).increment()
    }

    /// A command was refused by the driver, or is given to another start of the service.
    func commandLeft() { openCommands.decrement() }
}
