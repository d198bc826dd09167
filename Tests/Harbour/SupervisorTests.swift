import Core
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import HarbourService

/// A real PostgreSQL under a real supervisor, in a data folder of its own.
@Suite struct SupervisorTests {
    @Test(.timeLimit(.minutes(2)))
    func postgresStartsComesBackAfterAKillAndStops() async throws {
        let root = "/tmp/harbour-\(Identifier.make())"
        let layout = try PlatformLayout(root: root)
        try layout.prepare()
        defer { _ = system("rm -rf \(root)") }
        try await withEventLoop { loop in
            let program = try PostgresProgram(layout: layout).definition(loop: loop)
            let supervisor = Supervisor(programs: [program], loop: loop)
            let states = States()
            supervisor.observe { states.record($0) }
            try supervisor.start(socketPath: layout.readinessSocket)

            let first = await states.next { $0.isReady }
            let firstPid = try #require(first.programs[0].pid)
            #expect(kill(firstPid, SIGKILL) == 0)
            let second = await states.next { $0.isReady && $0.programs[0].pid != firstPid }
            #expect(second.programs[0].restarts == 1)
            #expect(second.programs[0].lastExit?.contains("9") == true)

            await withCheckedContinuation { continuation in supervisor.stop { continuation.resume() } }
            #expect(supervisor.status.programs[0].state == "stopped")
            #expect(access(layout.readinessSocket, F_OK) != 0)
            #expect(PlatformLayout.read("\(layout.postgres)/postmaster.pid") == nil)
        }
    }
}

/// The states a supervisor goes through, waited for by what they have to be.
private final class States: @unchecked Sendable {
    private var latest: SupervisorStatus?
    private var waiting: (matches: (SupervisorStatus) -> Bool, CheckedContinuation<SupervisorStatus, Never>)?

    func record(_ status: SupervisorStatus) {
        latest = status
        guard let (matches, continuation) = waiting, matches(status) else { return }
        waiting = nil
        continuation.resume(returning: status)
    }

    func next(_ matches: @escaping (SupervisorStatus) -> Bool) async -> SupervisorStatus {
        if let latest, matches(latest) { return latest }
        return await withCheckedContinuation { waiting = (matches, $0) }
    }
}
