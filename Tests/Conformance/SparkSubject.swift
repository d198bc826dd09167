import ClusterBackend
import ClusterBackendConformance
import Core
import EventLoop
import SparkBackend
import TestSupport

/// A standalone master as the place of the exam. The driver is a process of this machine, as with the local backend.
struct SparkSubject: ConformanceSubject {
    let local: LocalSubject
    let settings: [String: String]
    /// For what Java writes, which is nothing of the cluster's.
    let folder: String

    init(loop: EventLoop, settings: [String: String], folder: String) throws {
        local = try LocalSubject(loop: loop)
        self.folder = folder
        self.settings = settings.merging(local.settings) { ours, _ in ours }
    }

    func backend(installation: String) async throws -> any ClusterBackend {
        try SparkBackend(
            context: BackendContext(installation: installation, folder: "\(local.folder)/c", settings: settings),
            loop: local.loop)
    }

    /// Without workers the master is not involved, and the driver's stand-in does; with some it is a real application,
    /// for executors are only given to one.
    func request(_ id: ClusterIdentifier, workers: Int) -> ProvisionRequest {
        var request = local.request(id, workers: workers)
        guard workers > 0, let python = StandaloneSpark.python else { return request }
        request.launch.executable = python
        request.launch.arguments = [PeerPython.script("spark_driver.py")]
        request.spec.environment["JAVA_TOOL_OPTIONS"] = "-Djava.io.tmpdir=\(folder)"
        return request
    }
    func identify(_ address: DriverAddress, token: Secret) async throws -> DriverIdentity {
        try await local.identify(address, token: token)
    }
    func say(_ line: String, at address: DriverAddress, token: Secret) async throws {
        try await local.say(line, at: address, token: token)
    }
    func kill(_ id: ClusterIdentifier) async throws { try await local.kill(id) }
    func remains(of id: ClusterIdentifier) async throws -> [String] { try await local.remains(of: id) }
    func listing() async throws -> [String] { try await local.listing() }

    var failures: [StartFailure] {
        local.failures + [
            StartFailure("workers that are too small") { request in
                var request = request
                request.spec.workers = 1
                request.spec.worker.memoryMiB = 1_000_000
                return request
            }
        ]
    }
}
