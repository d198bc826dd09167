import Core
import EventLoop
import Glibc
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

extension WholePlatform {
    /// `kill -9` of what makes up the control plane, while a job runs.
    @Suite(.serialized, .platform) struct ServiceKills {
        /// `HARBOUR_TEST_ROUNDS` looks for longer, `HARBOUR_TEST_SEED` plays a failure again.
        @Test(.timeLimit(.minutes(20))) func servicesKilledAtAnyMomentLoseAndDoubleNothing() async throws {
            let variables = ProcessSpecification.Environment.ours
            let rounds = variables["HARBOUR_TEST_ROUNDS"].flatMap(Int.init) ?? 1
            let seed = variables["HARBOUR_TEST_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0...UInt64.max)
            print("HARBOUR_TEST_SEED=\(seed)")
            try await withPlatform { platform in
                var random = SeededGenerator(seed: seed)
                for _ in 0..<rounds { try await self.round(platform, &random) }
            }
        }

        private func round(_ platform: PlatformUnderTest, _ random: inout SeededGenerator) async throws {
            let job = try await CountingJob.start(on: platform)
            // Whoever watches from the first moment on sees the same as one who looks afterwards.
            async let watched = RunLog.read(job.runID, platform)
            var kills: [String] = []
            while try await !job.isOver {
                for service in PlatformUnderTest.services.shuffled(using: &random) {
                    // The moment is what is tried out.
                    try await platform.loop.sleep(for: .milliseconds(Int.random(in: 0...1500, using: &random)))
                    if try await job.isOver { break }
                    kills.append(service)
                    try await platform.killAndAwait(service)
                }
            }
            print("killed \(kills.joined(separator: ", "))")
            // In later rounds the supervisor waits longer before it starts again what has ended so often.
            #expect(!kills.isEmpty)
            try await job.expectSuccess()
            #expect(job.executions == CountingJob.expectedExecutions)
            let seen = try await watched
            #expect(seen.events == (try await RunLog.read(job.runID, platform)).events)
            try await job.expectNoOrphans()
        }

        @Test(.timeLimit(.minutes(10))) func postgresKilledInTheMiddleOfARun() async throws {
            try await withPlatform { platform in
                let job = try await CountingJob.start(on: platform, pause: 0.02)
                try await job.awaitCell(2)
                try await platform.killAndAwait("postgres")
                try await job.expectSuccess()
                #expect(job.executions == CountingJob.expectedExecutions)
                try await job.expectNoOrphans()
            }
        }

        /// How deploy/up puts new programs in the place of old ones.
        @Test(.timeLimit(.minutes(10))) func aRunGoesOnOverARestartOfThePlatform() async throws {
            try await withPlatform { platform in
                let job = try await CountingJob.start(on: platform, pause: 0.02)
                try await job.awaitCell(2)
                try await platform.harbour(["down", "--keep-clusters"])
                try await platform.up()
                try await job.expectSuccess()
                #expect(job.executions == CountingJob.expectedExecutions)
                try await job.expectNoOrphans()
            }
        }

        @Test(.timeLimit(.minutes(10))) func supervisorKilledInTheMiddleOfARun() async throws {
            try await withPlatform { platform in
                let job = try await CountingJob.start(on: platform, retries: 1, pause: 0.02)
                try await job.awaitCell(2)
                let before = ProcessTable.running(in: platform.folder)
                let supervisor = try #require(before.first { $0.command.contains("/harbour supervise") })
                Glibc.kill(supervisor.pid, SIGKILL)
                try await eventually("the services have ended with the supervisor") {
                    !ProcessTable.running(in: platform.folder).contains {
                        PlatformUnderTest.isService($0.command) || $0.command.contains("postgres")
                    }
                }
                try await platform.up()
                try await eventually("the run is over") { try await job.isOver }
                let attempts = try await job.run().tasks.map(\.attempts.count)
                try await job.expectSuccess(attempts: attempts)
                if attempts == [1, 1] { #expect(job.executions == CountingJob.expectedExecutions) }
                try await job.expectNoOrphans()
            }
        }
    }
}
