import ClusterBackend
import Core
import SimulatedBackend
import Synchronization

/// A service that is killed when it has come past so many moments: from then on it writes nothing and does nothing.
final class Crash: Sendable {
    private struct State {
        var remaining: Int
        var hasHappened = false
        var crossed = 0
    }

    private let state: Mutex<State>

    /// The service survives so many moments.
    init(after moments: Int) { state = Mutex(State(remaining: moments)) }

    var hasHappened: Bool { state.withLock { $0.hasHappened } }
    /// How many moments there were.
    var crossed: Int { state.withLock { $0.crossed } }

    /// A moment has come.
    func cross() throws {
        try state.withLock { state in
            state.crossed += 1
            state.remaining -= 1
            if state.remaining < 0 { state.hasHappened = true }
            if state.hasHappened { throw HarbourError(.unavailable, "The service was killed.") }
        }
    }

    /// Whatever happens later does not happen.
    func check() throws {
        if hasHappened { throw HarbourError(.unavailable, "The service was killed.") }
    }
}

/// A backend whose caller can be killed before and after everything that it does.
struct CrashingBackend: ClusterBackend {
    let backend: SimulatedBackend
    let crash: Crash

    var name: String { backend.name }
    var capabilities: Capabilities { backend.capabilities }
    func validate(_ spec: BackendSpec) -> [SpecProblem] { backend.validate(spec) }
    func preflight() async -> PreflightReport { await backend.preflight() }
    func close() async { await backend.close() }

    private func guarded<Value>(_ body: () async throws -> Value) async throws(HarbourError) -> Value {
        do {
            try crash.cross()
            let value = try await body()
            try crash.cross()
            return value
        } catch {
            throw .wrap(error)
        }
    }

    private func guarded<Element>(_ receive: @escaping Receiver<Element>) -> Receiver<Element> {
        { [crash] element in
            try crash.check()
            try await receive(element)
            try crash.check()
        }
    }

    func provision(
        _ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>
    ) async throws(HarbourError) -> ProvisionedCluster {
        try await guarded { try await backend.provision(request, progress: guarded(progress)) }
    }

    func resize(
        _ handle: ClusterHandle, workers: Int, progress: @escaping Receiver<ProvisionEvent>
    ) async throws(HarbourError) -> ProvisionedCluster {
        try await guarded { try await backend.resize(handle, workers: workers, progress: guarded(progress)) }
    }

    func terminate(
        _ id: ClusterIdentifier, handle: ClusterHandle?, grace: Duration
    ) async throws(HarbourError) {
        try await guarded { try await backend.terminate(id, handle: handle, grace: grace) }
    }

    func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        try await backend.status(of: handle)
    }

    func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        try await backend.watch(handle, to: guarded(receive))
    }

    func logs(
        of handle: ClusterHandle, after sequence: Int64, follow: Bool, to receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        try await backend.logs(of: handle, after: sequence, follow: follow, to: receive)
    }

    func stats(
        of handle: ClusterHandle, after sequence: Int64, every interval: Duration,
        to receive: @escaping Receiver<NodeStats>
    ) async throws {
        try await backend.stats(of: handle, after: sequence, every: interval, to: receive)
    }

    func scratch(of handle: ClusterHandle) async throws(HarbourError) -> String? {
        try await backend.scratch(of: handle)
    }

    func halt(_ handle: ClusterHandle, grace: Duration) async throws(HarbourError) {
        try await guarded { try await backend.halt(handle, grace: grace) }
    }

    func recover(_ all: [RecoveryEntry], asOf time: Timestamp) async throws(HarbourError) -> RecoveryReport {
        try await backend.recover(all, asOf: time)
    }
}
