internal import ClusterBackend
internal import Core
internal import DriverProcesses
internal import HarbourProtocol

/// What a cluster is called on the other platform, which may be shared with other installations.
struct FarMark: Sendable, Hashable {
    static let cluster = "harbour_cluster_id"
    static let installation = "harbour_installation"
    static let created = "harbour_created"
    static let wish = "harbour_wish"

    let cluster: ClusterIdentifier
    let installation: String
    /// Follows from the two, so that it is found without any memory of ours.
    let name: String

    init(_ cluster: ClusterIdentifier, installation: String) {
        self.cluster = cluster
        self.installation = installation
        var digest = SpecDigest()
        digest.add(installation)
        digest.add(cluster.text)
        name = "\(cluster.text.prefix(40))-\(digest.text)"
    }

    /// The labels of a cluster that is made now, by our clock: the other platform's may be wrong.
    func tags(wish: String, created: Timestamp) -> [String: String] {
        [
            FarMark.cluster: cluster.text, FarMark.installation: installation, FarMark.wish: wish,
            FarMark.created: String(created.milliseconds),
        ]
    }
}

/// A cluster that is to be made on the other platform.
struct FarWish: Sendable {
    var mark: FarMark
    var spec: BackendSpec
    /// Tells two specifications apart without keeping their secrets.
    var digest: String
    var created: Timestamp
    /// What is to be done there at the start.
    var setup = FarSetup()

    var tags: [String: String] { spec.tags.merging(mark.tags(wish: digest, created: created)) { $1 } }
}

/// What the cluster service would have a driver of ours do at its start, as `start.json` in its scratch folder says it.
struct FarSetup: Sendable {
    var scripts: [InitScript] = []
    var libraries: [Library] = []

    init() {}

    /// - Throws: `INVALID_PARAMETER_VALUE` for a file that is not one of these.
    init(_ files: [LaunchFile]) throws(HarbourError) {
        guard let file = files.first(where: { $0.name == "start.json" }) else { return }
        let object = try JSONObject(json: file.content, subject: file.name, code: .invalidParameter)
        scripts = (object["init_scripts"]?.array ?? []).map { script in
            InitScript(
                name: script["name"]?.string, content: script["content"]?.string,
                file: script["file"]?.string.map { ScriptLocation(destination: $0) })
        }
        for library in object["libraries"]?.array ?? [] {
            libraries.append(
                try Library(json: library.encodedJSON(), subject: file.name, code: .invalidParameter))
        }
    }

    var isEmpty: Bool { scripts.isEmpty && libraries.isEmpty }
}

/// A cluster as the other platform tells of it.
struct FarCluster: Sendable, Hashable {
    enum State: Sendable, Hashable {
        case starting
        case running
        case stopping
        case ended(ClusterEnd)
    }

    /// Its name there.
    var farID: String
    var cluster: ClusterIdentifier
    var installation: String
    var wish: String
    var created: Timestamp
    var state: State
    /// What it is doing, in the other platform's words.
    var message = ""
    var startTime: Timestamp
    var spark: SparkInfo?
    var executors: Int?
    var workers = 0
    /// Whether the number of workers is being changed.
    var isResizing = false
    var driverSize = NodeSize()
    var workerSize = NodeSize()

    /// The four labels; nil when it is not one of ours.
    static func labels(
        _ tags: [String: String]
    ) -> (cluster: ClusterIdentifier, installation: String, wish: String, created: Timestamp)? {
        guard let cluster = tags[FarMark.cluster].flatMap(ClusterIdentifier.init),
            let installation = tags[FarMark.installation], let wish = tags[FarMark.wish],
            let created = tags[FarMark.created].flatMap(Int64.init)
        else { return nil }
        return (cluster, installation, wish, Timestamp(milliseconds: created))
    }
}

/// One kind of platform to run clusters on. Every method asks it anew; what may be asked twice is tried again by itself.
protocol FarSide: Sendable {
    /// What it can do through us.
    var capabilities: Capabilities { get }

    /// What is wrong with a specification, beyond the capabilities.
    func problems(_ spec: BackendSpec) -> [SpecProblem]

    /// Whether it answers, knows us, and could start a cluster.
    func checks() async -> [PreflightReport.Check]

    /// Finds a cluster by its name there, or by its mark; nil when there is none.
    func find(_ mark: FarMark, farID: String?) async throws -> FarCluster?

    /// All clusters of an installation, ended ones included.
    func list(installation: String) async throws -> [FarCluster]

    /// Makes a cluster, once.
    func create(_ wish: FarWish) async throws -> FarCluster

    /// Gives a cluster that many workers, and returns when it has them or says that it cannot.
    /// - Throws: `CLUSTER_LOST` when it has ended.
    func resize(_ mark: FarMark, farID: String, workers: Int) async throws -> FarCluster

    /// Ends a cluster and what belongs to it, and returns when it is forgotten.
    func remove(_ mark: FarMark, farID: String) async throws

    /// Sends the present state, then each change; returns when there is nothing more to come.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when it is gone; anything else when it cannot be asked.
    func watch(_ mark: FarMark, farID: String, to receive: @escaping Receiver<FarCluster>) async throws

    /// What stands in for its driver.
    func driver(_ mark: FarMark, farID: String, folder: String) -> any FarDriver
}

/// The driver's contract, translated. Commands keep the ids and numbers they have here.
protocol FarDriver: Sendable {
    func createContext(_ spec: ContextSpec, until deadline: MonotonicTime?) async throws -> ContextInfo
    func listContexts(until deadline: MonotonicTime?) async throws -> ContextList
    func getContext(_ id: String, until deadline: MonotonicTime?) async throws -> ContextInfo
    func deleteContext(_ id: String, until deadline: MonotonicTime?) async throws

    /// Nothing, where the other platform tells nothing.
    func complete(_ spec: CompleteCode, in context: String, until deadline: MonotonicTime?) async throws -> Completion
    func inspect(_ spec: InspectCode, in context: String, until deadline: MonotonicTime?) async throws -> Inspection

    func execute(_ spec: CommandSpec, in context: String, until deadline: MonotonicTime?) async throws -> CommandInfo
    func command(_ id: String, in context: String, until deadline: MonotonicTime?) async throws -> CommandInfo
    func cancel(_ id: String, in context: String, until deadline: MonotonicTime?) async throws -> CommandInfo
    func run(
        _ id: String, in context: String, _ run: CommandRun, to receive: @escaping Receiver<CommandEvent>) async throws
    func follow(
        _ id: String, in context: String, after sequence: Int64, to receive: @escaping Receiver<CommandEvent>)
        async throws

    func logs(after sequence: Int64, follow: Bool, to receive: @escaping Receiver<LogLine>) async throws
    func overflow(
        _ id: String, in context: String, offset: Int64?, until deadline: MonotonicTime?
    ) async throws -> CommandOverflow
    func libraries(until deadline: MonotonicTime?) async throws -> DriverLibraries
    func install(_ libraries: [Library], until deadline: MonotonicTime?) async throws -> DriverLibraries
    func shutDown() async throws

    /// Listens no more; what runs there goes on.
    func close() async
}

extension ErrorCode {
    /// The other platform was asked for something that must not be asked twice, and its answer was lost.
    static let remoteAnswerLost = ErrorCode("REMOTE_ANSWER_LOST", status: 502)
}
