import Core
import HarbourProtocol
import Synchronization
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Lists that are followed", .timeLimit(.minutes(15)))
struct LiveListTests {
    /// Goal: who shows the runs is told when one that they see looks different, and of nothing else.
    @Test func tellsThatWhatOneSeesHasChanged() async throws {
        let scheduler = SampleScheduler()
        try await scheduler.run { workspace in
            let bob = try await workspace.makeUser("bob")
            let client = try await LiveClient.ready(workspace, token: bob.token)
            client.subscribe("runs")
            #expect(try await client.next()?.type == .subscribed)
            // Of somebody else's; then of his own, which prints more of the same.
            scheduler.tell(SampleScheduler.change(90, "ada"))
            scheduler.tell(SampleScheduler.change(91, "bob", job: nil))
            scheduler.tell(SampleScheduler.change(91, "bob", job: nil))
            let told = try #require(try await client.next())
            #expect(told.type == .changed && told.topic == "runs")
            scheduler.tell(SampleScheduler.change(90, "ada", .terminated))
            // What may be seen is another now: that is told too, and what comes of it.
            try await workspace.give(.canView, on: "jobs", "7", to: "bob")
            #expect(try await client.next()?.type == .changed)
            scheduler.tell(SampleScheduler.change(92, "ada"))
            #expect(try await client.next()?.type == .changed)
            client.close()
            try await eventually("nobody is followed") { scheduler.followers.load(ordering: .relaxed) == 0 }
        }
    }

    /// Goal: all who follow share one stream, and one who comes later is told at once.
    @Test func allShareOneStream() async throws {
        let scheduler = SampleScheduler()
        try await scheduler.run { workspace in
            var clients: [LiveClient] = []
            for _ in 0..<3 {
                let client = try await LiveClient.ready(workspace)
                client.subscribe("runs")
                #expect(try await client.next()?.type == .subscribed)
                clients.append(client)
            }
            #expect(scheduler.follows.load(ordering: .relaxed) == 1)
            scheduler.tell(SampleScheduler.change(90, "ada"))
            for client in clients { #expect(try await client.next()?.type == .changed) }
        }
    }
}
