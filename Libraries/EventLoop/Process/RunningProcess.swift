internal import CPlatform
internal import Core
internal import Glibc

/// How a process ended.
public enum ProcessExit: Sendable, Hashable, CustomStringConvertible {
    /// It returned or called exit.
    case exited(Int32)
    /// A signal ended it.
    case signalled(Int32)
    /// It is gone, but it was not our child, so the system does not tell how.
    case unknown

    /// Whether it ended by itself and reported success.
    public var isSuccess: Bool { self == .exited(0) }

    /// Such as "exited with status 1" or "was ended by signal 9 (Killed)", to follow the program's name.
    public var description: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .signalled(let signal): "was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
        case .unknown: "has ended"
        }
    }
}

/// A process that is watched: a child of ours, or one adopted after a restart. All members may be used from any thread
/// unless they say otherwise.
///
/// The end is learnt from a pidfd on the loop: no SIGCHLD handler, no polling, and a signal can never reach another
/// process that was given the same number. A process that nobody holds any more is still watched and reaped.
///
/// `@unchecked Sendable`: the state is touched on the loop only.
public class RunningProcess: @unchecked Sendable {
    /// The process id.
    public let pid: Int32
    /// Names this process across our own restarts.
    public let identity: ProcessIdentity
    /// The loop that watches it.
    public let loop: EventLoop

    private let pidfd: Int32
    private let ownsGroup: Bool
    private let sweepsGroup: Bool
    private let isChild: Bool
    private var ended: ProcessExit?
    private let waiters = Waiters<ProcessExit>()
    private var observers: [(ProcessExit) -> Void] = []
    private var killTimer: LoopTimer?

    init(
        pid: Int32, pidfd: Int32, identity: ProcessIdentity, ownsGroup: Bool, sweepsGroup: Bool, isChild: Bool,
        loop: EventLoop
    ) {
        self.pid = pid
        self.pidfd = pidfd
        self.identity = identity
        self.ownsGroup = ownsGroup
        self.sweepsGroup = sweepsGroup
        self.isChild = isChild
        self.loop = loop
    }

    deinit { close(pidfd) }

    /// Starts watching. Only on the loop.
    func watch() throws(HarbourError) {
        // The registration keeps the process object, so that a child is reaped even if nobody holds it.
        try loop.register(pidfd, .readable, ReadyCallback { [self] _ in finish() })
    }

    // MARK: The end

    /// How it ended, or nil while it runs. Only on the loop.
    public var exit: ProcessExit? {
        loop.preconditionCurrent()
        return ended
    }

    /// Waits for the end; any number of tasks may wait, before and after.
    /// - Throws: `CancellationError` when the waiting task is cancelled; the process runs on.
    public func wait() async throws -> ProcessExit {
        try await waiters.wait(on: loop) { [self] in ended }
    }

    /// Calls back on the loop when the process has ended, at once if it has. Only on the loop.
    public func whenEnded(_ observer: @escaping (ProcessExit) -> Void) {
        loop.preconditionCurrent()
        if let ended { observer(ended) } else { observers.append(observer) }
    }

    // MARK: Signals

    /// Sends the process a signal; one that has ended is left alone.
    public func send(signal: Int32) {
        loop.onLoop { [self] in
            guard ended == nil else { return }
            // It can only fail because the process is gone, which the pidfd is about to tell.
            _ = platform_pidfd_signal(pidfd, signal)
        }
    }

    /// Sends the signal to the process and all others of its group; to the process alone when the group is not its own.
    public func sendToGroup(signal: Int32) {
        loop.onLoop { [self] in
            guard ended == nil else { return }
            if ownsGroup { _ = Glibc.kill(-pid, signal) } else { _ = platform_pidfd_signal(pidfd, signal) }
        }
    }

    /// Ends the process with its group, at once and without asking.
    public func kill() { sendToGroup(signal: SIGKILL) }

    /// Asks the group to end (SIGTERM), kills it when the process still runs after the grace, and waits for the end.
    /// Cancelling the calling task shortens nothing.
    @discardableResult
    public func terminate(grace: Duration) async -> ProcessExit {
        loop.onLoop { [self] in beginTermination(grace: grace) }
        return await waiters.waitUncancelled(on: loop) { [self] in ended }
    }

    /// The same without waiting. Only on the loop.
    public func beginTermination(grace: Duration) {
        loop.preconditionCurrent()
        guard ended == nil else { return }
        sendToGroup(signal: SIGTERM)
        // A stopped process would sleep through the grace.
        sendToGroup(signal: SIGCONT)
        killTimer?.cancel()
        killTimer = loop.schedule(after: grace) { [self] in kill() }
    }

    private func finish() {
        guard ended == nil else { return }
        // Still unreaped, so the group's number is still ours. Not so for an adopted process: see `AdoptedProcess`.
        if sweepsGroup && isChild { _ = Glibc.kill(-pid, SIGKILL) }
        var how: Int32 = 0
        var value: Int32 = 0
        let reaped = platform_pidfd_reap(pidfd, &how, &value)
        if reaped == 0 { return }
        if reaped < 0 {
            ended = .unknown
        } else {
            ended = how == CLD_EXITED ? .exited(value) : .signalled(value)
        }
        if sweepsGroup && !isChild { ProcessIdentity.sweepLeaderlessGroup(pid) }
        loop.deregister(pidfd)
        killTimer?.cancel()
        killTimer = nil
        let observers = observers
        self.observers = []
        for observer in observers { observer(ended ?? .unknown) }
        waiters.resumeAll(ended ?? .unknown)
    }
}
