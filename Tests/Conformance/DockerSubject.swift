import ClusterBackend
import ClusterBackendConformance
import Core
import DockerBackend
import EventLoop
import Glibc
import TestSupport

/// A real Docker engine as the place of the exam, with the driver's stand-in in its containers.
struct DockerSubject: ConformanceSubject {
    let folder: String
    let loop: EventLoop
    /// The engine's socket, for eyes and hands.
    let socket: String
    /// How the backend reaches it, where that is another way.
    let way: [String: String]

    init(loop: EventLoop, socket: String? = TestDocker.socket, way: [String: String] = [:]) throws {
        self.socket = socket ?? ""
        self.way = way
        var template = Array("/tmp/exam-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw HarbourError.system("A folder could not be made", errno) }
        folder = String(cString: made)
        self.loop = loop
    }

    private var root: String { "\(folder)/d" }

    /// Removes the folders that are empty. What a cluster left behind stays, and shows.
    func removeFolder() throws { _ = try runCommand(["find", folder, "-depth", "-type", "d", "-empty", "-delete"]) }

    func backend(installation: String) async throws -> any ClusterBackend {
        let settings = [
            "host": "unix://\(socket)", "image": TestDocker.image,
            "mounts": [
                "/usr:/usr", "\(TestDocker.top)/Tests/Conformance:/exam",
                "\(TestDocker.top)/Libraries/Runtime:/runtime",
            ]
            .joined(separator: ","),
            // The machine's Python has no Spark: masters are tried again and again, and workers wait for one.
            "image_runtime_folder": "/runtime", "image_driver": "/exam/stand_in_driver.py",
            "image_python": "/usr/bin/python3", "reach": TestDocker.reach,
        ]
        return DockerBackend(
            context: BackendContext(
                installation: installation, folder: root, settings: settings.merging(way) { $1 }), loop: loop)
    }

    func request(_ id: ClusterIdentifier, workers: Int) -> ProvisionRequest {
        ProvisionRequest(
            id: id,
            spec: BackendSpec(
                displayName: "exam", driver: NodeSize(cores: 1, memoryMiB: 1024),
                worker: NodeSize(cores: 1, memoryMiB: 1024), workers: workers, environment: ["EXAM": "it's"]),
            launch: DriverLaunch(executable: "/unused", arguments: ["--exam"], token: Secret("token-\(id)")))
    }

    func identify(_ address: DriverAddress, token: Secret) async throws -> DriverIdentity {
        let words = try await LocalSubject.ask("who", address, token).split(separator: " ")
        guard words.count == 2 else { throw HarbourError(.unauthenticated, "The stand-in refused to answer.") }
        return DriverIdentity(cluster: String(words[0]), process: String(words[1]))
    }

    func say(_ line: String, at address: DriverAddress, token: Secret) async throws {
        guard try await LocalSubject.ask("say \(line)", address, token) == "said" else {
            throw HarbourError(.unauthenticated, "The stand-in refused to speak.")
        }
    }

    func kill(_ id: ClusterIdentifier) async throws {
        _ = try await BlockingPool.shared.run { [socket] in try TestDocker.eyes(["kill", id.text], at: socket) }
    }

    func remains(of id: ClusterIdentifier) async throws -> [String] {
        let (folder, socket) = (folder, socket)
        return try await BlockingPool.shared.run {
            let seen = try TestDocker.eyes(["remains", id.text], at: socket)
            let files = try runCommand(["find", folder, "-name", id.text])
            return (seen + files).split(separator: "\n").map(String.init)
        }
    }

    func listing() async throws -> [String] {
        try await BlockingPool.shared.run { [socket] in
            try TestDocker.eyes(["listing"], at: socket).split(separator: "\n").map(String.init)
        }
    }

    var failures: [StartFailure] {
        (TestDocker.reach == "socket" ? [folderFailure] : []) + imageFailures
    }

    private var folderFailure: StartFailure {
        StartFailure("a file in the folder's way") { request in
            rename(root, "\(root).away")
            close(open(root, O_CREAT | O_WRONLY, 0o600))
            return request
        } undo: { _ in
            unlink(root)
            rename("\(root).away", root)
        }
    }

    private var imageFailures: [StartFailure] {
        [
            StartFailure("an image that is nowhere") { request in
                var request = request
                request.spec.image = "127.0.0.1:9/nowhere:1"
                return request
            },
            StartFailure("an image in which nothing can be started") { request in
                var request = request
                request.spec.image = "dataharbour/empty:test"
                return request
            },
        ]
    }
}
