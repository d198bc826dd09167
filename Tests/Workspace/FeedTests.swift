import Core
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import Synchronization
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("The WebSocket for everything", .timeLimit(.minutes(15)))
struct FeedTests {
    private static func next(
        _ client: LiveClient, where matches: (FeedMessage) -> Bool
    ) async throws -> FeedMessage {
        while let text = try await client.nextText() {
            let message = try FeedMessage(jsonText: text)
            if matches(message) { return message }
        }
        throw HarbourError(.unavailable, "The connection was closed.")
    }

    private static func update(_ client: LiveClient) async throws -> JobUpdate {
        let data = try #require(try await next(client) { $0.type == .jobUpdate }.data)
        return try JobUpdate(jsonText: data.jsonText())
    }

    /// Goal: who comes is told what runs, then each change, and how the machine is.
    @Test func tellsOfRunsAndTheMachine() async throws {
        let scheduler = SampleScheduler()
        try await scheduler.run { workspace in
            let client = try await LiveClient.open(workspace, path: "/ws/client-123")
            #expect(try await FeedTests.update(client).runID == 71)
            let metrics = try await FeedTests.next(client) { $0.type == .metrics }
            #expect(metrics.data?["system"]?["processors"]?.int64 == 2)
            try await eventually("the scheduler is followed") { scheduler.followers.load(ordering: .relaxed) == 1 }
            scheduler.tell(SampleScheduler.change(80, "bob"))
            let update = try await FeedTests.update(client)
            #expect(update.runID == 80 && update.status == "RUNNING" && update.tasks == 2 && update.endedTasks == 1)
            // A second one shares what the first one made follow, and when both have gone nothing is asked for.
            let second = try await LiveClient.open(workspace, path: "/ws/another")
            #expect(try await FeedTests.update(second).runID == 71)
            scheduler.tell(SampleScheduler.change(81, "bob"))
            #expect(try await FeedTests.update(second).runID == 81)
            #expect(scheduler.follows.load(ordering: .relaxed) == 1)
            client.close()
            second.close()
            try await eventually("nobody is followed") { scheduler.followers.load(ordering: .relaxed) == 0 }
        }
    }

    /// Goal: a run that ends while the scheduler is started anew is told of afterwards.
    @Test func tellsWhatWasMissed() async throws {
        let scheduler = SampleScheduler()
        try await scheduler.run { workspace in
            let client = try await LiveClient.open(workspace, path: "/ws/client-123")
            #expect(try await FeedTests.update(client).runID == 71)
            try await eventually("the scheduler is followed") { scheduler.followers.load(ordering: .relaxed) == 1 }
            scheduler.tell(SampleScheduler.change(80, "bob"))
            #expect(try await FeedTests.update(client).runID == 80)
            scheduler.hangUp()
            // What still runs, and what has ended meanwhile.
            #expect(try await FeedTests.update(client).runID == 71)
            let ended = try await FeedTests.update(client)
            #expect(ended.runID == 80 && ended.status == "SUCCESS", "\(ended)")
            client.close()
        }
    }

    /// Goal: nobody hears of what they may not see.
    @Test func tellsOnlyWhatOneMaySee() async throws {
        let scheduler = SampleScheduler()
        try await scheduler.run { workspace in
            let bob = try await workspace.makeUser("bob")
            let client = try await LiveClient.open(workspace, token: bob.token, path: "/ws/bob")
            _ = try await FeedTests.next(client) { $0.type == .metrics }
            try await eventually("the scheduler is followed") { scheduler.followers.load(ordering: .relaxed) == 1 }
            scheduler.tell(SampleScheduler.change(90, "ada"))
            scheduler.tell(SampleScheduler.change(89, "bob"))
            scheduler.tell(SampleScheduler.change(91, "bob", job: nil))
            // Neither the run of ada's that runs, nor her change came before, nor what he began of a job of hers.
            #expect(try await FeedTests.update(client).runID == 91)
            try await workspace.give(.canView, on: "jobs", "7", to: "bob")
            scheduler.tell(SampleScheduler.change(92, "ada"))
            #expect(try await FeedTests.update(client).runID == 92)
            client.close()
        }
    }

    @Test func refusesWhoHasNotSignedIn() async throws {
        try await SampleScheduler().run { workspace in
            let client = try await LiveClient.open(workspace, token: "nobody", path: "/ws/x")
            #expect(try await client.nextText() == nil)
        }
    }

    /// Goal: what is kept for a slow reader is the newest state of each run, and of no more runs than a limit.
    @Test func keepsTheNewestForASlowReader() async throws {
        try await SampleScheduler().run { workspace in
            let listener = FeedListener(loop: workspace.service.loop)
            for round in 0..<3 {
                for run in 0..<Int64(FeedListener.maxRuns + 10) {
                    listener.take(SampleScheduler.change(run, "ada", round == 2 ? .terminated : .running))
                }
            }
            guard case .runs(let changes) = try await listener.next() else {
                Issue.record("no runs")
                return
            }
            #expect(changes.count == FeedListener.maxRuns)
            #expect(changes.allSatisfy { $0.state.lifeCycleState == .terminated })
            #expect(changes.last?.runID == Int64(FeedListener.maxRuns + 9))
        }
    }
}
