internal import ClusterBackend
internal import Core
internal import Synchronization

/// Holds the exam: each area on new clusters, which are ended afterwards whatever happened.
///
/// ```swift
/// @Test(arguments: ConformanceArea.allCases) func passes(_ area: ConformanceArea) async throws {
///     try await Examiner(subject).run(area)
/// }
/// ```
public struct Examiner: Sendable {
    let subject: any ConformanceSubject

    /// Makes an examiner of one subject.
    public init(_ subject: any ConformanceSubject) { self.subject = subject }

    /// Runs one area.
    /// - Throws: `ConformanceFailure` when a rule is broken, and whatever the subject's own hands throw.
    public func run(_ area: ConformanceArea) async throws {
        let session = ExamSession(subject: subject, area: area)
        do {
            try await session.run()
        } catch {
            await session.cleanUp()
            throw error
        }
        await session.cleanUp()
        try await session.checkNothingRemains()
    }
}

/// One area being run: its names, its backend and the helpers that all areas use.
final class ExamSession: Sendable {
    /// For what has no limit of its own: long, because the machine may be busy with other tests.
    static let patience = Duration.seconds(120)
    /// For a death: the rule says two seconds, and the rest is for a machine that is busy with other tests.
    static let promptly = Duration.seconds(30)

    let subject: any ConformanceSubject
    let area: ConformanceArea
    let installation: String
    private let used = Mutex<[(ClusterIdentifier, installation: String)]>([])

    init(subject: any ConformanceSubject, area: ConformanceArea) {
        self.subject = subject
        self.area = area
        installation = "exam-\(Identifier.make())"
    }

    func run() async throws {
        switch area {
        case .lifeCycle: try await lifeCycle()
        case .idempotentProvisioning: try await idempotentProvisioning()
        case .startingAgain: try await startingAgain()
        case .validation: try await validation()
        case .capabilityHonesty: try await capabilityHonesty()
        case .failureAtEachStep: try await failureAtEachStep()
        case .cancellationOfStart: try await cancellationOfStart()
        case .interruptedStart: try await interruptedStart()
        case .recoveryOfTheSet: try await recoveryOfTheSet()
        case .recoveryIsCareful: try await recoveryIsCareful()
        case .twoAtOnce: try await twoAtOnce()
        case .deathIsSeen: try await deathIsSeen()
        case .resumableLogs: try await resumableLogs()
        case .resumableStats: try await resumableStats()
        case .cancellationOfStreams: try await cancellationOfStreams()
        case .secrecy: try await secrecy()
        case .preflight: try await preflight()
        }
    }

    // MARK: Names and clean-up

    /// A new cluster name, which is cleaned up at the end.
    func newID(installation: String? = nil) throws -> ClusterIdentifier {
        guard let id = ClusterIdentifier("x" + Identifier.make()) else { throw fail("no name could be made") }
        used.withLock { $0.append((id, installation ?? self.installation)) }
        return id
    }

    /// A backend as the service of this session makes it; each call is a restart.
    func backend() async throws -> any ClusterBackend { try await subject.backend(installation: installation) }

    func cleanUp() async {
        for (id, installation) in used.withLock({ $0 }) {
            // What cannot be ended shows in `checkNothingRemains`.
            guard let backend = try? await subject.backend(installation: installation) else { continue }
            try? await backend.terminate(id, handle: nil, grace: .seconds(1))
            await backend.close()
        }
    }

    func checkNothingRemains() async throws {
        for (id, _) in used.withLock({ $0 }) { try await expectNothing(of: id, "at the end of the area") }
    }

    // MARK: Rules

    func fail(_ message: String) -> ConformanceFailure { ConformanceFailure(area: area, message: message) }

    func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws {
        if !condition { throw fail(message()) }
    }

    func expectNothing(of id: ClusterIdentifier, _ moment: String) async throws {
        let remains = try await subject.remains(of: id)
        try expect(remains.isEmpty, "nothing of the cluster should be left \(moment), but there is \(remains)")
    }

    /// Expects the call to throw an error of ours that a user can act on.
    @discardableResult
    func expectError<Value>(
        _ what: String, codes: [ErrorCode] = [], _ body: () async throws -> Value
    ) async throws -> HarbourError {
        do {
            _ = try await body()
        } catch let error as HarbourError {
            try expect(
                codes.isEmpty || codes.contains(error.code),
                "\(what) should fail with \(codes.map(\.name)), not with \(error.describeChain())")
            try expect(error.code != .internalError, "\(what) should have a code, not \(error.describeChain())")
            try expect(error.message.hasSuffix("."), "\(what) should fail with a sentence, not \"\(error.message)\"")
            return error
        } catch {
            throw fail("\(what) should throw a HarbourError, not \(error)")
        }
        throw fail("\(what) should have failed")
    }

    /// Runs the body, and fails when it takes longer.
    func within<Value: Sendable>(
        _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else {
                throw fail("\(what) should take less than \(limit)")
            }
            return value
        }
    }

    /// Brings a cluster up and returns what the backend says, with the request it came from.
    func start(
        _ backend: any ClusterBackend, _ id: ClusterIdentifier, workers: Int = 0
    ) async throws -> (request: ProvisionRequest, cluster: ProvisionedCluster) {
        let request = subject.request(id, workers: workers)
        return (request, try await backend.provision(request) { _ in })
    }

    /// Asks the driver who it is, as soon as it listens.
    func identify(_ cluster: ProvisionedCluster, _ request: ProvisionRequest) async throws -> DriverIdentity {
        let subject = subject
        return try await within(ExamSession.patience, "a driver's first answer") {
            while true {
                do {
                    return try await subject.identify(cluster.driver, token: request.launch.token)
                } catch {
                    // Started, but not listening yet: the seam promises no more than the address.
                    try Task.checkCancellation()
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
        }
    }

    func terminate(_ backend: any ClusterBackend, _ id: ClusterIdentifier, _ handle: ClusterHandle?) async throws {
        try await backend.terminate(id, handle: handle, grace: .seconds(5))
    }
}

/// Collects what a stream sends.
final class Collected<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var waiter: (enough: ([Element]) -> Bool, continuation: CheckedContinuation<Void, Never>)?
    }
    private let state = Mutex(State())

    var elements: [Element] { state.withLock { $0.elements } }

    func add(_ element: Element) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.elements.append(element)
            guard let waiter = state.waiter, waiter.enough(state.elements) else { return nil }
            state.waiter = nil
            return waiter.continuation
        }
        waiter?.resume()
    }

    /// Waits until the elements so far are enough. One waiter at a time.
    func wait(until enough: @escaping @Sendable ([Element]) -> Bool) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let ready = state.withLock { state in
                    if Task.isCancelled || enough(state.elements) { return true }
                    state.waiter = (enough, continuation)
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.continuation.resume()
        }
    }
}
