import Core
import EventLoop
import Glibc
import HTTPServer
import TestSupport
import Testing

@testable import HarbourService

/// A real PostgreSQL under a real supervisor, in a data folder of its own.
@Suite struct SupervisorTests {
    @Test(.timeLimit(.minutes(10)))
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
            let (restarts, exit) = (second.programs[0].restarts, second.programs[0].lastExit)
            // The next one cannot begin as long as a process of the first has its memory, and comes once more then.
            #expect(restarts > 1 || (restarts == 1 && exit?.contains("9") == true), "\(restarts), \(exit ?? "")")

            await withCheckedContinuation { continuation in supervisor.stop { continuation.resume() } }
            #expect(supervisor.status.programs[0].state == "stopped")
            #expect(access(layout.readinessSocket, F_OK) != 0)
            #expect(PlatformLayout.read("\(layout.postgres)/postmaster.pid") == nil)
        }
    }

    /// What `harbour up` waits for when a program does not become ready, as when no database can be reached.
    @Test(.timeLimit(.minutes(10)))
    func followingAPlatformEndsWithTheTimeAllowed() async throws {
        let root = "/tmp/harbour-\(Identifier.make())"
        let layout = try PlatformLayout(root: root)
        try layout.prepare()
        defer { _ = system("rm -rf \(root)") }
        try await withEventLoop { loop in
            let never = ProgramDefinition(
                name: "never", specification: ProcessSpecification("/bin/sleep", ["1000"]), stopSignal: SIGTERM)
            let supervisor = Supervisor(programs: [never], loop: loop)
            let server = try await ControlServer(supervisor: supervisor, loop: loop, stop: {}).start(
                socket: layout.controlSocket)
            try supervisor.start(socketPath: layout.readinessSocket)
            let control = try ControlClient(layout: layout, loop: loop)
            // Client and supervisor both know when the time is up; whoever sees it first, the answer is the same.
            for _ in 0..<10 {
                let error = await #expect(throws: HarbourError.self) {
                    try await control.follow(within: .milliseconds(20)) { $0.isReady }
                }
                #expect(error?.code == .deadlineExceeded)
            }
            await control.close()
            await withCheckedContinuation { continuation in supervisor.stop { continuation.resume() } }
            await server.drain(budget: .seconds(5))
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
