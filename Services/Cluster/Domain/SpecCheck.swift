internal import ClusterBackend
internal import Core
internal import HarbourProtocol

/// What a cluster takes of a quota.
struct ClusterDemand: Sendable, Hashable {
    var clusters = 0
    var workers = 0
    var cores = 0

    init(clusters: Int = 0, workers: Int = 0, cores: Int = 0) {
        self.clusters = clusters
        self.workers = workers
        self.cores = cores
    }

    /// Of one cluster: with autoscale the most that it may have. A node whose cores nobody says counts as one.
    init(_ spec: ClusterSpec, _ types: NodeTypes) {
        let size = BackendSpec(spec, types)
        clusters = 1
        workers = spec.autoscale?.maxWorkers ?? spec.numWorkers ?? 0
        cores = (size.driver.cores ?? 1) + workers * (size.worker.cores ?? 1)
    }

    static func + (left: ClusterDemand, right: ClusterDemand) -> ClusterDemand {
        ClusterDemand(
            clusters: left.clusters + right.clusters, workers: left.workers + right.workers,
            cores: left.cores + right.cores)
    }
}

/// What one user may have.
struct Quota: Sendable, Hashable {
    var clusters: Int?
    var workers: Int?
    var cores: Int?

    /// All limits that this use would break, in words; empty when it keeps to them.
    func broken(by use: ClusterDemand) -> [String] {
        var broken: [String] = []
        for (limit, wanted, what) in [
            (clusters, use.clusters, "clusters"), (workers, use.workers, "workers"), (cores, use.cores, "cores"),
        ] {
            if let limit, wanted > limit { broken.append("\(wanted) \(what) of \(limit)") }
        }
        return broken
    }

    /// - Throws: `RESOURCE_EXHAUSTED` with all limits that this use would break.
    func check(_ use: ClusterDemand) throws(HarbourError) {
        let broken = broken(by: use)
        if broken.isEmpty { return }
        throw HarbourError(
            .resourceExhausted,
            "That would be more than your quota: \(broken.joined(separator: ", ")). "
                + "Terminate a cluster, or ask for less.")
    }
}

/// Finds all that is wrong with a specification at once, whoever finds it wrong.
struct SpecCheck: Sendable {
    var types: NodeTypes
    var sizes: SizeLimits
    /// Nil when the specification names one that does not exist.
    var backend: (any ClusterBackend)?
    /// The names of all backends.
    var backendNames: [String]

    /// Problems of the specification after its policy has filled it in.
    func problems(of spec: ClusterSpec) -> [SpecProblem] {
        var problems = types.problems(of: spec) + LaunchPlan.problems(of: spec)
        if let range = spec.autoscale {
            if spec.numWorkers != nil {
                problems.append(SpecProblem("num_workers", "must be absent where autoscale is said"))
            }
            if range.minWorkers < 1 {
                problems.append(
                    SpecProblem(
                        "autoscale",
                        "must have min_workers of 1 or more: without workers Spark runs in the driver and gets none later"
                    ))
            }
            if range.minWorkers > range.maxWorkers {
                problems.append(SpecProblem("autoscale", "must have min_workers of at most max_workers"))
            }
        }
        for name in (spec.sparkConf ?? [:]).keys.sorted() where name.hasPrefix("spark.eventLog.") {
            problems.append(
                SpecProblem("spark_conf", "cannot hold \(name): the platform keeps the history of each cluster itself"))
        }
        guard let backend else {
            let known = backendNames.joined(separator: ", ")
            problems.append(SpecProblem("backend", "must be one of \(known), not \(spec.backend?.prefix(64) ?? "")"))
            return problems
        }
        if spec.autoscale != nil && !backend.capabilities.has(.resize) {
            problems.append(
                SpecProblem("autoscale", "must be absent: the \(backend.name) backend cannot resize", .resize))
        }
        var wanted = BackendSpec(spec, types)
        var found = self.problems(of: wanted, on: backend)
        if let most = spec.autoscale?.maxWorkers {
            wanted.workers = most
            found += self.problems(of: wanted, on: backend).filter { !found.contains($0) }
        }
        return problems + found
    }

    /// What the backend finds, and what is too large for the platform where the backend has nothing to say.
    private func problems(of wanted: BackendSpec, on backend: any ClusterBackend) -> [SpecProblem] {
        let found = backend.validate(wanted)
        return found + sizes.problems(of: wanted).filter { problem in !found.contains { $0.field == problem.field } }
    }
}
