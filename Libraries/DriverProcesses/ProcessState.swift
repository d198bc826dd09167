public import ClusterBackend
internal import Core
internal import EventLoop

/// What is written in a cluster's folder before and after its driver is started: all that a later service needs.
struct ProcessState: Sendable, Hashable {
    /// How far the start is.
    enum Stage: String, Sendable {
        /// The folder is there, no process has been made.
        case prepared
        /// A process may or may not have been made: look for the mark.
        case spawning
        /// `process` is the driver.
        case started
    }

    static let version = 1
    static let fileName = "state.json"

    var cluster: ClusterIdentifier
    var installation: String
    /// Tells two specifications apart without keeping their secrets.
    var digest: String
    var created: Timestamp
    var stage: Stage
    var process: ProcessIdentity?
    var plan: ProcessPlan
    /// The machine's count of out-of-memory kills when the driver was started.
    var memoryKills: Int64

    /// The state as JSON.
    func encoded() -> [UInt8] {
        var value = JSONObject()
        value["version"] = .integer(ProcessState.version)
        value["cluster"] = .string(cluster.text)
        value["installation"] = .string(installation)
        value["digest"] = .string(digest)
        value["created"] = .integer(created.milliseconds)
        value["stage"] = .string(stage.rawValue)
        if let process { value["process"] = .string(process.description) }
        value["memory_kills"] = .integer(memoryKills)
        value["workers"] = .integer(plan.workers)
        value["driver_cores"] = .integer(plan.driverCores)
        value["driver_memory_mb"] = .integer(plan.driverMemoryMiB)
        value["worker_cores"] = .integer(plan.workerCores)
        value["worker_memory_mb"] = .integer(plan.workerMemoryMiB)
        value["spark_master"] = .string(plan.sparkMaster)
        return JSONValue.object(value).encodedJSON()
    }

    init(
        cluster: ClusterIdentifier, installation: String, digest: String, created: Timestamp, plan: ProcessPlan,
        memoryKills: Int64
    ) {
        self.cluster = cluster
        self.installation = installation
        self.digest = digest
        self.created = created
        stage = .prepared
        self.plan = plan
        self.memoryKills = memoryKills
    }

    /// Reads a state back; nil when it is not one of this version.
    init?(_ bytes: [UInt8]) {
        guard let value = try? JSONValue(json: bytes), value["version"]?.int == ProcessState.version,
            let cluster = value["cluster"]?.string.flatMap(ClusterIdentifier.init),
            let installation = value["installation"]?.string, let digest = value["digest"]?.string,
            let created = value["created"]?.int64, let stage = value["stage"]?.string.flatMap(Stage.init),
            let memoryKills = value["memory_kills"]?.int64, let plan = ProcessPlan(value)
        else { return nil }
        self.cluster = cluster
        self.installation = installation
        self.digest = digest
        self.created = Timestamp(milliseconds: created)
        self.stage = stage
        self.memoryKills = memoryKills
        process = value["process"]?.string.flatMap { ProcessIdentity($0) }
        self.plan = plan
    }
}

/// What a specification comes to: the driver's size, the workers', and where Spark finds them.
public struct ProcessPlan: Sendable, Hashable {
    /// How many workers; 0 runs Spark inside the driver.
    public var workers: Int
    /// Cores of the driver.
    public var driverCores: Int
    /// The heap of the driver's JVM in MiB.
    public var driverMemoryMiB: Int
    /// Cores of each worker.
    public var workerCores: Int
    /// Memory of each worker in MiB.
    public var workerMemoryMiB: Int
    /// Spark's master URL.
    public var sparkMaster: String
    /// Spark properties that go over the user's. They may be secret, and are written for the driver only.
    public var sparkConf: [String: String] = [:]

