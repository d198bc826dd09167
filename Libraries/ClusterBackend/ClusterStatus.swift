public import Core

/// How a cluster is, as its backend sees it from outside. Whether Spark is well only the driver knows.
public enum ClusterStatus: Sendable, Hashable {
    /// The driver's process lives, with that many workers.
    case running(workers: Int)
    /// It lives, but something is missing, such as a worker that died and is being replaced.
    case degraded(workers: Int, message: String)
    /// The place cannot be asked now; the cluster may well be alive.
    case unknown(message: String)
    /// The driver is gone for good. Nothing follows.
    case ended(ClusterEnd)
}

/// Why a cluster has ended by itself.
public struct ClusterEnd: Sendable, Hashable {
    /// The kinds of end that are told apart.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The driver's process ended by itself.
        case exited = "DRIVER_EXITED"
        /// It was killed by a signal.
        case killed = "DRIVER_KILLED"
        /// It, or a worker it cannot do without, ran out of memory.
        case outOfMemory = "OUT_OF_MEMORY"
        /// Somebody removed it behind our back.
        case removed = "REMOVED"
        /// The machine or engine it ran on was restarted.
        case hostRestarted = "HOST_RESTARTED"
    }

    /// What happened.
    public var kind: Kind
    /// The exit status, or the signal's number for `killed`; nil when nobody can know any more.
    public var status: Int32?
    /// A sentence for the user: what happened and what to do next.
    public var message: String

    /// Makes an end.
    public init(_ kind: Kind, status: Int32? = nil, message: String) {
        self.kind = kind
        self.status = status
        self.message = message
    }
}

/// A step of a cluster's start, for timings and for people who wait.
public struct StartPhase: Sendable, Hashable, CustomStringConvertible {
    /// Lower-case letters and underscores.
    public let name: String

    /// Makes a phase of a backend's own; prefer the ones below.
    public init(_ name: String) { self.name = name }

    /// Folders, networks, files.
    public static let prepare = StartPhase("prepare")
    /// The image is fetched.
    public static let image = StartPhase("image")
    /// Machines or capacity are asked for.
    public static let allocate = StartPhase("allocate")
    /// The driver's process is started.
    public static let driver = StartPhase("driver")
    /// The workers are started.
    public static let workers = StartPhase("workers")

    /// The name.
    public var description: String { name }
}

/// What happens while a cluster is brought up.
public enum ProvisionEvent: Sendable, Hashable {
    /// A phase begins, and the one before it has ended.
    case phase(StartPhase)
    /// How far the present phase is, such as bytes of an image; `total` is nil when it is not known.
    case progress(done: Int64, total: Int64?, unit: String)
    /// Something exists from here on. It is stored at once and replaces the one before.
    case handle(ClusterHandle)
}

/// A line that a process of the cluster wrote.
public struct BackendLogLine: Sendable, Hashable {
    /// Grows from line to line; resume after the last one seen.
    public var sequence: Int64
    /// When it was written, as far as that is known, else when it was read.
    public var timestamp: Timestamp
    /// `driver`, `worker-0`, `worker-1`, ...
    public var source: String
    /// The line without its end, made valid UTF-8, cut at 64 KiB.
    public var text: String

    /// Makes a line.
    public init(sequence: Int64, timestamp: Timestamp, source: String, text: String) {
        self.sequence = sequence
        self.timestamp = timestamp
        self.source = source
        self.text = text
    }
}

/// What one node uses.
public struct NodeStats: Sendable, Hashable {
    /// Grows from sample to sample; resume after the last one seen. Samples of one moment share it.
    public var sequence: Int64
    /// When it was taken.
    public var timestamp: Timestamp
    /// `driver`, `worker-0`, `worker-1`, ...
    public var node: String
    /// Processor time since the node's start.
    public var cpuTime: Duration
    /// Resident memory in bytes.
    public var memoryBytes: Int64
    /// The hard limit on it in bytes; nil when there is none.
    public var memoryLimitBytes: Int64?
    /// Processes of the node.
    public var processes: Int

    /// Makes a sample.
    public init(
        sequence: Int64, timestamp: Timestamp, node: String, cpuTime: Duration, memoryBytes: Int64,
        memoryLimitBytes: Int64? = nil, processes: Int
    ) {
        self.sequence = sequence
        self.timestamp = timestamp
        self.node = node
        self.cpuTime = cpuTime
        self.memoryBytes = memoryBytes
        self.memoryLimitBytes = memoryLimitBytes
        self.processes = processes
    }
}

/// Whether a backend could start a cluster now.
public struct PreflightReport: Sendable, Hashable {
    /// One thing that was looked at.
    public struct Check: Sendable, Hashable {
        /// What, in a few words: `Java 17`, `Docker engine`.
        public var name: String
        /// Whether it is as it should be.
        public var passed: Bool
        /// What was found, and when it did not pass, what to do.
        public var message: String

        /// Makes a check.
        public init(_ name: String, passed: Bool, message: String) {
            self.name = name
            self.passed = passed
            self.message = message
        }
    }

    /// All that was looked at.
    public var checks: [Check]

    /// Makes a report.
    public init(checks: [Check]) { self.checks = checks }

    /// Whether all checks passed.
    public var passed: Bool { checks.allSatisfy(\.passed) }
    /// The messages of those that did not, as one text; empty when all passed.
    public var advice: String { checks.filter { !$0.passed }.map(\.message).joined(separator: " ") }
}
