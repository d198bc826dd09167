internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol

/// What all controllers of clusters share.
struct EngineContext: Sendable {
    let loop: EventLoop
    let clusters: ClusterStore
    let commands: CommandStore
    let policies: PolicyStore
    let pools: PoolStore
    let nodeTypes: NodeTypes
    let launch: DriverLaunchSettings
    let limits: EngineLimits
    let metrics: ClusterMetrics
    let logs: LogKeeper
    let outputs: OutputKeeper
    let libraries: LibraryStore
    /// Which clusters change, are made and are deleted.
    let news: ChangeNews<ClusterNews>
    /// Nil where no workspace is configured.
    let workspace: WorkspaceLink?
    /// Told of each moment at which the service may be killed; tests end it there by throwing.
    var boundary: Boundary?
    let logger = Logger("cluster")

    typealias Boundary = @Sendable (EngineMoment) throws -> Void

    /// Says that this moment has come.
    func crossing(_ moment: EngineMoment) throws { try boundary?(moment) }

    /// Runs the body to its end even when the calling task is cancelled: a client that hangs up does not leave a step
    /// half done.
    func uncancelled<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let task = Task.immediate(executorPreference: loop) { try await body() }
        return try await task.value
    }
}

/// A cluster that has changed, with what says who may see it: when this is told it may be gone.
struct ClusterNews: Hashable, Comparable {
    let id: ClusterIdentifier
    let creator: String
    let owner: String?

    static func < (left: ClusterNews, right: ClusterNews) -> Bool { left.id < right.id }
}

/// Between what is decided, what is written down and what is done: where a service that dies leaves work behind.
enum EngineMoment: Sendable {
    /// A step is about to be written down.
    case storing
    /// It is written down, and nothing has been done about it yet.
    case stored
}

/// How long things may take.
struct EngineLimits: Sendable {
    /// A statement of the database, with the wait for it when it is away.
    var query = Duration.seconds(30)
    /// From being asked for to RUNNING.
    var start = Duration.seconds(300)
    /// How long a driver may take to end in order.
    var grace = Duration.seconds(10)
    /// How long a driver that is about to be ended may take to tell the next of its outputs, and what all of them may be.
    var keepingAnswer = Duration.seconds(3)
    var keeping = KeepingLimits()
    /// How long who has read an output to its end, and cannot say so, may come again for it.
    var keepingComeback = Duration.seconds(60)
    /// How long a driver may be silent before its cluster is given up.
    var silence = Duration.seconds(10)
    /// How often a driver that has commands is asked whether it lives.
    var heartbeat = Duration.seconds(4)
    /// What a user's minute of idleness is; tests make it shorter.
    var minute = Duration.seconds(60)
    /// Minutes of idleness after which a cluster ends that does not say.
    var idleMinutes = 60
    /// How often a driver with commands is asked how much work waits, and one without.
    var autoscaleInterval = Duration.seconds(5)
    var autoscaleIdleInterval = Duration.seconds(30)
    /// When a cluster gets more workers and when fewer.
    var autoscaling = Autoscaler.Patience()
    /// How large clusters may be.
    var sizes = SizeLimits()
}

/// What a driver is started with.
struct DriverLaunchSettings: Sendable {
    /// The driver's program.
    var executable: String
    /// The platform's variables for it.
    var environment: [String: String]

    func launch(token: Secret) -> DriverLaunch {
        DriverLaunch(executable: executable, environment: environment, token: token)
    }
}
