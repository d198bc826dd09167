import Core
import HarbourProtocol
import ServiceClients
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

    /// Goal: whether somebody may follow is looked at again when rights change; an answer to that which comes late is not
    /// about what was asked for since.
    @Test func aLateRefusalIsNotOfTheNextWish() async throws {
        try await RunningWorkspace.run(["wait"]) { running in
            let guest = try await running.workspace.makeUser("guest")
            let client = try await LiveClient.ready(running.workspace, token: guest.token)
            let asked = Atomic<Int>(0)
            let isReleased = Atomic<Bool>(false)
            running.cluster.beforeLooking("late") {
                let number = asked.wrappingAdd(1, ordering: .relaxed).newValue
                guard number <= 2 else { return }
                try await eventually("the other one, or the end") {
                    number == 1 ? asked.load(ordering: .relaxed) > 1 : isReleased.load(ordering: .relaxed)
                }
                throw HarbourError(.notFound, "There is no cluster late yet.")
            }
            client.subscribe("clusters/late")
            try await eventually("the wish") { asked.load(ordering: .relaxed) == 1 }
            try await running.workspace.give(.canView, on: "clusters", "other", to: "guest")
            #expect(try await client.next()?.errorCode == "RESOURCE_DOES_NOT_EXIST")
            try await running.workspace.give(.canView, on: "clusters", "late", to: "guest")
            client.subscribe("clusters/late")
            for type in [LiveMessageType.subscribed, .event, .ended] { #expect(try await client.next()?.type == type) }
            isReleased.store(true, ordering: .relaxed)
            // Answered after it.
            for _ in 0..<3 {
                _ = try await running.user.call(ClusterAPI.getCluster, .init(clusterID: "other"))
            }
            client.subscribe("jobs/none")
            #expect(try await client.next()?.topic == "jobs/none")
        }
    }

    /// Goal: every line once and in order, also for whoever comes back; and only for who may see the cluster.
    @Test func aLogIsFollowedFromANumberOn() async throws {
        try await RunningWorkspace.run(["wait"]) { running in
            let stranger = try await running.workspace.makeUser("eve")
            let client = try await LiveClient.ready(running.workspace, token: stranger.token)
            client.subscribe("clusters/lab/logs")
            #expect(try await client.next()?.errorCode == "PERMISSION_DENIED")
            try await running.workspace.give(.canView, on: "clusters", "lab", to: "eve")
            for seen: Int64 in [0, 2, 3] {
                client.subscribe("clusters/lab/logs", after: seen)
                let begin = try #require(try await client.next())
                #expect(begin.type == .subscribed && begin.sequence == seen)
                for number in seen..<3 {
                    let event = try #require(try await client.next())
                    #expect(event.type == .event && event.topic == "clusters/lab/logs")
                    #expect(event.sequence == number + 1 && event.log?.text == "line \(number + 1)")
                }
                #expect(try await client.next()?.type == .ended)
            }
        }
    }
}
