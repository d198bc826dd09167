import Core
import EventLoop
import Glibc
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

extension WholePlatform {
    /// `kill -9` of what runs inside a cluster, while a cell runs.
    @Suite(.serialized, .platform) struct DriverKills {
        @Test(.timeLimit(.minutes(10)))
        func aKilledDriverFailsTheAttemptSoonAndTheNextOneSucceeds() async throws {
            try await withPlatform { platform in
                try await self.kill("the driver", expecting: "DRIVER_LOST", platform) {
                    $0.command.hasPrefix("\(TestInstallation.binaries)/driver")
                }
            }
        }

        @Test(.timeLimit(.minutes(10)))
        func aKilledSparkFailsTheAttemptSoonAndTheNextOneSucceeds() async throws {
            try await withPlatform { platform in
                try await self.kill("Spark", expecting: "KILLED", platform) {
                    $0.command.contains("/bin/java ")
                }
            }
        }

        private func kill(
            _ what: String, expecting code: String, _ platform: PlatformUnderTest,
            _ isTarget: @Sendable (ProcessTable.Entry) -> Bool
        ) async throws {
            let job = try await CountingJob.start(on: platform, retries: 1, held: 2)
            try await job.awaitCell(2)
            let targets = ProcessTable.running(in: "\(platform.folder)/clusters").filter(isTarget)
            #expect(targets.count == 1, "\(ProcessTable.running(in: platform.folder))")
            Glibc.kill(try #require(targets.first).pid, SIGKILL)
            let killed = MonotonicTime.now
            try await eventually("the attempt has failed", within: .seconds(60)) {
                try await job.run().tasks[0].attempts[0].state.lifeCycleState == .terminated
            }
            print("the attempt failed \((MonotonicTime.now - killed).milliseconds) ms after \(what) was killed")
            job.release()
            let failed = try await job.run().tasks[0].attempts[0]
            #expect(failed.state.resultState == .failed)
            #expect(failed.state.errorCode == code)
            #expect(failed.state.stateMessage.count > 20, "\(failed.state.stateMessage)")

            let run = try await job.expectSuccess(attempts: [2, 1])
            #expect(run.tasks[0].attempts[1].clusterID != failed.clusterID)
            try await job.expectNoOrphans()
        }
    }
}
