internal import Core
internal import EventLoop
internal import Glibc

/// The Docker engine that tests use, and what of this machine its containers need: the engine that `HARBOUR_TEST_DOCKER` or
/// `DOCKER_HOST` names, or the machine's own. Tests are skipped where there is none.
public enum TestDocker {
    private static let variables = ProcessSpecification.Environment.ours

    /// The repository's folder.
    public static let top: String = {
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    }()

    /// The path of the engine's socket; nil when there is no engine.
    public static let socket: String? = {
        let named = variables["HARBOUR_TEST_DOCKER"] ?? variables["DOCKER_HOST"] ?? "unix:///var/run/docker.sock"
        let path = named.hasPrefix("unix://") ? String(named.dropFirst("unix://".count)) : named
        guard access(path, R_OK | W_OK) == 0, (try? eyes(["images"], at: path)) != nil else { return nil }
        return path
    }()

    /// How drivers are reached: by sockets, or with `HARBOUR_TEST_DOCKER_REACH=network`, for tests that themselves run in
    /// a container, by the networks that the container joins.
    public static let reach = variables["HARBOUR_TEST_DOCKER_REACH"] ?? "socket"

    /// The machine's own /usr, seen through a mount.
    public static let image = "dataharbour/hostbind:test"

    /// What docker_eyes.py says: eyes and hands apart from the backend's own.
    /// - Throws: `INVALID_STATE` with its words when it fails.
    @discardableResult
    public static func eyes(_ words: [String], at path: String? = nil) throws -> String {
        guard let path = path ?? socket else { throw HarbourError(.unavailable, "There is no Docker engine.") }
        return try runCommand(["python3", "\(top)/Tests/Tools/docker_eyes.py", path] + words)
    }

    /// The clusters' Python with Spark, where set-up has made it: `HARBOUR_DRIVER_PYTHON`, or the platform's folder's.
    public static let python: String? = {
        let data = variables["HARBOUR_DATA"] ?? variables["HOME"].map { "\($0)/.harbour" } ?? ""
        let path = variables["HARBOUR_DRIVER_PYTHON"] ?? "\(data)/runtime/current/bin/python"
        // The environment's own folder, for the link to the newest one may move; its python is a link that stays.
        guard let home = realpath(folder(of: folder(of: path)), nil) else { return nil }
        defer { free(home) }
        let resolved = "\(String(cString: home))/bin/python"
        return access(resolved, X_OK) == 0 ? resolved : nil
    }()

    /// A program of ours that was built beside the tests; nil when it was not.
    public static func program(_ name: String) -> String? {
        guard let own = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(own) }
        let path = "\(folder(of: String(cString: own)))/\(name)"
        return access(path, X_OK) == 0 ? path : nil
    }

    /// The folder of the Swift libraries that built programs are linked to, from our own list of mapped files.
    public static let swiftLibraries: String = {
        let maps = (try? runCommand(["cat", "/proc/\(getpid())/maps"])) ?? ""
        let line = maps.split(separator: "\n").first { $0.hasSuffix("/libswiftCore.so") }
        return line?.split(separator: " ").last.map { folder(of: String($0)) } ?? "/usr/lib"
    }()

    /// What a container must see for a program of ours to run in it, as the backend's setting `mounts` takes it.
    public static func mounts(_ more: [String]) -> String {
        (["/usr", top, swiftLibraries] + more).map { "\($0):\($0)" }.joined(separator: ",")
    }

    /// The folder of a file.
    public static func folder(of path: String) -> String {
        path.split(separator: "/").dropLast().map { "/\($0)" }.joined()
    }
}
