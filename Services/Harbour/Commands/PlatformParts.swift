internal import Core
internal import EventLoop
internal import Glibc
internal import HTTPServer
internal import Lifecycle

/// Held by the supervisor of a data folder for as long as it lives; the kernel lets go of it however the process ends.
struct SupervisorLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock; nil when it is held by another process and we do not wait.
    init?(_ layout: PlatformLayout, wait: Bool) {
        descriptor = open(layout.supervisorLock, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        var status = flock(descriptor, wait ? LOCK_EX : LOCK_EX | LOCK_NB)
        while status != 0 && errno == EINTR { status = flock(descriptor, wait ? LOCK_EX : LOCK_EX | LOCK_NB) }
        guard status == 0 else {
            close(descriptor)
            return nil
        }
    }

    func release() { close(descriptor) }
}

/// Says on standard error what becomes ready, once each.
final class ProgressReporter {
    private let terminal: Terminal
    private var shown: [String: String] = [:]
    private(set) var notReady: [String] = []

    init(terminal: Terminal) { self.terminal = terminal }

    func report(_ status: SupervisorStatus) {
        notReady = status.programs.filter { $0.state != "ready" }.map(\.name)
        for program in status.programs where shown[program.name] != program.state {
            shown[program.name] = program.state
            switch program.state {
            case "ready": terminal.progress("  \(program.name) is ready")
            case "restarting":
                terminal.progress("  \(program.name) \(program.lastExit ?? "ended") and is started again")
            default: break
            }
        }
    }
}

/// The group and the server of a supervisor, which its parts have to name before they exist.
///
/// `@unchecked Sendable`: touched on the loop only.
final class GroupHolder: @unchecked Sendable {
    var group: ServiceGroup?
    var server: HTTPServer?

    func shutDown(reason: String) { group?.shutDown(reason: reason) }
}

/// An answer that comes once: the process has said it is ready (nil), or has ended.
///
/// `@unchecked Sendable`: touched on the loop only.
final class OneShot: @unchecked Sendable {
    private var answer: ProcessExit??
    private var waiter: CheckedContinuation<ProcessExit?, Never>?

    func resolve(_ exit: ProcessExit?) {
        guard answer == nil else { return }
        answer = .some(exit)
        waiter?.resume(returning: exit)
        waiter = nil
    }

    func value() async -> ProcessExit? {
        if let answer { return answer }
        return await withCheckedContinuation { waiter = $0 }
    }
}
