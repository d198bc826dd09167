import ClusterBackend
import ClusterBackendConformance
import Core
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HarbourProtocol
import RemoteBackend
import ServiceClients
import SimulatedBackend
import TestSupport

/// Another DataHarbour as the place of the exam: its gateway over HTTPS, its cluster service, a simulated place below.
struct RemoteSubject: ConformanceSubject {
    let platform: FarPlatform
    let folder: TemporaryDirectory
    let settings: [String: String]

    init(_ platform: FarPlatform) throws {
        self.platform = platform
        folder = try TemporaryDirectory()
        settings = try platform.settings()
    }

    func backend(installation: String) async throws -> any ClusterBackend {
        try RemoteBackend(
            context: BackendContext(installation: installation, folder: folder.file("c"), settings: settings),
            loop: platform.loop)
    }

    func request(_ id: ClusterIdentifier, workers: Int) -> ProvisionRequest {
        ProvisionRequest(
            id: id,
            spec: BackendSpec(
                displayName: "exam", driver: NodeSize(cores: 1, memoryMiB: 512),
                worker: NodeSize(cores: 1, memoryMiB: 512), workers: workers, environment: ["EXAM": "yes"]),
            launch: DriverLaunch(executable: "/remote/driver", token: Secret("token-\(id)")))
    }

    private func status(_ address: DriverAddress, _ token: Secret) async throws -> DriverStatus {
        let http = HTTPClient(loop: platform.loop)
        let client = try ServiceClient(http: http, baseURL: address.url, token: token.reveal(), service: "driver")
        let answer: Result<DriverStatus, HarbourError>
        do throws(HarbourError) {
            answer = .success(try await client.call(DriverAPI.getStatus, .init()))
        } catch {
            answer = .failure(error)
        }
        await http.close()
        return try answer.get()
    }

    func identify(_ address: DriverAddress, token: Secret) async throws -> DriverIdentity {
        let status = try await status(address, token)
        guard status.phase == .running, let spark = status.spark else {
            throw HarbourError(.unavailable, "The far driver does not run yet.")
        }
        return DriverIdentity(cluster: status.clusterID, process: spark.applicationID)
    }

    func say(_ line: String, at address: DriverAddress, token: Secret) async throws {
        guard let id = ClusterIdentifier(try await status(address, token).clusterID) else { return }
        for farID in platform.farIDs(of: id) { platform.world.say(line, in: farID) }
    }

    func kill(_ id: ClusterIdentifier) async throws {
        for farID in platform.farIDs(of: id) where platform.world.clusters.contains(farID) {
            await platform.world.end(
                farID, ClusterEnd(.killed, status: 9, message: "The driver was killed. Start the cluster again."))
            // Its platform has to see it first.
            let stream = try await platform.client().stream(ClusterAPI.watchCluster, .init(clusterID: farID.text))
            for try await info in stream where info.state == .terminated { break }
        }
    }

    func remains(of id: ClusterIdentifier) async throws -> [String] {
        let clusters = platform.farIDs(of: id).intersection(platform.world.clusters).map { "cluster \($0)" }
        let there = try await platform.client().call(ClusterAPI.listClusters, .init(pageSize: 100)).clusters
            .filter { $0.spec.customTags?["harbour_cluster_id"] == id.text }.map { "record \($0.clusterID)" }
        let scopes = try await platform.client().call(WorkspaceAPI.listSecretScopes, .init()).scopes
            .filter { $0.name.hasPrefix(id.text) }.map { "scope \($0.name)" }
        let here = access(folder.file("c/\(id)"), F_OK) == 0 ? ["folder \(id)"] : []
        return clusters + there + scopes + here
    }

    func listing() async throws -> [String] {
        try await platform.client().call(ClusterAPI.listClusters, .init(pageSize: 100)).clusters
            .map { String(decoding: $0.encodedJSON(), as: UTF8.self) }
    }

    var failures: [StartFailure] {
        let front = platform.front
        func failing(_ name: String, _ fault: FarFront.Fault, times: Int = 1) -> StartFailure {
            // Only this cluster's requests: other areas are on the way at the same time.
            StartFailure(name) { request in
                front.fail("/clusters/\(request.id)", .get, fault, times: times)
                return request
            } undo: { _ in
                front.forgive()
            }
        }
        return [
            failing("an answer that is none", .answer(500)),
            failing("a platform that is not there", .lostOnTheWay, times: 1000),
            StartFailure("a file in the folder's way") { request in
                mkdir(folder.file("c"), 0o700)
                close(open(folder.file("c/\(request.id)"), O_CREAT | O_WRONLY, 0o600))
                return request
            } undo: { request in
                unlink(folder.file("c/\(request.id)"))
            },
        ]
    }
}
