internal import CPlatform
internal import Core
internal import Glibc

/// A process that an earlier life of ours started and that is watched again, by the identity that was stored.
///
/// Unless it still happens to be our child, its exit status cannot be learnt: it ends as `.unknown`.
public final class AdoptedProcess: RunningProcess, @unchecked Sendable {
    /// Finds the process and watches it; nil when it has ended, even if another has its number by now.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the process is out of descriptors.
    public static func adopt(_ identity: ProcessIdentity, loop: EventLoop) async throws -> AdoptedProcess? {
        try await withCheckedThrowingContinuation { continuation in
            loop.onLoop { continuation.resume(with: Result { try open(identity, loop: loop) }) }
        }
    }

    private static func open(_ identity: ProcessIdentity, loop: EventLoop) throws(HarbourError) -> AdoptedProcess? {
        let pidfd = platform_pidfd_open(identity.pid)
        if pidfd < 0 {
            if errno == ESRCH || errno == EINVAL { return nil }
            throw .system("A running process could not be watched", errno)
        }
        // Only now, with the number pinned, does the comparison say something about the process the pidfd names.
        guard let stat = ProcessStat(pid: identity.pid), identity.matches(stat) else {
            close(pidfd)
            return nil
        }
        if stat.hasEnded {
            var how: Int32 = 0
            var value: Int32 = 0
            // Ours only if we have replaced ourselves by exec; anybody else's is refused, as it should be.
            _ = platform_pidfd_reap(pidfd, &how, &value)
            close(pidfd)
            return nil
        }
        let ownsGroup = stat.group == identity.pid
        let process = AdoptedProcess(
            pid: identity.pid, pidfd: pidfd, identity: identity, ownsGroup: ownsGroup, sweepsGroup: ownsGroup,
            isChild: false, loop: loop)
        try process.watch()
        return process
    }
}