    /// Fills in what the specification leaves open, for Spark on this machine: threads of the driver when there are no
    /// workers, else executors as processes.
    public init(_ spec: BackendSpec, processors: Int) {
        workers = spec.workers
        driverCores = spec.driver.cores ?? max(1, min(processors, 4))
        driverMemoryMiB = spec.driver.memoryMiB ?? 1024
        workerCores = spec.worker.cores ?? 1
        workerMemoryMiB = spec.worker.memoryMiB ?? 1024
        sparkMaster =
            workers == 0 ? "local[\(driverCores)]" : "local-cluster[\(workers),\(workerCores),\(workerMemoryMiB)]"
    }

    /// All memory the cluster may use, in MiB.
    public var totalMemoryMiB: Int { driverMemoryMiB + workers * workerMemoryMiB }
}

extension ProcessPlan {
    /// Reads what `ProcessState` has written.
    fileprivate init?(_ value: JSONValue) {
        guard let workers = value["workers"]?.int, let driverCores = value["driver_cores"]?.int,
            let driverMemory = value["driver_memory_mb"]?.int, let workerCores = value["worker_cores"]?.int,
            let workerMemory = value["worker_memory_mb"]?.int
        else { return nil }
        let spec = BackendSpec(
            driver: NodeSize(cores: driverCores, memoryMiB: driverMemory),
            worker: NodeSize(cores: workerCores, memoryMiB: workerMemory), workers: workers)
        self.init(spec, processors: 1)
        if let master = value["spark_master"]?.string { sparkMaster = master }
    }
}

/// The one place of a cluster on this machine: its folder and what is in it.
public struct ProcessPlace: Sendable, Hashable {
    /// The folder.
    public let folder: String

    /// The place of a cluster below a backend's folder.
    public init(root: String, _ id: ClusterIdentifier) { folder = "\(root)/\(ProcessPlace.name(id))" }

    /// The id, or where that is long its beginning with a digest, because the socket's path must stay short. No id holds
    /// a dot, so that a digest is never taken for one.
    private static func name(_ id: ClusterIdentifier) -> String {
        if id.text.utf8.count <= 32 { return id.text }
        var digest = SpecDigest()
        digest.add(id.text)
        return "\(id.text.prefix(15)).\(digest.text)"
    }

    /// What is written down of it.
    public var stateFile: String { "\(folder)/\(ProcessState.fileName)" }
    var logFile: String { "\(folder)/driver.log" }
    var executorsFile: String { "\(folder)/\(DriverStart.executorsFileName)" }
    var executorsSeenFile: String { "\(folder)/\(DriverStart.executorsSeenFileName)" }
    /// Where its driver listens.
    public var socket: String { "\(folder)/driver.sock" }
    /// The same as an address.
    public var address: DriverAddress { .unix(path: socket) }

    /// A unix socket's path has 107 bytes at most (unix(7)).
    public var fits: Bool { socket.utf8.count <= 107 }
}

/// A digest of 64 bits by FNV-1a: it tells wishes apart, it protects nothing.
public struct SpecDigest {
    private var value: UInt64 = 0xcbf2_9ce4_8422_2325

    /// A digest of nothing.
    public init() {}

    /// Adds a text.
    public mutating func add(_ text: String) {
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
        // A byte that UTF-8 never holds, so that two texts do not run into each other.
        value = (value ^ 0xff) &* 0x100_0000_01b3
    }

    /// 16 hexadecimal digits.
    public var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Of all that makes two specifications two.
    public static func of(_ spec: BackendSpec) -> String {
        var digest = SpecDigest()
        let numbers = [
            spec.driver.cores, spec.driver.memoryMiB, spec.worker.cores, spec.worker.memoryMiB, spec.workers,
        ]
        for number in numbers { digest.add(number.map(String.init) ?? "-") }
        digest.add(spec.image ?? "-")
        for values in [spec.sparkConf, spec.environment, spec.secretEnvironment.mapValues { $0.reveal() }] {
            digest.add("\(values.count)")
            for (name, value) in values.sorted(by: { $0.key < $1.key }) {
                digest.add(name)
                digest.add(value)
            }
        }
        return digest.text
    }
}
