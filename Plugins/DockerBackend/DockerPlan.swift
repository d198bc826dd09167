internal import ClusterBackend
internal import Core
internal import Cryptography

/// What a specification comes to: the sizes of the nodes, and what of them Spark gets.
///
/// A node's memory is the hard limit of its container. So Spark gets less than all of it: a driver shares its container
/// with the kernels, a worker with Spark's own daemon, with the Python of its tasks and with what a JVM needs beside its
/// heap.
struct DockerPlan: Sendable, Hashable {
    static let leastMemoryMiB = 1024
    static let masterPort = 7077
    static let driverPort = 7070

    var workers: Int
    var driverCores: Int
    var driverMemoryMiB: Int
    var workerCores: Int
    var workerMemoryMiB: Int

    /// Fills in what the specification leaves open.
    init(_ spec: BackendSpec, processors: Int) {
        workers = spec.workers
        driverCores = spec.driver.cores ?? max(1, min(processors, 2))
        driverMemoryMiB = spec.driver.memoryMiB ?? 2048
        workerCores = spec.worker.cores ?? 1
        workerMemoryMiB = spec.worker.memoryMiB ?? 2048
    }

    /// As a label of the driver's container keeps it; nil when it is none of ours.
    init?(_ label: String) {
        let numbers = label.split(separator: ",").compactMap { Int($0) }
        guard numbers.count == 5, numbers.allSatisfy({ $0 >= 0 }) else { return nil }
        workers = numbers[0]
        driverCores = numbers[1]
        driverMemoryMiB = numbers[2]
        workerCores = numbers[3]
        workerMemoryMiB = numbers[4]
    }

    var label: String { "\(workers),\(driverCores),\(driverMemoryMiB),\(workerCores),\(workerMemoryMiB)" }

    /// Threads of the driver when there are no workers, else a master beside the driver.
    var sparkMaster: String {
        workers == 0 ? "local[\(driverCores)]" : "spark://\(DockerNames.driverHost):\(DockerPlan.masterPort)"
    }

    /// The heap of the driver's JVM in MiB.
    var driverHeapMiB: Int { max(512, driverMemoryMiB / 2) }

    /// The heap of a worker's executor in MiB.
    var executorHeapMiB: Int { max(512, workerMemoryMiB - 256 - max(256, workerMemoryMiB / 10)) }

    /// Spark properties of ours, which the user's may change.
    func sparkConf(secret: String) -> [String: String] {
        guard workers > 0 else { return [:] }
        return [
            "spark.driver.bindAddress": "0.0.0.0", "spark.driver.host": DockerNames.driverHost,
            "spark.executor.cores": "\(workerCores)", "spark.executor.memory": "\(executorHeapMiB)m",
            // The master is started together with the driver.
            "spark.dataharbour.master.patience": "60", "spark.authenticate": "true",
            "spark.authenticate.secret": secret,
        ]
    }

    /// What of it does not fit into the engine's machine.
    func problems(on machine: EngineInfo) -> [SpecProblem] {
        var problems: [SpecProblem] = []
        var nodes = [("driver", driverCores, driverMemoryMiB)]
        if workers > 0 { nodes.append(("worker", workerCores, workerMemoryMiB)) }
        for (node, cores, memory) in nodes {
            if cores > machine.processors {
                problems.append(
                    SpecProblem(
                        "\(node)_cores", "must be \(machine.processors) or less: the engine's machine has no more"))
            }
            if memory > machine.memoryMiB {
                problems.append(
                    SpecProblem(
                        "\(node)_memory_mb", "must be \(machine.memoryMiB) or less: the engine's machine has no more"))
            }
        }
        return problems
    }
}

/// Names and labels: how everything of a cluster is found again.
struct DockerNames: Sendable {
    static let installation = "org.dataharbour.installation"
    static let cluster = "org.dataharbour.cluster"
    static let role = "org.dataharbour.role"
    static let worker = "org.dataharbour.worker"
    static let created = "org.dataharbour.created"
    static let wish = "org.dataharbour.wish"
    static let plan = "org.dataharbour.plan"
    /// The driver's name inside the cluster's network.
    static let driverHost = "driver"

    let installation: String
    /// Tells two installations apart in names, where the whole text would be too long.
    let mark: String

    init(installation: String) {
        self.installation = installation
        mark = String(hexadecimal(Digest.sha256(installation)).prefix(8))
    }

    /// The filter that finds everything of this installation.
    var ofInstallation: String { "\(DockerNames.installation)=\(installation)" }

    /// The filters that find everything of one cluster.
    func of(_ id: ClusterIdentifier) -> [String] { [ofInstallation, "\(DockerNames.cluster)=\(id)"] }

    func network(_ id: ClusterIdentifier) -> String { "harbour-\(mark)-\(id)" }
    func driver(_ id: ClusterIdentifier) -> String { "harbour-\(mark)-\(id)-driver" }
    func worker(_ id: ClusterIdentifier, _ index: Int) -> String { "harbour-\(mark)-\(id)-worker-\(index)" }

    /// The labels that everything of a cluster carries.
    func labels(_ id: ClusterIdentifier, at time: Timestamp) -> [String: String] {
        [
            DockerNames.installation: installation, DockerNames.cluster: id.text,
            DockerNames.created: "\(time.milliseconds)",
        ]
    }
}

extension [String: String] {
    /// The cluster that something with these labels belongs to.
    var cluster: ClusterIdentifier? { self[DockerNames.cluster].flatMap { ClusterIdentifier($0) } }
    /// When it was made by us; nil when nobody knows.
    var created: Timestamp? { self[DockerNames.created].flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) } }
}

extension EngineContainer {
    var isDriver: Bool { labels[DockerNames.role] == "driver" }
    /// The number of the worker it is.
    var workerIndex: Int? { labels[DockerNames.worker].flatMap { Int($0) } }
    /// `driver`, `worker-0`, ...
    var node: String { workerIndex.map { "worker-\($0)" } ?? "driver" }
    var plan: DockerPlan? { labels[DockerNames.plan].flatMap { DockerPlan($0) } }
}

/// Tells two wishes apart, as far as a label may: anybody can read it, so the values of secrets are no part of it.
enum Wish {
    static func digest(of spec: BackendSpec) -> String {
        var texts: [String] = []
        let numbers = [spec.driver.cores, spec.driver.memoryMiB, spec.worker.cores, spec.worker.memoryMiB]
        texts += numbers.map { $0.map(String.init) ?? "-" }
        // The number of workers may change while it runs; whether there are any may not.
        texts += [spec.workers == 0 ? "alone" : "workers", spec.image ?? "-"]
        for values in [spec.sparkConf, spec.environment] {
            texts.append("\(values.count)")
            for (name, value) in values.sorted(by: { $0.key < $1.key }) { texts += [name, value] }
        }
        texts += spec.secretEnvironment.keys.sorted()
        // A byte that UTF-8 never holds, so that two texts do not run into each other.
        let bytes = texts.reduce(into: [UInt8]()) { bytes, text in bytes += Array(text.utf8) + [0xff] }
        return hexadecimal(Digest.sha256(bytes))
    }
}
