internal import Core
internal import Glibc

/// A process that we have started. It ends with our process only if its specification asks for a parent-death signal.
public final class ChildProcess: RunningProcess, @unchecked Sendable {
    /// Writes to its standard input, when that is a pipe.
    public let input: PipeWriter?
    /// Reads its standard output, when that is a pipe.
    public let output: PipeReader?
    /// Reads its standard error, when that is a pipe of its own.
    public let errors: PipeReader?

    private init(_ spawned: SpawnedProcess, sweepsGroup: Bool, loop: EventLoop) {
        input = spawned.input.map { PipeWriter($0, loop: loop) }
        output = spawned.output.map { PipeReader($0, loop: loop) }
        errors = spawned.errors.map { PipeReader($0, loop: loop) }
        super.init(
            pid: spawned.identity.pid, pidfd: spawned.pidfd, identity: spawned.identity,
            ownsGroup: spawned.ownsGroup, sweepsGroup: sweepsGroup && spawned.ownsGroup, isChild: true, loop: loop)
    }

    /// Parent-death signals follow the *thread* that made the child, so all are made by one thread that stays as long
    /// as the process. It also keeps vfork, which stops its caller until exec, away from the loop.
    private static let spawner = BlockingPool(threads: 1)

    /// Starts a process and watches it on the loop.
    ///
    /// Ignores SIGPIPE in our process from the first call on: a closed pipe is an error of `PipeWriter.write`.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when the program or its directory does not exist, `PERMISSION_DENIED` when
    ///   it may not be run, `INVALID_PARAMETER_VALUE` for a specification that no process can have,
    ///   `TEMPORARILY_UNAVAILABLE` when the system is out of processes, memory or descriptors.
    public static func start(_ specification: ProcessSpecification, loop: EventLoop) async throws -> ChildProcess {
        let spawned = try await spawner.run { try SpawnedProcess.spawn(specification) }
        return try await withCheckedThrowingContinuation { continuation in
            loop.onLoop {
                let child = ChildProcess(spawned, sweepsGroup: specification.sweepsGroup, loop: loop)
                do {
                    try child.watch()
                    continuation.resume(returning: child)
                } catch {
                    spawned.abandon()
                    continuation.resume(throwing: error)
                }
            }
        }
    }
}
