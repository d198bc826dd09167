internal import ClusterBackend
internal import Core
internal import HarbourProtocol

/// Named sizes of nodes, the smallest first.
struct NodeTypes: Sendable, Hashable {
    let all: [NodeType]

    /// The catalogue as the setting writes it: `name:cores:MiB`, with commas between.
    /// - Throws: `INVALID_PARAMETER_VALUE`, naming the entry that is none.
    init(_ text: String) throws(HarbourError) {
        var types: [NodeType] = []
        for entry in text.split(separator: ",") {
            let parts = entry.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3, !parts[0].isEmpty, parts[0].utf8.count <= 64, let cores = Int(parts[1]),
                let memory = Int(parts[2]), 1...1024 ~= cores, 512...16_777_216 ~= memory,
                !types.contains(where: { $0.nodeTypeID == parts[0] })
            else {
                throw HarbourError(
                    .invalidParameter, "A node type is NAME:CORES:MEMORY_MIB, each name once, not \(entry).")
            }
            let words = "\(cores) core\(cores == 1 ? "" : "s"), \(memory) MiB"
            types.append(NodeType(nodeTypeID: parts[0], numCores: cores, memoryMB: memory, description: words))
        }
        all = types.sorted { ($0.numCores, $0.memoryMB) < ($1.numCores, $1.memoryMB) }
    }

    static let usual = "small:1:1024,medium:2:2048,large:4:4096,xlarge:8:8192"

    subscript(name: String) -> NodeType? { all.first { $0.nodeTypeID == name } }

    /// The size of a node: what is said in numbers, else that of the named type, else nothing.
    func size(cores: Int?, memoryMiB: Int?, type: String?) -> NodeSize {
        let named = type.flatMap { self[$0] }
        return NodeSize(cores: cores ?? named?.numCores, memoryMiB: memoryMiB ?? named?.memoryMB)
    }

    /// What is wrong with the names and with numbers beside them.
    func problems(of spec: ClusterSpec) -> [SpecProblem] {
        var problems: [SpecProblem] = []
        for (field, name) in [("node_type_id", spec.nodeTypeID), ("driver_node_type_id", spec.driverNodeTypeID)] {
            if let name, self[name] == nil {
                let known = all.map(\.nodeTypeID).joined(separator: ", ")
                problems.append(SpecProblem(field, "must be one of \(known), not \(name)"))
            }
        }
        if spec.nodeTypeID != nil && (spec.workerCores != nil || spec.workerMemoryMB != nil) {
            problems.append(
                SpecProblem("node_type_id", "must be absent where worker_cores or worker_memory_mb is said"))
        }
        if spec.driverNodeTypeID != nil && (spec.driverCores != nil || spec.driverMemoryMB != nil) {
            problems.append(
                SpecProblem("driver_node_type_id", "must be absent where driver_cores or driver_memory_mb is said"))
        }
        return problems
    }
}

extension BackendSpec {
    /// A user's specification in the terms of the backends, with the fewest workers that it may start with.
    init(_ spec: ClusterSpec, _ types: NodeTypes) {
        self.init(
            displayName: spec.clusterName,
            driver: types.size(
                cores: spec.driverCores, memoryMiB: spec.driverMemoryMB,
                type: spec.driverNodeTypeID ?? spec.nodeTypeID),
            worker: types.size(
                cores: spec.workerCores, memoryMiB: spec.workerMemoryMB, type: spec.nodeTypeID),
            workers: spec.autoscale?.minWorkers ?? spec.numWorkers ?? 0, sparkConf: spec.sparkConf ?? [:],
            environment: spec.sparkEnvVars ?? [:], tags: spec.customTags ?? [:])
    }
}
