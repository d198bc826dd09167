import ClusterBackend
import ClusterBackendConformance
import Core
import SimulatedBackend
import Testing

/// The simulated backend sits the same exam as the real ones, so that what is tested on it means something.
@Suite struct SimulatedConformanceTests {
    @Test(arguments: ConformanceArea.allCases) func passes(_ area: ConformanceArea) async throws {
        try await Examiner(SimulatedSubject()).run(area)
    }

    @Test(arguments: ConformanceArea.allCases)
    func passesWithoutOptionalPowers(_ area: ConformanceArea) async throws {
        let script = SimulatedScript(capabilities: Capabilities([.recovery], maximumWorkers: 0))
        try await Examiner(SimulatedSubject(script: script)).run(area)
    }
}

struct SimulatedSubject: ConformanceSubject {
    let world: SimulatedWorld

    init(script: SimulatedScript = SimulatedScript()) {
        world = SimulatedWorld(script: script, time: VirtualTime(start: .now))
    }

    func backend(installation: String) async throws -> any ClusterBackend {
        SimulatedBackend(world: world, context: BackendContext(installation: installation, folder: "/nowhere"))
    }

    func request(_ id: ClusterIdentifier, workers: Int) -> ProvisionRequest {
        ProvisionRequest(
            id: id, spec: BackendSpec(displayName: "exam", workers: workers),
            launch: DriverLaunch(executable: "/simulated/driver", token: Secret("token-\(id)")))
    }

    private func driver(_ address: DriverAddress, _ token: Secret) throws -> SimulatedDriver {
        guard let driver = world.driver(at: address), driver.request.launch.token == token else {
            throw HarbourError(.unavailable, "Nobody listens there.")
        }
        return driver
    }

    func identify(_ address: DriverAddress, token: Secret) async throws -> DriverIdentity {
        let driver = try driver(address, token)
        return DriverIdentity(cluster: driver.request.id.text, process: "incarnation \(driver.incarnation)")
    }

    func say(_ line: String, at address: DriverAddress, token: Secret) async throws {
        world.say(line, in: try driver(address, token).request.id)
    }

    func kill(_ id: ClusterIdentifier) async throws {
        await world.end(id, ClusterEnd(.killed, status: 9, message: "The driver was killed. Start the cluster again."))
    }

    func remains(of id: ClusterIdentifier) async throws -> [String] {
        world.clusters.filter { $0 == id }.map(\.text)
    }

    func listing() async throws -> [String] { world.clusters.map(\.text) }

    var failures: [StartFailure] {
        let steps: [SimulatedStep] = [.phase(.prepare), .phase(.driver), .phase(.workers), .answer]
        return steps.map { step in
            StartFailure("\(step)") { request in
                world.edit {
                    $0.plan(
                        .fail(HarbourError(.launchFailed, "Planned to fail. Start it again.")), at: step,
                        of: request.id)
                }
                return request
            }
        }
    }
}
