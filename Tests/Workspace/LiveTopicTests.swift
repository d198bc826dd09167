import Core
import HarbourProtocol
import Synchronization
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Runs and clusters that are followed", .timeLimit(.minutes(15)))
struct LiveTopicTests {
    /// Goal: every event of a run once and in order, also for whoever comes back; and nobody hears of another's.
    @Test func aRunIsFollowedFromANumberOn() async throws {
        let scheduler = SampleScheduler()
        try await scheduler.run { workspace in
            let client = try await LiveClient.ready(workspace, token: try await workspace.makeUser("bob").token)
            // Whose it is cannot be said for a moment: that is no reason to follow it no more.
            scheduler.refusals.store(2, ordering: .relaxed)
            for seen: Int64 in [0, 2, 3] {
                client.subscribe("runs/60", after: seen)
                #expect(try await client.next()?.type == .subscribed)
                for number in seen..<3 {
                    let event = try #require(try await client.next())
                    #expect(event.type == .event && event.topic == "runs/60" && event.sequence == number + 1)
                    #expect(event.run?["task_key"]?.string == "main")
                }
                #expect(try await client.next()?.type == .ended)
            }
            #expect(scheduler.refusals.load(ordering: .relaxed) == 0)
            let stranger = try await LiveClient.ready(workspace, token: try await workspace.makeUser("eve").token)
            stranger.subscribe("runs/60")
            let refused = try #require(try await stranger.next())
            #expect(refused.type == .failed && refused.errorCode == "PERMISSION_DENIED", "\(refused)")
        }
    }

    @Test func aClusterIsFollowedByWhoMaySeeIt() async throws {
        try await RunningWorkspace.run(["wait"]) { running in
            let guest = try await running.workspace.makeUser("guest")
            let client = try await LiveClient.ready(running.workspace, token: guest.token)
            client.subscribe("clusters/lab")
            let refused = try #require(try await client.next())
            #expect(refused.type == .failed && refused.errorCode == "PERMISSION_DENIED", "\(refused)")
            try await running.workspace.give(.canView, on: "clusters", "lab", to: "guest")
            client.subscribe("clusters/lab")
            // What was refused is told once.
            #expect(try await client.next()?.type == .subscribed)
            let event = try #require(try await client.next())
            #expect(event.type == .event && event.cluster?["state"]?.string == "RUNNING")
            #expect(try await client.next()?.type == .ended)
        }
    }
}
