import ClusterBackend
import Core
import DockerBackend
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport

extension TestDocker {
    /// The driver, built beside the tests.
    static let driver = program("driver")

    /// An image by deploy/images/build that Spark's test shall use, instead of what this machine has: set
    /// `HARBOUR_TEST_CLUSTER_IMAGE`.
    static let builtImage = ProcessSpecification.Environment.ours["HARBOUR_TEST_CLUSTER_IMAGE"]
}

/// A cluster on the test's engine, which is ended afterwards.
struct DockerCluster: Sendable {
    let backend: DockerBackend
    let request: ProvisionRequest
    let cluster: ProvisionedCluster
    let loop: EventLoop

    var id: String { request.id.text }
}

/// Brings a cluster up, and ends it after the body whatever happens.
func withDockerCluster(
    _ spec: BackendSpec, driver: String, mounts: [String], python: String = "/usr/bin/python3", loop: EventLoop,
    _ body: (DockerCluster) async throws -> Void
) async throws {
    var template = Array("/tmp/docker-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template), let id = ClusterIdentifier("t" + Identifier.make()) else {
        throw HarbourError.system("A folder could not be made", errno)
    }
    let folder = String(cString: made)
    var settings = ["host": "unix://\(TestDocker.socket ?? "")", "reach": "socket"]
    if let image = TestDocker.builtImage, driver == TestDocker.driver {
        settings["image"] = image
    } else {
        settings["image"] = TestDocker.image
        settings["mounts"] = TestDocker.mounts(mounts)
        settings["image_python"] = python
        settings["image_driver"] = driver
        settings["image_runtime_folder"] = "\(TestDocker.top)/Libraries/Runtime"
    }
    let backend = DockerBackend(
        context: BackendContext(installation: "test-\(id)", folder: "\(folder)/d", settings: settings), loop: loop)
    let request = ProvisionRequest(
        id: id, spec: spec,
        launch: DriverLaunch(executable: "/unused", token: Secret(Identifier.secret())))
    do {
        let cluster = try await backend.provision(request) { _ in }
        try await body(DockerCluster(backend: backend, request: request, cluster: cluster, loop: loop))
    } catch {
        try? await backend.terminate(id, handle: nil, grace: .seconds(1))
        await backend.close()
        throw error
    }
    try await backend.terminate(id, handle: nil, grace: .seconds(10))
    await backend.close()
    try runCommand(["find", folder, "-depth", "-type", "d", "-empty", "-delete"])
    guard access(folder, F_OK) != 0 else { throw HarbourError(.invalidState, "Something is left in \(folder).") }
}
