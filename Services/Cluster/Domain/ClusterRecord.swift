internal import ClusterBackend
internal import Core
internal import HarbourProtocol

/// How far a cluster is, finer than the public state. Each step says where it can go.
enum ClusterStep: String, Sendable, Hashable, CaseIterable {
    /// The backend has been asked, or is about to be. To `connecting`, `ending`.
    case starting
    /// The driver's process is there; Spark comes up inside it. To `running`, `ending`.
    case connecting
    /// To `ending`.
    case running
    /// The backend has been asked to end it. To `ended`, `stuck`, `starting` (when it is to be started again).
    case ending
    /// Nothing of it is left. To `starting`.
    case ended
    /// The backend could not say for certain that nothing is left. To `ending`, `starting` by way of `ending`.
    case stuck
}

/// What comes after a cluster has ended.
enum EndGoal: String, Sendable, Hashable {
    /// It stays, to be started again some day.
    case stay
    /// It is started at once.
    case restart
    /// It is forgotten.
    case delete
}

/// All the machine knows about one cluster, as it is stored.
struct ClusterRecord: Sendable, Hashable {
    /// How far it is.
    var step = ClusterStep.starting
    /// What comes after its end; meant only while `ending` or `stuck`.
    var goal = EndGoal.stay
    /// Counts the starts, from 1. What belongs to an earlier start is told apart by it.
    var generation: Int64 = 1
    /// What it is doing, for people.
    var message = ""
    /// Why it ended, or is ending.
    var reason: TerminationReason?
    /// When the present start was asked for.
    var startTime: Timestamp
    /// When it was RUNNING in the present start.
    var readyTime: Timestamp?
    /// When it had ended.
    var endTime: Timestamp?
    /// The newest handle of the backend.
    var handle: ClusterHandle?
    /// Where the driver listens.
    var address: DriverAddress?
    /// The steps of the present start that are done.
    var phases: [PhaseTiming] = []
    /// The step that is going on, and since when.
    var phase: String?
    var phaseSince: Timestamp?
    /// What runs inside, once it does.
    var spark: SparkInfo?
    /// How often ending it has failed in a row.
    var failedEnds = 0
    /// Workers as the backend has them.
    var workers = 0
    /// The number of workers the backend has been asked for, until it has answered; only while `running`.
    var resizeTo: Int?
    /// What is wrong with the place of a cluster that runs.
    var problem: String?
    /// What the backend says about it, such as a limit that is advisory.
    var notes: [String] = []
    /// The name its place knows it by, where that is another one: it was started for a pool.
    var place: ClusterIdentifier?
    /// Whether it is kept until somebody unpins it.
    var isPinned = false
    /// Whether the present start is the second half of a restart.
    var isRestart = false

    init(startTime: Timestamp) { self.startTime = startTime }

    /// As users see it.
    var state: ClusterState {
        switch step {
        case .starting, .connecting: isRestart ? .restarting : .pending
        case .running: resizeTo == nil ? .running : .resizing
        case .ending: goal == .restart ? .restarting : .terminating
        case .ended: .terminated
        case .stuck: .error
        }
    }

    /// Whether the backend may have something of it.
    var mayExist: Bool { step != .ended }
}

/// Something that happened to a cluster and is kept, as users see it.
struct ClusterNote: Sendable, Hashable {
    /// As Databricks names it: CREATING, STARTING, RUNNING, TERMINATING, DRIVER_UNAVAILABLE, ...
    var type: String
    /// In words.
    var message: String
    /// By name.
    var details: [String: String] = [:]

    init(_ type: String, _ message: String, _ details: [String: String] = [:]) {
        self.type = type
        self.message = message
        self.details = details
    }
}
