internal import Core
public import EventLoop
internal import Glibc

/// An engine of a test's own beside all others, for what must not be done to one that others use. It needs root.
public final class OwnDocker: Sendable {
    /// Whether one can be run here: where there is no engine at all, none is installed for these tests alone.
    public static let isPossible = TestDocker.socket != nil && getuid() == 0 && access("/usr/sbin/dockerd", X_OK) == 0

    /// Everything of it is below this folder.
    public let folder: TemporaryDirectory
    private static let tool = "\(TestDocker.top)/Tests/Tools/docker-engine"

    /// Starts one, with more options of dockerd; `newest` takes the one of the next Debian.
    /// - Throws: `UNAVAILABLE` when it does not start, such as without a way to Debian.
    public init(newest: Bool = false, options: [String] = []) throws {
        folder = try TemporaryDirectory()
        try start(newest: newest, options: options)
        try TestDocker.eyes(["images"], at: socket)
    }

    /// Its socket.
    public var socket: String { folder.file("docker.sock") }

    /// The number of its process.
    public var pid: String {
        get throws { try runCommand(["cat", folder.file("dockerd.pid")]).filter(\.isNumber) }
    }

    /// Starts it again after it has ended.
    public func start(newest: Bool = false, options: [String] = []) throws {
        try runCommand([OwnDocker.tool, "own"] + (newest ? ["--newest"] : []) + [folder.path] + options)
        guard access(socket, R_OK) == 0 else {
            throw HarbourError(.unavailable, "An engine of the test's own did not start in \(folder.path).")
        }
    }

    /// Ends it.
    public func stop() throws { try runCommand([OwnDocker.tool, "stop", folder.path]) }

    /// Runs a helper beside it: `relay` or `registry`, with its port. The first word that it prints comes with it.
    public func helper(_ name: String, port: Int, loop: EventLoop) async throws -> (process: ChildProcess, log: String)
    {
        let log = folder.file("\(name).log")
        var specification = ProcessSpecification(OwnDocker.tool, [name, folder.path, "\(port)"])
        specification.output = .file(log)
        specification.errors = .sameAsOutput
        specification.parentDeathSignal = SIGKILL
        return (try await ChildProcess.start(specification, loop: loop), log)
    }
}
