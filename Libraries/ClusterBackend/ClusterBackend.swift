public import Core

/// Receives the elements of a stream, one after the other. The sender waits until it returns, which is the back-pressure;
/// when it throws, the stream ends with that error.
public typealias Receiver<Element> = @Sendable (Element) async throws -> Void

/// A place where clusters can run: this machine, a container engine, an existing Spark master, another platform.
///
/// A backend brings a driver and its workers up somewhere and says where the driver listens; nothing else. It knows no
/// users, no commands and no jobs. One value serves the whole process, its methods are called concurrently, and for one
/// cluster the caller keeps at most one of `provision`, `resize` and `terminate` going at a time.
///
/// What a backend must keep to, and what `ClusterBackendConformance` examines:
/// - **Our ids.** The caller chooses the id and has written its wish down before it calls. Everything a backend makes
///   carries the id and the installation (`BackendContext`), so that it is found again without any memory of ours.
/// - **Idempotent.** `provision` and `terminate` may be called again at any time, after a crash at any point.
/// - **One way to clean up.** After `provision` or `resize` throws or is cancelled, things may remain; `terminate` ends
///   them all, whatever the point of the failure.
/// - **No silent defaults.** What is not in `capabilities` is refused with `NOT_SUPPORTED`; what is in it works.
/// - **No secrets** in handles, events, log lines, statuses, errors, names, labels or command lines.
/// - **Cancellation.** A cancelled task leaves every method soon, with `CANCELLED` or a `CancellationError`.
public protocol ClusterBackend: Sendable {
    /// Its name in a cluster's specification, such as `local`: lower-case letters, digits and dashes.
    var name: String { get }

    /// What it can do. The same for the life of the value.
    var capabilities: Capabilities { get }

    /// Every problem of a specification at once, in plain words; empty when `provision` would take it. No I/O.
    ///
    /// It must find what `Capabilities.problems(of:)` finds, so start with that and add your own.
    func validate(_ spec: BackendSpec) -> [SpecProblem]

    /// Looks whether a cluster could be started now: the engine answers, Java is there, versions match.
    ///
    /// Never throws: what cannot be checked is a check that failed. Called when a user asks, so take a second at most.
    func preflight() async -> PreflightReport

    /// Brings the cluster of that id up, or goes on with one that was begun, or answers at once when it is up already.
    ///
    /// Returns as soon as the driver's process has been started and its address is known. The caller connects to it and
    /// follows Spark's own start there.
    /// `progress` is told each phase as it begins, and the handle as soon as there is something to lose.
    /// - Throws: `NOT_SUPPORTED`, `INVALID_PARAMETER_VALUE` (as `validate`), `RESOURCE_CONFLICT` when the id is in use
    ///   with another specification, `BACKEND_UNAVAILABLE`, `CLUSTER_LAUNCH_FAILED`, `CANCELLED`.
    func provision(_ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster

    /// The state now, asked of the place itself rather than remembered.
    /// - Throws: `BACKEND_UNAVAILABLE` when it cannot be asked. A cluster that is gone is an answer, not an error.
    func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus

    /// Sends the present state, then each change, and returns after it has sent `.ended`.
    ///
    /// An end is sent within two seconds of happening. While the place cannot be asked, it sends `.unknown` and goes on.
    func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws

    /// Sends the lines that the driver's and workers' processes wrote, from the first one after `sequence` on.
    ///
    /// The numbers grow and stay the same for the same lines, over restarts of the service too, so that a reader resumes
    /// without a gap or a repetition. Lines stay readable until `terminate`, also those of a process that has died.
    /// With `follow` it goes on with new lines until the cluster has ended; otherwise it returns at the present end.
    /// - Throws: `NOT_SUPPORTED` without `.logs`.
    func logs(
        of handle: ClusterHandle, after sequence: Int64, follow: Bool, to receive: @escaping Receiver<BackendLogLine>)
        async throws

    /// Sends a sample per node at each interval until the cluster ends; the first one at once.
    ///
    /// Counters are totals since the node's start, so a reader who comes back has lost no consumption. Only samples with
    /// a number above `sequence` are sent; numbers grow over restarts of the service too.
    /// - Throws: `NOT_SUPPORTED` without `.stats`.
    func stats(
        of handle: ClusterHandle, after sequence: Int64, every interval: Duration,
        to receive: @escaping Receiver<NodeStats>) async throws

    /// The driver's scratch folder as the service's own process can read it, or nil when it is not there.
    ///
    /// It stays readable until `terminate`, also after the driver has died: what its commands have put out is in it.
    /// - Throws: `NOT_SUPPORTED` without `.scratch`, `BACKEND_UNAVAILABLE`.
    func scratch(of handle: ClusterHandle) async throws(HarbourError) -> String?

    /// Ends the driver as `terminate` does, and leaves its scratch folder as it is: when this returns, nothing is written
    /// into the journals in it any more. Ending a driver that has ended is done at once.
    /// - Throws: `NOT_SUPPORTED` without `.scratch`, `BACKEND_UNAVAILABLE` when it is not certain that it has ended.
    func halt(_ handle: ClusterHandle, grace: Duration) async throws(HarbourError)

    /// Makes the cluster have that many workers, and returns when they have been started or told to leave.
    /// - Throws: `NOT_SUPPORTED` without `.resize`, `CLUSTER_LOST` when it has ended.
    func resize(_ handle: ClusterHandle, workers: Int, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster

    /// Ends everything that carries the id, finished or half made, and returns when nothing is left. Ending what does
    /// not exist is done at once. `handle` is the newest one known, nil when the caller never received one; `grace` is
    /// how long the driver may take to end in order before it is killed.
    /// - Throws: `BACKEND_UNAVAILABLE` when it is not certain that nothing is left; the caller tries again later.
    func terminate(_ id: ClusterIdentifier, handle: ClusterHandle?, grace: Duration) async throws(HarbourError)

    /// Called once after the service's start, before anything else: finds all clusters again and ends orphans.
    ///
    /// An orphan carries this installation's mark, is not in `all`, and was made before `asOf`. What carries another
    /// installation's mark, or none, is never touched. One broken or stale entry hinders no other: each id of `all` gets
    /// an answer.
    /// - Throws: `BACKEND_UNAVAILABLE` when the place cannot be asked; nothing has been ended then.
    func recover(_ all: [RecoveryEntry], asOf time: Timestamp) async throws(HarbourError) -> RecoveryReport

    /// The service ends: lets go of connections, watches and timers. Clusters go on running.
    func close() async
}
