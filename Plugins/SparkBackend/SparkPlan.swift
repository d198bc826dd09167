internal import ClusterBackend
internal import Core
internal import DriverProcesses

extension SparkBackend {
    /// What follows from the cluster's size and the backend's settings, and is not the user's to choose.
    static let ownProperties = [
        "spark.master", "spark.driver.memory", "spark.app.name", "spark.driver.host", "spark.driver.bindAddress",
        "spark.cores.max", "spark.executor.cores", "spark.executor.memory", "spark.executor.instances",
        "spark.dynamicAllocation.enabled", "spark.dynamicAllocation.initialExecutors",
        "spark.dynamicAllocation.minExecutors", "spark.dynamicAllocation.maxExecutors", "spark.authenticate",
        "spark.authenticate.secret",
    ]

    /// The name of a cluster's application at the master.
    func application(_ id: ClusterIdentifier) -> String { "dataharbour-\(id)-\(context.installation)" }

    /// What the specification comes to. Without workers Spark runs inside the driver and the master is not involved.
    func plan(_ spec: BackendSpec, _ id: ClusterIdentifier, driverHost: String) -> ProcessPlan {
        var plan = ProcessPlan(spec, processors: host.machine.processors)
        guard spec.workers > 0, let address else { return plan }
        plan.sparkMaster = address.url
        var properties = [
            "spark.app.name": application(id),
            "spark.driver.host": driverHost,
            "spark.driver.bindAddress": driverHost,
            // The number of executors is the limit, and it may change; a limit of cores could not.
            "spark.cores.max": String(capabilities.maximumWorkers * plan.workerCores),
            // Only with dynamic allocation does Spark ask for a number of executors rather than for all that are free.
            // Its own decisions are switched off by what Spark has for its tests: the number is ours.
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.initialExecutors": String(spec.workers),
            "spark.dynamicAllocation.minExecutors": "0",
            "spark.dynamicAllocation.testing": "true",
            "spark.test.dynamicAllocation.schedule.enabled": "false",
            "spark.executor.cores": String(plan.workerCores),
            "spark.executor.memory": "\(plan.workerMemoryMiB)m",
            // Executors carry the marks too, so that one which is left over can be told by whoever looks.
            "spark.executorEnv.\(DriverStart.clusterID)": id.text,
            "spark.executorEnv.\(DriverStart.installation)": context.installation,
        ]
        if spec.sparkConf["spark.sql.shuffle.partitions"] == nil {
            // Spark's 200 is for large clusters and costs seconds on a small one.
            properties["spark.sql.shuffle.partitions"] = String(max(2, 2 * spec.workers * plan.workerCores))
        }
        if let python = context.settings["worker_python"] { properties["spark.pyspark.python"] = python }
        if let secret = authentication {
            properties["spark.authenticate"] = "true"
            properties["spark.authenticate.secret"] = secret.reveal()
        }
        plan.sparkConf = properties
        return plan
    }

    /// Whether the master could hold the cluster at all.
    /// - Returns: what the user should know when it can, but not now.
    /// - Throws: `BACKEND_UNAVAILABLE` without an active master, `CLUSTER_LAUNCH_FAILED` when the workers are too small.
    func checkRoom(_ plan: ProcessPlan) async throws(HarbourError) -> [String] {
        switch await master?.look() {
        case .unreachable(let reason)?:
            throw HarbourError(
                .backendUnavailable,
                "Spark's master \(plan.sparkMaster) cannot be reached: \(reason) Start it, or set "
                    + "HARBOUR_BACKEND_SPARK_MASTER_UI when its page is at another address.")
        case .inactive(let status)?:
            throw HarbourError(
                .backendUnavailable,
                "Spark's master \(plan.sparkMaster) is \(status), not ALIVE. Wait until it has taken over, or name all "
                    + "masters in HARBOUR_BACKEND_SPARK_MASTER.")
        case .alive(let state)?:
            let room = state.room(cores: plan.workerCores, memoryMiB: plan.workerMemoryMiB)
            let size = "\(plan.workerCores) cores and \(plan.workerMemoryMiB) MiB"
            guard room.total >= plan.workers else {
                throw HarbourError(
                    .launchFailed,
                    "Spark's workers have room for \(room.total) executors of \(size), and the cluster asks for "
                        + "\(plan.workers). Take fewer or smaller workers, or add workers to the master.")
            }
            if room.free >= plan.workers { return [] }
            return [
                "Spark's workers have room for \(room.free) of \(plan.workers) executors now; the others come when "
                    + "other applications leave."
            ]
        case nil: return []
        }
    }
}
