import ClusterBackend
import Core
import EventLoop
import HTTPMessage
import HarbourProtocol
import RemoteBackend
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

/// Commands from our service through the bridge to another platform, whatever happens on the way.
@Suite(.timeLimit(.minutes(15))) struct RemoteCommandTests {
    /// The far driver of `c1`.
    private func driver(_ platform: FarPlatform) throws -> FarTestDriver {
        let id = try #require(ClusterIdentifier("c1"))
        return try platform.driver(try #require(platform.farIDs(of: id).first).text)
    }

    private func texts(_ events: [CommandEvent]) -> String { events.compactMap(\.text).joined() }

    @Test func aCommandRunsThere() async throws {
        try await withNearService { near, platform in
            let client = try await near.runningCluster()
            let events = try await near.run(client, "a", "one\ntwo")
            #expect(texts(events) == "one\ntwo\ndone\n")
            #expect(events.map(\.sequence) == Array(1...5))
            #expect(try await near.run(client, "a", "one\ntwo", after: 3) == Array(events[3...]))
            let info = try await client.call(
                ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a"))
            #expect(info.state == .finished && info.clusterID == "c1")
            #expect(try await driver(platform).runs == ["a": 1])
            let cluster = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            #expect(cluster.spark?.applicationID == (try driver(platform)).application)
        }
    }

    @Test func aPartitionInTheMiddleIsSurvivedAndTheCommandRunsOnce() async throws {
        try await withNearService { near, platform in
            let client = try await near.runningCluster()
            let events = try await near.run(client, "a", "hang\nsecond") { event in
                guard event.text == "second\n" else { return }
                platform.front.setCut(true)
                // It ends while nobody hears it.
                try await driver(platform).release()
                // Until the bridge has tried in vain.
                let before = platform.front.seen.count
                near.loop.spawn {
                    try? await eventually("it is asked for again") { platform.front.seen.count > before + 1 }
                    platform.front.setCut(false)
                }
            }
            #expect(texts(events) == "hang\nsecond\ndone\n")
            #expect(events.map(\.sequence) == Array(1...5))
            #expect(events.last?.state == .finished)
            #expect(try await driver(platform).runs == ["a": 1])
            let cluster = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            #expect(cluster.state == .running)
        }
    }

    @Test(arguments: [FarFront.Fault.answerLost, .lostOnTheWay, .answer(503, ["retry-after": "0"]), .answer(429)])
    func aCommandThatWasHandedOverBadlyRunsOnce(_ fault: FarFront.Fault) async throws {
        try await withNearService { near, platform in
            let client = try await near.runningCluster()
            platform.front.fail("/commands/a/run", .post, fault)
            let events = try await near.run(client, "a", "one")
            #expect(texts(events) == "one\ndone\n")
            platform.front.fail("/commands", .post, fault)
            let info = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "b", source: "two")))
            #expect(info.commandID == "b")
            #expect(try await driver(platform).runs == ["a": 1, "b": 1])
        }
    }

    @Test func anotherServiceGoesOnWithACommand() async throws {
        try await withNearService { near, platform in
            let client = try await near.runningCluster()
            let first = Task { try await near.run(client, "a", "hang\nsecond") }
            let origin = try driver(platform)
            try await eventually("it runs") { await origin.runs == ["a": 1] }
            try await near.stop()
            _ = await first.result
            let again = try await near.start()
            _ = try await near.wait(again, "c1", for: .running)
            let following = Task {
                var events: [CommandEvent] = []
                let stream = try await again.stream(
                    ClusterAPI.streamCommandEvents,
                    .init(clusterID: "c1", contextID: "ctx", commandID: "a", after: 2))
                for try await event in stream { events.append(event) }
                return events
            }
            await origin.release()
            #expect(texts(try await following.value) == "second\ndone\n")
            #expect(try driver(platform).application == origin.application)
            #expect(await origin.runs == ["a": 1])
        }
    }

    @Test func scriptsAndLibrariesAreThatPlatformsToRun() async throws {
        try await withNearService { near, platform in
            let client = try await near.start()
            var spec = ClusterSpec(clusterName: "near")
            spec.initScripts = [InitScript(name: "first", content: "echo hello")]
            spec.libraries = [Library(pypi: PyPILibrary(package: "tabulate"))]
            _ = try await client.call(
                ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: "c1")),
                context: NearService.user)
            _ = try await near.wait(client, "c1", for: .running)
            let there = try #require(
                try await platform.client().call(ClusterAPI.listClusters, .init()).clusters.first?.spec)
            #expect(there.initScripts?.first?.content == "echo hello")
            #expect(there.libraries == spec.libraries)
            let libraries = try await client.call(ClusterAPI.listLibraryStatuses, .init(clusterID: "c1"))
            #expect(libraries.libraryStatuses.map(\.library) == spec.libraries)
        }
    }

    @Test func cancellingReachesTheOtherSide() async throws {
        try await withNearService { near, platform in
            let client = try await near.runningCluster()
            let events = try await near.run(client, "a", "hang") { event in
                guard event.text == "hang\n" else { return }
                _ = try await client.call(
                    ClusterAPI.cancelCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a"))
            }
            #expect(events.last?.state == .cancelled)
        }
    }

    @Test func terminatingLeavesNothingThere() async throws {
        try await withNearService { near, platform in
            let client = try await near.runningCluster()
            _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            try await eventually("it is gone") {
                try await platform.client().call(ClusterAPI.listClusters, .init()).clusters.isEmpty
            }
            #expect(platform.world.clusters.isEmpty)
        }
    }
}
