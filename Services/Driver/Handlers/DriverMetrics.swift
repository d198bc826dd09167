internal import EventLoop
internal import HarbourProtocol
internal import Metrics

/// What the driver shows at `/metrics`. Spark is asked for its numbers when somebody looks, at most once a second, and
/// what it says is shown from the next look on: nothing is asked while nobody looks.
struct DriverMetrics {
    let driver: Driver
    private let family = ProcessFamily()

    init(driver: Driver) { self.driver = driver }

    func register(in registry: MetricsRegistry) {
        let driver = driver
        func gauge(_ name: String, _ help: String, _ value: @escaping @Sendable () -> Int) {
            registry.computedGauge("harbour_driver_\(name)", help: help) { [MetricSample(value: Double(value()))] }
        }
        gauge("contexts", "Contexts that have not ended.") {
            driver.loop.spawn { await driver.refreshStats() }
            return driver.status.contexts ?? 0
        }
        let family = family
        gauge("memory_bytes", "Memory of the driver and all it has started: kernels, Spark and what they run.") {
            driver.loop.spawn { _ = try? await BlockingPool.shared.run { family.look() } }
            return family.usage.memoryBytes
        }
        gauge("processes", "The driver's process and those it has started.") { family.usage.processes }
        registry.computedCounter(
            "harbour_driver_cpu_seconds_total", help: "Processor time of the driver and all it has started, in seconds."
        ) { [MetricSample(value: family.usage.cpuSeconds)] }
        gauge("busy_commands", "Commands that run or wait.") { driver.status.busyCommands ?? 0 }
        gauge("spare_kernels", "Warm kernels that wait for a context.") { driver.pool.spareCount }
        gauge("event_followers", "Readers of command events.") { driver.counts.followers }
        gauge("ready", "1 when Spark answers.") { driver.status.phase == .running ? 1 : 0 }
        gauge("spark_executors", "Executors alive.") { driver.stats.executors }
        gauge("spark_active_tasks", "Spark tasks that run.") { Int(driver.stats.activeTasks) }
        gauge("spark_pending_tasks", "Spark tasks of running stages that wait for a core.") {
            Int(driver.stats.pendingTasks)
        }
        gauge("spark_streams", "Structured streams that run.") { Int(driver.stats.streams) }
        gauge("spark_active_jobs", "Spark jobs that run.") { Int(driver.stats.activeJobs) }
        gauge("spark_active_stages", "Spark stages that run.") { Int(driver.stats.activeStages) }
        gauge("spark_heap_used_bytes", "Heap of Spark's driver in use.") { Int(driver.stats.heapUsed) }
        gauge("spark_heap_max_bytes", "Limit of that heap.") { Int(driver.stats.heapMaximum) }
        func counter(_ name: String, _ help: String, _ value: @escaping @Sendable () -> Int) {
            registry.computedCounter("harbour_driver_\(name)", help: help) { [MetricSample(value: Double(value()))] }
        }
        counter("commands_submitted_total", "Commands taken.") { driver.counts.submitted }
        counter("output_bytes_total", "Bytes of the events of ended commands.") { driver.counts.outputBytes }
        counter("spark_completed_tasks_total", "Spark tasks that have ended well.") {
            Int(driver.stats.completedTasks)
        }
        counter("spark_failed_tasks_total", "Spark tasks that have failed.") { Int(driver.stats.failedTasks) }
        registry.computedCounter(
            "harbour_driver_commands_total", help: "Commands that have ended, by their last state.", labels: ["state"]
        ) {
            driver.counts.ended.sorted { $0.key.rawValue < $1.key.rawValue }
                .map { MetricSample(labels: [$0.key.rawValue], value: Double($0.value)) }
        }
    }
}
