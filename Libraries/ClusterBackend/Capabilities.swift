public import Core

/// One thing a backend may be able to do.
public enum Capability: String, Sendable, Hashable, CaseIterable {
    /// Workers beside the driver; without it only `workers: 0` is taken.
    case workers
    /// Changing the number of workers while it runs.
    case resize
    /// Running in an image that the specification names.
    case images
    /// Log lines of the processes.
    case logs
    /// Use of CPU and memory by node.
    case stats
    /// Clusters outlive the service and are found again.
    case recovery
    /// The service can read what the driver has written, whatever became of the driver.
    case scratch
    /// The cores of a node are a hard limit, not only a wish.
    case coreLimits = "core_limits"
    /// The memory of a node is a hard limit, and running out of it is reported as such.
    case memoryLimits = "memory_limits"
}

/// What a backend can do, and within which bounds.
public struct Capabilities: Sendable, Hashable {
    /// All it can do; what is missing is refused.
    public var features: Set<Capability>
    /// The most workers of one cluster.
    public var maximumWorkers: Int
    /// The most cores of one node, or nil when the backend sets no bound.
    public var maximumCores: Int?
    /// The most memory of one node in MiB, or nil when the backend sets no bound.
    public var maximumMemoryMiB: Int?
    /// The least memory of one node in MiB.
    public var minimumMemoryMiB: Int

    /// Makes a value.
    public init(
        _ features: Set<Capability>, maximumWorkers: Int, maximumCores: Int? = nil, maximumMemoryMiB: Int? = nil,
        minimumMemoryMiB: Int = 512
    ) {
        self.features = features
        self.maximumWorkers = maximumWorkers
        self.maximumCores = maximumCores
        self.maximumMemoryMiB = maximumMemoryMiB
        self.minimumMemoryMiB = minimumMemoryMiB
    }

    /// Whether it claims the capability.
    public func has(_ capability: Capability) -> Bool { features.contains(capability) }

    /// Refuses what is not claimed. The first line of each optional method.
    /// - Throws: `NOT_SUPPORTED`, naming the backend and the capability.
    public func require(_ capability: Capability, of backend: String) throws(HarbourError) {
        if features.contains(capability) { return }
        throw HarbourError(
            .unsupported,
            "The \(backend) backend does not offer \(capability.rawValue). Choose another backend, or do without it.")
    }

    /// What is wrong with a specification by these capabilities alone; a backend adds problems of its own.
    public func problems(of spec: BackendSpec) -> [SpecProblem] {
        var problems: [SpecProblem] = []
        if spec.workers < 0 { problems.append(SpecProblem("num_workers", "must be 0 or more")) }
        if spec.workers > 0 && !has(.workers) {
            problems.append(SpecProblem("num_workers", "must be 0: this backend has no workers", .workers))
        } else if spec.workers > maximumWorkers {
            problems.append(SpecProblem("num_workers", "must be \(maximumWorkers) or less on this backend"))
        }
        if spec.image != nil && !has(.images) {
            problems.append(SpecProblem("image", "must be absent: this backend runs no images", .images))
        }
        problems += sizeProblems(spec.driver, "driver") + sizeProblems(spec.worker, "worker")
        let names = spec.environment.keys.sorted() + spec.secretEnvironment.keys.sorted()
        for name in names where !DriverStart.isEnvironmentName(name) {
            problems.append(
                SpecProblem("spark_env_vars", "the name \"\(name)\" must be letters, digits and underscores"))
        }
        for name in names where DriverStart.isReserved(name) {
            problems.append(SpecProblem("spark_env_vars", "\(name) is set by the platform and cannot be chosen"))
        }
        return problems
    }

    private func sizeProblems(_ size: NodeSize, _ node: String) -> [SpecProblem] {
        var problems: [SpecProblem] = []
        if let cores = size.cores {
            if cores < 1 { problems.append(SpecProblem("\(node)_cores", "must be 1 or more")) }
            if let maximumCores, cores > maximumCores {
                problems.append(SpecProblem("\(node)_cores", "must be \(maximumCores) or less on this backend"))
            }
        }
        if let memory = size.memoryMiB {
            if memory < minimumMemoryMiB {
                problems.append(SpecProblem("\(node)_memory_mb", "must be \(minimumMemoryMiB) or more"))
            }
            if let maximumMemoryMiB, memory > maximumMemoryMiB {
                problems.append(SpecProblem("\(node)_memory_mb", "must be \(maximumMemoryMiB) or less on this backend"))
            }
        }
        return problems
    }
}

/// One thing that is wrong with a specification.
public struct SpecProblem: Sendable, Hashable, CustomStringConvertible {
    /// The field, as the user wrote it.
    public var field: String
    /// What is wrong and what would be right, to be read after the field's name.
    public var message: String
    /// The capability that is missing, when that is the reason.
    public var missing: Capability?

    /// Makes a problem.
    public init(_ field: String, _ message: String, _ missing: Capability? = nil) {
        self.field = field
        self.message = message
        self.missing = missing
    }

    /// Field and message.
    public var description: String { "\(field) \(message)" }
}

extension [SpecProblem] {
    /// Throws all problems as one error: `NOT_SUPPORTED` when a capability is missing, else `INVALID_PARAMETER_VALUE`.
    public func throwIfAny() throws(HarbourError) {
        if isEmpty { return }
        let code: ErrorCode = contains { $0.missing != nil } ? .unsupported : .invalidParameter
        let list = map(\.description).joined(separator: "; ")
        throw HarbourError(code, "The cluster's specification cannot be used: \(list).")
    }
}

extension ErrorCode {
    /// The engine, master or platform behind a backend cannot be reached or is not working.
    public static let backendUnavailable = ErrorCode("BACKEND_UNAVAILABLE", status: 503)
    /// The other platform does not accept our token.
    public static let remoteTokenRejected = ErrorCode("REMOTE_TOKEN_REJECTED", status: 503)
    /// The backend tried to start the cluster and could not.
    public static let launchFailed = ErrorCode("CLUSTER_LAUNCH_FAILED", status: 502)
    /// The cluster the handle stands for has ended.
    public static let clusterLost = ErrorCode("CLUSTER_LOST", status: 410)
}
