import Core
import EventLoop
import Glibc
import TestSupport

/// The Docker engine that tests use: the one named by `HARBOUR_TEST_DOCKER`, or the machine's own.
enum DockerEngine {
    /// The path of its unix socket; nil when there is no engine, and its tests are skipped.
    static let socket: String? = {
        let variables = ProcessSpecification.Environment.ours
        let named = variables["HARBOUR_TEST_DOCKER"] ?? variables["DOCKER_HOST"]
        let path = named.map { $0.hasPrefix("unix://") ? String($0.dropFirst("unix://".count)) : $0 }
        let candidate = path ?? "/var/run/docker.sock"
        guard access(candidate, R_OK | W_OK) == 0, (try? eyes("ping", at: candidate)) != nil else { return nil }
        return candidate
    }()

    /// How drivers are reached: by sockets, or with `HARBOUR_TEST_DOCKER_REACH=network`, for tests that themselves run in
    /// a container, by the networks that the container joins.
    static let reach = ProcessSpecification.Environment.ours["HARBOUR_TEST_DOCKER_REACH"] ?? "socket"

    /// The folder of this file, which containers mount.
    static let folder: String = {
        let file = #filePath
        return String(file[..<(file.lastIndex(of: "/") ?? file.endIndex)])
    }()

    /// The source of the clusters' Python.
    static let runtime = "\(folder)/../../Libraries/Runtime"

    /// The images of the tests are made once.
    static let images: Result<Void, any Error> = Result { _ = try eyes("images") }

    /// What docker_eyes.py says.
    static func eyes(_ words: String..., at path: String? = nil) throws -> String {
        guard let path = path ?? socket else { throw HarbourError(.unavailable, "There is no Docker engine.") }
        return try runCommand(["python3", "\(folder)/docker_eyes.py", path] + words)
    }
}
