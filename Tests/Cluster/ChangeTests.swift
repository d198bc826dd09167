import ClusterBackend
import Core
import EventLoop
import HarbourProtocol
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// Restarting, resizing, editing and pinning, through the service's own API.
@Suite struct ChangeTests {
    private func create(
        _ fixture: ServiceFixture, _ client: ServiceClient, _ id: String, workers: Int? = nil
    ) async throws -> ClusterInfo {
        _ = try await client.call(
            ClusterAPI.createCluster,
            .init(body: CreateCluster(spec: ClusterSpec(clusterName: id, numWorkers: workers), clusterID: id)))
        return try await fixture.wait(id, for: .running)
    }

    private func types(_ client: ServiceClient, _ id: String) async throws -> [String] {
        try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: id)).events.reversed().map(\.type)
    }

    @Test func aRestartIsRestartingUntilItRuns() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "hang")))
            let now = try await client.call(ClusterAPI.restartCluster, .init(clusterID: "c1"))
            #expect(now.state == .restarting)
            var states: [ClusterState] = []
            for try await info in try await client.stream(ClusterAPI.watchCluster, .init(clusterID: "c1")) {
                if states.last != info.state { states.append(info.state) }
                if info.state == .running { break }
            }
            #expect(states == [.restarting, .running])
            let command = try await client.call(
                ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a"))
            #expect(command.state == .error)
            #expect(command.error?.message.contains("restarted") == true)
            #expect(
                try await types(client, "c1") == [
                    "CREATING", "STARTING", "DRIVER_STARTED", "RUNNING", "RESTARTING", "TERMINATED", "STARTING",
                    "DRIVER_STARTED", "RUNNING",
                ])
            #expect(fixture.world.started.count == 2)
            #expect(fixture.drivers.count == 1)
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            await expectCode(.invalidState) {
                try await client.call(ClusterAPI.restartCluster, .init(clusterID: "c1"))
            }
        }
    }

    /// Goal: who follows all clusters hears of each that is made, changes and is deleted.
    @Test func everyChangeOfAClusterIsTold() async throws {
        try await withService { fixture, client in
            var changes = try await client.stream(ClusterAPI.streamClusterChanges, .init()).makeAsyncIterator()
            _ = try await fixture.runningCluster("c1")
            #expect(try await changes.next()?.clusterID == "c1")
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            #expect(try await changes.next()?.clusterID == "c1")
            // From here on only what is asked for now is told.
            _ = try await client.call(ClusterAPI.pinCluster, .init(clusterID: "c1"))
            while let change = try await changes.next() {
                #expect(change.clusterID == "c1")
                if try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")).pinned == true { break }
            }
            _ = try await client.call(ClusterAPI.unpinCluster, .init(clusterID: "c1"))
            #expect(try await changes.next()?.clusterID == "c1")
            _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            #expect(try await changes.next()?.clusterID == "c1")
        }
    }

    @Test func anEditRestartsWhatRunsAndWaitsForTheNextStartOfWhatDoesNot() async throws {
        try await withService { fixture, client in
            _ = try await create(fixture, client, "c1")
            var spec = ClusterSpec(clusterName: "better", sparkConf: ["spark.x": "1"])
            var info = try await client.call(
                ClusterAPI.editCluster, .init(clusterID: "c1", body: EditCluster(spec: spec)))
            #expect(info.state == .restarting)
            #expect(info.spec.clusterName == "better")
            _ = try await fixture.wait("c1", for: .running)
            #expect(fixture.world.started.last?.request.spec.sparkConf["spark.x"] == "1")
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            spec.sparkConf = ["spark.x": "2"]
            info = try await client.call(
                ClusterAPI.editCluster, .init(clusterID: "c1", body: EditCluster(spec: spec)))
            #expect(info.state == .terminated)
            spec.numWorkers = 500
            await expectCode(.invalidParameter) { [spec] in
                try await client.call(
                    ClusterAPI.editCluster, .init(clusterID: "c1", body: EditCluster(spec: spec)))
            }
            _ = try await client.call(ClusterAPI.startCluster, .init(clusterID: "c1"))
            _ = try await fixture.wait("c1", for: .running)
            #expect(fixture.world.started.last?.request.spec.sparkConf["spark.x"] == "2")
            fixture.world.edit { $0.plan(.hang, at: .phase(.driver)) }
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(body: CreateCluster(spec: ClusterSpec(clusterName: "c2"), clusterID: "c2")))
            await expectCode(.invalidState) { [spec] in
                var spec = spec
                spec.numWorkers = 1
                return try await client.call(
                    ClusterAPI.editCluster, .init(clusterID: "c2", body: EditCluster(spec: spec)))
            }
        }
    }

    @Test func aResizeChangesTheWorkersOfWhatRunsAndOfItsNextStarts() async throws {
        try await withService { fixture, client in
            #expect(try await create(fixture, client, "c1", workers: 2).workers == 2)
            let now = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 4)))
            #expect(now.state == .resizing || now.workers == 4)
            try await eventually("it has four workers") {
                let info = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
                return info.state == .running && info.workers == 4
            }
            #expect(fixture.world.started.count == 1, "the driver stays")
            let error = HarbourError(.backendUnavailable, "No room. Try later.")
            fixture.world.edit { $0.plan(.fail(error), at: .resize) }
            _ = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 9)))
            try await eventually("the failure is told") {
                try await types(client, "c1").suffix(4) == [
                    "RESIZING", "UPSIZE_COMPLETED", "RESIZING", "RESIZE_FAILED",
                ]
            }
            let after = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            #expect(after.state == .running)
            #expect(after.workers == 4)
            #expect(after.stateMessage.contains("No room"))
            let impossible = [
                ResizeCluster(), ResizeCluster(numWorkers: 0),
                ResizeCluster(autoscale: AutoScale(minWorkers: 0, maxWorkers: 3)),
            ]
            for wish in impossible {
                await expectCode(.invalidParameter) {
                    try await client.call(ClusterAPI.resizeCluster, .init(clusterID: "c1", body: wish))
                }
            }
            #expect(try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")).spec.numWorkers == 9)
            await expectCode(.invalidParameter) {
                try await client.call(
                    ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 500)))
            }
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            await expectCode(.invalidState) {
                try await client.call(
                    ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 1)))
            }
        }
    }

    @Test func aResizeThatHangsDoesNotKeepAClusterFromEnding() async throws {
        try await withService { fixture, client in
            _ = try await create(fixture, client, "c1", workers: 1)
            fixture.world.edit { $0.plan(.hang, at: .resize) }
            let now = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 4)))
            #expect(now.state == .resizing)
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            #expect(fixture.world.clusters.isEmpty)
        }
    }

    @Test func aPinnedClusterCannotBeDeleted() async throws {
        try await withService { fixture, client in
            _ = try await create(fixture, client, "c1")
            #expect(try await client.call(ClusterAPI.pinCluster, .init(clusterID: "c1")).pinned == true)
            await expectCode(.invalidState) {
                try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            }
            _ = try await client.call(ClusterAPI.restartCluster, .init(clusterID: "c1"))
            #expect(try await fixture.wait("c1", for: .running).pinned == true)
            #expect(try await client.call(ClusterAPI.unpinCluster, .init(clusterID: "c1")).pinned == false)
            _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            try await eventually("it is gone") { fixture.world.clusters.isEmpty }
        }
    }

    @Test func aLostWorkerIsInTheEventLog() async throws {
        try await withService { fixture, client in
            _ = try await create(fixture, client, "c1", workers: 2)
            let id = try #require(ClusterIdentifier("c1"))
            fixture.world.setStatus(id, .degraded(workers: 1, message: "A worker died and is being replaced."))
            try await eventually("the loss is told") { try await types(client, "c1").last == "NODES_LOST" }
            let info = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            #expect(info.state == .running)
            #expect(info.workers == 1)
            #expect(info.stateMessage == "A worker died and is being replaced.")
            fixture.world.setStatus(id, .running(workers: 2))
            try await eventually("the end of it is told") {
                try await types(client, "c1").last == "NODES_RECOVERED"
            }
        }
    }

    /// What is seen while it is resized is no news, but what is so afterwards is.
    @Test func aLossThatEndsDuringAResizeIsToldToHaveEnded() async throws {
        try await withService { fixture, client in
            _ = try await create(fixture, client, "c1", workers: 2)
            let id = try #require(ClusterIdentifier("c1"))
            fixture.world.setStatus(id, .degraded(workers: 1, message: "A worker died and is being replaced."))
            try await eventually("the loss is told") { try await types(client, "c1").last == "NODES_LOST" }
            _ = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 4)))
            try await eventually("the end of it is told") {
                try await types(client, "c1").suffix(3) == ["RESIZING", "UPSIZE_COMPLETED", "NODES_RECOVERED"]
            }
        }
    }

    @Test func theCountdownTellsWhatItWaitsFor() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1", minutes: 5)
            var idle = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")).autoTermination
            #expect(idle?.minutes == 5)
            #expect(idle?.busyWith == [])
            #expect((1...300_000).contains(idle?.remainingMs ?? 0))
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "hang")))
            idle = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")).autoTermination
            #expect(idle?.busyWith == ["1 command"])
            #expect(idle?.remainingMs == nil)
            let wish = CreateCluster(spec: ClusterSpec(clusterName: "a"), clusterID: "c2", owner: "run/17")
            _ = try await client.call(ClusterAPI.createCluster, .init(body: wish))
            #expect(try await fixture.wait("c2", for: .running).autoTermination?.busyWith == ["run/17"])
        }
    }

    @Test func aStreamWithoutACommandKeepsAClusterAlive() async throws {
        var limits = EngineLimits()
        limits.minute = .milliseconds(100)
        try await withService(limits: limits) { fixture, _ in
            let driver = try await fixture.clusterInUse("c1")
            await driver.setStreams(0)
            #expect(try await fixture.wait("c1", for: .terminated).terminationReason?.code == "INACTIVITY")
        }
    }
}
