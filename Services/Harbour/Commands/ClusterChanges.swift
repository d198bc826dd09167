internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// The options that say what a cluster is.
enum ClusterSpecFlags {
    static let all: [Flag] = [
        .value("workers", "N", "Worker processes; 0 when absent, which runs Spark inside the driver"),
        .value("autoscale", "MIN-MAX", "Between so many workers, by the work that waits, on backends that resize"),
        .value("node-type", "TYPE", "A named size of the workers and the driver: see harbour clusters node-types"),
        .value("driver-node-type", "TYPE", "A named size of the driver"),
        .value("driver-memory", "MIB", "Memory of the driver"),
        .value("driver-cores", "N", "Cores of the driver"),
        .value("worker-memory", "MIB", "Memory of each worker"),
        .value("worker-cores", "N", "Cores of each worker"),
        .value("spark-conf", "NAME=VALUE", "A Spark property", isRepeated: true),
        .value("idle-minutes", "N", "Ends after that long without activity; 0 never; 60 when absent"),
        .value("policy", "ID", "The policy it keeps to"),
        .value("pool", "ID", "The pool that a ready cluster is taken from"),
    ]

    /// Changes what the options name and leaves the rest.
    static func apply(_ invocation: Invocation, to spec: inout ClusterSpec) throws(HarbourError) {
        try applyShape(invocation, to: &spec)
        spec.autoterminationMinutes =
            try invocation.integer("idle-minutes", in: 0...10_000) ?? spec.autoterminationMinutes
        spec.instancePoolID = invocation.value("pool") ?? spec.instancePoolID
    }

    /// The same without when it ends and where it comes from.
    static func applyShape(_ invocation: Invocation, to spec: inout ClusterSpec) throws(HarbourError) {
        if let workers = try invocation.integer("workers", in: 0...1000) {
            spec.numWorkers = workers
            spec.autoscale = nil
        }
        if let range = try autoscale(invocation) {
            spec.autoscale = range
            spec.numWorkers = nil
        }
        spec.nodeTypeID = invocation.value("node-type") ?? spec.nodeTypeID
        spec.driverNodeTypeID = invocation.value("driver-node-type") ?? spec.driverNodeTypeID
        spec.driverMemoryMB = try invocation.integer("driver-memory", in: 512...16_777_216) ?? spec.driverMemoryMB
        spec.driverCores = try invocation.integer("driver-cores", in: 1...1024) ?? spec.driverCores
        spec.workerMemoryMB = try invocation.integer("worker-memory", in: 512...16_777_216) ?? spec.workerMemoryMB
        spec.workerCores = try invocation.integer("worker-cores", in: 1...1024) ?? spec.workerCores
        spec.policyID = invocation.value("policy") ?? spec.policyID
        for text in invocation.all("spark-conf") {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw .usage("--spark-conf takes NAME=VALUE, not \(text).")
            }
            spec.sparkConf = (spec.sparkConf ?? [:]).merging([parts[0]: parts[1]]) { $1 }
        }
    }

    /// `--autoscale 1-4`.
    static func autoscale(_ invocation: Invocation) throws(HarbourError) -> AutoScale? {
        guard let text = invocation.value("autoscale") else { return nil }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count == 2, let low = ends[0], let high = ends[1], 0...1000 ~= low, 1...1000 ~= high, low <= high
        else { throw .usage("--autoscale takes MIN-MAX, such as 1-4, not \(text).") }
        return AutoScale(minWorkers: low, maxWorkers: high)
    }
}

/// `harbour clusters restart`, `resize`, `edit`, `pin` and `unpin`.
enum ClusterChanges {
    /// Calls a route that takes the cluster's id and answers with the cluster.
    static func call<Input>(
        _ invocation: Invocation, _ endpoint: Endpoint<Input, ClusterInfo>, _ input: (String) -> Input
    ) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let info = try await api.call(endpoint, input(try await api.clusterID(invocation.word("cluster"))))
        ClusterCommands.show(info, setting.terminal)
    }

    static func resize(_ invocation: Invocation) async throws {
        let wish = ResizeCluster(
            numWorkers: try invocation.integer("workers", in: 0...1000),
            autoscale: try ClusterSpecFlags.autoscale(invocation))
        try await call(invocation, ClusterAPI.resizeCluster) { .init(clusterID: $0, body: wish) }
    }

    static func edit(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let id = try await api.clusterID(invocation.word("cluster"))
        var spec = try await api.call(ClusterAPI.getCluster, .init(clusterID: id)).spec
        spec.clusterName = invocation.value("name") ?? spec.clusterName
        try ClusterSpecFlags.apply(invocation, to: &spec)
        let info = try await api.call(
            ClusterAPI.editCluster, .init(clusterID: id, body: EditCluster(spec: spec)))
        ClusterCommands.show(info, setting.terminal)
    }
}
