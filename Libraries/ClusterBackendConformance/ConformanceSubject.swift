public import ClusterBackend

/// Who answers at a driver's address.
public struct DriverIdentity: Sendable, Hashable {
    /// The cluster it believes to serve.
    public var cluster: String
    /// Unlike that of every other process that was ever started: a process id with a start time, or a random text.
    public var process: String

    /// Makes an identity.
    public init(cluster: String, process: String) {
        self.cluster = cluster
        self.process = process
    }
}

/// A way to make the next start of one cluster fail.
public struct StartFailure: Sendable {
    /// What fails, for the report.
    public var name: String
    /// Arranges it. It may change the request, such as to a program that is not there.
    public var arrange: @Sendable (ProvisionRequest) async throws -> ProvisionRequest
    /// Puts everything back, so that the request as it was can be started.
    public var undo: @Sendable (ProvisionRequest) async throws -> Void

    /// Makes a failure.
    public init(
        _ name: String, arrange: @escaping @Sendable (ProvisionRequest) async throws -> ProvisionRequest,
        undo: @escaping @Sendable (ProvisionRequest) async throws -> Void = { _ in }
    ) {
        self.name = name
        self.arrange = arrange
        self.undo = undo
    }
}

/// What a backend's author supplies, so that the exam can be held: the place, and eyes and hands in it that do not go
/// through the backend.
public protocol ConformanceSubject: Sendable {
    /// A new backend over the same place, as a restarted service of that installation would make it.
    func backend(installation: String) async throws -> any ClusterBackend

    /// A small cluster. Its driver must listen at once and answer `identify`; it need not run Spark.
    func request(_ id: ClusterIdentifier, workers: Int) -> ProvisionRequest

    /// Asks who listens there, showing the token; throws when nobody does.
    func identify(_ address: DriverAddress, token: Secret) async throws -> DriverIdentity

    /// The driver writes a line to its standard output, and has done so when this returns.
    func say(_ line: String, at address: DriverAddress, token: Secret) async throws

    /// Kills the driver's process from outside, without the backend's knowledge.
    func kill(_ id: ClusterIdentifier) async throws

    /// Whatever is left in the place of a cluster: processes, folders, containers, networks, by name.
    func remains(of id: ClusterIdentifier) async throws -> [String]

    /// Everything another user of the place could list: command lines, names, labels.
    func listing() async throws -> [String]

    /// Ways to make a start fail, one for each step of it.
    var failures: [StartFailure] { get }
}

/// A rule that was broken.
public struct ConformanceFailure: Error, CustomStringConvertible {
    /// Which part of the exam.
    public var area: ConformanceArea
    /// What should have been, and what was.
    public var message: String

    /// Area and message.
    public var description: String { "\(area.rawValue): \(message)" }
}

/// The parts of the exam; each can be run by itself, and several at a time.
public enum ConformanceArea: String, Sendable, CaseIterable, CustomStringConvertible {
    /// Up, seen, reached, ended, nothing left.
    case lifeCycle
    /// Asking twice makes one; another wish under the same id is refused.
    case idempotentProvisioning
    /// An id whose cluster has ended can be started again.
    case startingAgain
    /// All problems are listed at once, and a bad specification leaves nothing behind.
    case validation
    /// What is not claimed throws; what is claimed works.
    case capabilityHonesty
    /// A failure at each step has a code and a sentence, is cleaned by `terminate`, and does not spoil the id.
    case failureAtEachStep
    /// Cancelled at each event of a start, everything can be cleaned.
    case cancellationOfStart
    /// A service that vanished at each event of a start finds what there is, and goes on.
    case interruptedStart
    /// Running, dead, never started, orphaned, foreign and unreadable ones are all told apart.
    case recoveryOfTheSet
    /// What was made after the list was read is no orphan.
    case recoveryIsCareful
    /// Two clusters at once do not touch each other.
    case twoAtOnce
    /// A driver that dies is seen in time, by the one who started it and by one who found it again.
    case deathIsSeen
    /// Lines resume by number, after a restart of the service too.
    case resumableLogs
    /// Samples resume by number, after a restart of the service too.
    case resumableStats
    /// Cancelled streams end.
    case cancellationOfStreams
    /// Tokens, secret variables and files are nowhere to be read.
    case secrecy
    /// Preflight passes here, with a sentence for each check.
    case preflight

    /// The name.
    public var description: String { rawValue }
}
