internal import ClusterBackend

/// The largest cluster that the platform's operator allows on any backend. A backend that knows more of its place, such
/// as the memory of this machine, refuses more; one that knows nothing, as of the cores behind a master, is held to this.
struct SizeLimits: Sendable, Hashable {
    /// The most workers of one cluster.
    var workers = 256
    /// The most cores and memory of one node.
    var cores = 128
    var memoryMiB = 1_048_576

    /// What of a specification is too large.
    func problems(of spec: BackendSpec) -> [SpecProblem] {
        var problems: [SpecProblem] = []
        for (field, wanted, most) in [
            ("num_workers", spec.workers, workers), ("driver_cores", spec.driver.cores ?? 0, cores),
            ("worker_cores", spec.worker.cores ?? 0, cores),
            ("driver_memory_mb", spec.driver.memoryMiB ?? 0, memoryMiB),
            ("worker_memory_mb", spec.worker.memoryMiB ?? 0, memoryMiB),
        ] where wanted > most {
            problems.append(SpecProblem(field, "must be \(most) or less on this platform"))
        }
        return problems
    }

    /// What a backend can do within these limits.
    func held(_ capabilities: Capabilities) -> Capabilities {
        var held = capabilities
        held.maximumWorkers = min(capabilities.maximumWorkers, workers)
        held.maximumCores = min(capabilities.maximumCores ?? cores, cores)
        held.maximumMemoryMiB = min(capabilities.maximumMemoryMiB ?? memoryMiB, memoryMiB)
        return held
    }
}
