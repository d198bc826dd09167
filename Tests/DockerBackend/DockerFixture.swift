import ClusterBackend
import Core
import DockerBackend
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport

/// The Docker engine that tests use, and what of this machine its containers need.
enum DockerPlace {
    private static let variables = ProcessSpecification.Environment.ours

    /// The repository's folder.
    static let top: String = {
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    }()

    /// The path of an engine's socket; nil when there is none.
    static let socket: String? = {
        let named = variables["HARBOUR_TEST_DOCKER"] ?? variables["DOCKER_HOST"] ?? "unix:///var/run/docker.sock"
        let path = named.hasPrefix("unix://") ? String(named.dropFirst("unix://".count)) : named
        guard access(path, R_OK | W_OK) == 0, (try? eyes("images", at: path)) != nil else { return nil }
        return path
    }()

    /// What docker_eyes.py says: eyes and hands apart from the backend's own.
    @discardableResult
    static func eyes(_ words: String..., at path: String? = nil) throws -> String {
        guard let path = path ?? socket else { throw HarbourError(.unavailable, "There is no Docker engine.") }
        return try runCommand(["python3", "\(top)/Tests/Conformance/docker_eyes.py", path] + words)
    }

    /// The clusters' Python with Spark, where set-up has made it.
    static let python: String? = {
        let data = variables["HARBOUR_DATA"] ?? variables["HOME"].map { "\($0)/.harbour" } ?? ""
        let path = variables["HARBOUR_DRIVER_PYTHON"] ?? "\(data)/runtime/current/bin/python"
        // The environment's own folder, for the link to the newest one may move; its python is a link that stays.
        guard let home = realpath(folder(of: folder(of: path)), nil) else { return nil }
        defer { free(home) }
        let resolved = "\(String(cString: home))/bin/python"
        return access(resolved, X_OK) == 0 ? resolved : nil
    }()

    /// The driver, built beside the tests.
    static let driver: String? = {
        let parts = CommandLine.arguments[0].split(separator: "/").dropLast().joined(separator: "/")
        guard let found = realpath((CommandLine.arguments[0].hasPrefix("/") ? "/" : "") + "\(parts)/driver", nil) else {
            return nil
        }
        defer { free(found) }
        return String(cString: found)
    }()

    /// The folder of the Swift libraries that the built driver is linked to, from our own list of mapped files.
    static let swiftLibraries: String = {
        let maps = (try? runCommand(["cat", "/proc/\(getpid())/maps"])) ?? ""
        let line = maps.split(separator: "\n").first { $0.hasSuffix("/libswiftCore.so") }
        let path = line?.split(separator: " ").last.map(String.init) ?? "/usr/lib/x"
        return path.split(separator: "/").dropLast().map { "/\($0)" }.joined()
    }()

    /// An image by deploy/images/build that Spark's test shall use, instead of what this machine has: set
    /// `HARBOUR_TEST_CLUSTER_IMAGE`.
    static let image = variables["HARBOUR_TEST_CLUSTER_IMAGE"]

    /// The folder of a file.
    static func folder(of path: String) -> String { path.split(separator: "/").dropLast().map { "/\($0)" }.joined() }
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
    var settings = ["host": "unix://\(DockerPlace.socket ?? "")", "reach": "socket"]
    if let image = DockerPlace.image, driver == DockerPlace.driver {
        settings["image"] = image
    } else {
        settings["image"] = "dataharbour/hostbind:test"
        settings["mounts"] = (["/usr:/usr", "\(DockerPlace.top):\(DockerPlace.top)"] + mounts).joined(separator: ",")
        settings["image_python"] = python
        settings["image_driver"] = driver
        settings["image_runtime_folder"] = "\(DockerPlace.top)/Libraries/Runtime"
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
