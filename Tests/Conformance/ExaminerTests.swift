import ClusterBackend
import ClusterBackendConformance
import Core
import SimulatedBackend
import Testing

/// An exam that everybody passes examines nothing: each of these backends breaks one rule and has to be caught.
@Suite struct ExaminerTests {
    @Test(arguments: Cheat.Trick.allCases) func catches(_ trick: Cheat.Trick) async throws {
        let subject = CheatingSubject(trick: trick)
        await #expect(throws: ConformanceFailure.self) { try await Examiner(subject).run(trick.area) }
    }
}

private struct CheatingSubject: ConformanceSubject {
    let honest = SimulatedSubject()
    let trick: Cheat.Trick

    func backend(installation: String) async throws -> any ClusterBackend {
        Cheat(try await honest.backend(installation: installation), trick)
    }
    func request(_ id: ClusterIdentifier, workers: Int) -> ProvisionRequest { honest.request(id, workers: workers) }
    func identify(_ address: DriverAddress, token: Secret) async throws -> DriverIdentity {
        try await honest.identify(address, token: token)
    }
    func say(_ line: String, at address: DriverAddress, token: Secret) async throws {
        try await honest.say(line, at: address, token: token)
    }
    func kill(_ id: ClusterIdentifier) async throws { try await honest.kill(id) }
    func remains(of id: ClusterIdentifier) async throws -> [String] { try await honest.remains(of: id) }
    func listing() async throws -> [String] { try await honest.listing() }
    var failures: [StartFailure] { honest.failures }
}

/// A backend that does everything right but one thing.
struct Cheat: ClusterBackend {
    enum Trick: CaseIterable, Sendable {
        case leavesThings
        case leaksTheToken
        case claimsResize
        case sweepsNothing
        case missesDeaths
        case countsLinesAnew
        case acceptsAnything

        var area: ConformanceArea {
            switch self {
            case .leavesThings: .lifeCycle
            case .leaksTheToken: .secrecy
            case .claimsResize: .capabilityHonesty
            case .sweepsNothing: .recoveryOfTheSet
            case .missesDeaths: .deathIsSeen
            case .countsLinesAnew: .resumableLogs
            case .acceptsAnything: .validation
            }
        }
    }

    private let honest: any ClusterBackend
    private let trick: Trick

    init(_ honest: any ClusterBackend, _ trick: Trick) {
        self.honest = honest
        self.trick = trick
    }

    var name: String { honest.name }
    var capabilities: Capabilities { honest.capabilities }
    func validate(_ spec: BackendSpec) -> [SpecProblem] { trick == .acceptsAnything ? [] : honest.validate(spec) }
    func preflight() async -> PreflightReport { await honest.preflight() }

    func provision(_ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        var cluster = try await honest.provision(request, progress: progress)
        if trick == .leaksTheToken { cluster.handle.payload += Array(request.launch.token.reveal().utf8) }
        return cluster
    }
    func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        try await honest.status(of: handle)
    }
    func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        let trick = trick
        try await honest.watch(handle) { status in
            if case .ended = status, trick == .missesDeaths { return }
            try await receive(status)
        }
    }
    func logs(
        of handle: ClusterHandle, after sequence: Int64, follow: Bool, to receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        let start = trick == .countsLinesAnew ? 0 : sequence
        try await honest.logs(of: handle, after: start, follow: follow, to: receive)
    }
    func stats(
        of handle: ClusterHandle, after sequence: Int64, every interval: Duration,
        to receive: @escaping Receiver<NodeStats>
    ) async throws {
        try await honest.stats(of: handle, after: sequence, every: interval, to: receive)
    }
    func resize(_ handle: ClusterHandle, workers: Int, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        if trick != .claimsResize { return try await honest.resize(handle, workers: workers, progress: progress) }
        return try await honest.resize(handle, workers: 1, progress: progress)
    }
    func scratch(of handle: ClusterHandle) async throws(HarbourError) -> String? {
        try await honest.scratch(of: handle)
    }
    func halt(_ handle: ClusterHandle, grace: Duration) async throws(HarbourError) {
        try await honest.halt(handle, grace: grace)
    }
    func terminate(_ id: ClusterIdentifier, handle: ClusterHandle?, grace: Duration) async throws(HarbourError) {
        if trick != .leavesThings { try await honest.terminate(id, handle: handle, grace: grace) }
    }
    func recover(_ all: [RecoveryEntry], asOf time: Timestamp) async throws(HarbourError) -> RecoveryReport {
        let cutoff = trick == .sweepsNothing ? Timestamp(milliseconds: 0) : time
        return try await honest.recover(all, asOf: cutoff)
    }
    func close() async { await honest.close() }
}
