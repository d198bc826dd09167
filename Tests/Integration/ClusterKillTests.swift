import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// `cluster` and `driver` are killed with SIGKILL, again and again, a little later each time, so that every step of a
/// start and of an end is hit. Afterwards there is one consistent state, one driver or none, and nothing left over.
@Suite(.serialized) struct ClusterKillTests {
    private func withCluster(
        _ body: @escaping @Sendable (ClusterProcess) async throws -> Void
    ) async throws {
        try await withDatabase { database in
            try await withEventLoop { loop in
                let cluster = try ClusterProcess(loop: loop, database: database)
                try await body(cluster)
                await cluster.http.close()
                cluster.removeFolder()
            }
        }
    }

    private func create(_ client: ServiceClient, _ id: String) async throws {
        let wish = CreateCluster(
            spec: ClusterSpec(clusterName: id, driverMemoryMB: 512), clusterID: id)
        _ = try await client.call(ClusterAPI.createCluster, .init(body: wish))
    }

    @Test(.timeLimit(.minutes(10))) func killedAtAnyMomentOfAStartAndOfAnEnd() async throws {
        try await withCluster { cluster in
            for delay in [0, 4, 9, 15, 25, 40, 70, 120, 250, 500] {
                let id = "k\(delay)-\(Identifier.make())"
                let (first, client) = try await cluster.start()
                try await create(client, id)
                try await Task.sleep(for: .milliseconds(delay))
                first.kill()
                _ = try await first.wait()

                let (second, again) = try await cluster.start()
                _ = try await cluster.wait(again, id, for: [.running])
                #expect(cluster.processes(of: id).drivers.count == 1, "killed after \(delay) ms of a start")
                _ = try await again.call(
                    ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
                try await Task.sleep(for: .milliseconds(delay))
                second.kill()
                _ = try await second.wait()

                let (third, last) = try await cluster.start()
                let ended = try await cluster.wait(last, id, for: [.terminated])
                #expect(ended.terminationReason?.code == "USER_REQUEST")
                #expect(cluster.processes(of: id).all == [], "killed after \(delay) ms of an end")
                #expect(cluster.folders == [])
                let events = try await last.call(ClusterAPI.listClusterEvents, .init(clusterID: id)).events
                #expect(events.filter { $0.type == "RUNNING" }.count == 1)
                #expect(events.filter { $0.type == "TERMINATED" }.count == 1)
                third.kill()
                _ = try await third.wait()
            }
        }
    }

    @Test(.timeLimit(.minutes(10))) func aDriverThatIsKilledIsSeenAtOnceAndLeavesNothing() async throws {
        try await withCluster { cluster in
            let (service, client) = try await cluster.start()
            let id = "d-\(Identifier.make())"
            try await create(client, id)
            _ = try await cluster.wait(client, id, for: [.running])
            try await eventually("the stand-in of Spark has its helper") {
                cluster.processes(of: id).all.count >= 3
            }
            for pid in cluster.processes(of: id).drivers { kill(pid, SIGKILL) }
            let ended = try await cluster.wait(client, id, for: [.terminated])
            // One that is only missed would be called unreachable.
            #expect(ended.terminationReason?.code == "DRIVER_LOST")
            #expect(cluster.processes(of: id).all == [])
            #expect(cluster.folders == [])
            service.kill()
            _ = try await service.wait()
        }
    }

    @Test(.timeLimit(.minutes(10))) func aDriverThatDiesWithTheServiceIsMissedAfterwards() async throws {
        try await withCluster { cluster in
            let (service, client) = try await cluster.start()
            let id = "m-\(Identifier.make())"
            try await create(client, id)
            _ = try await cluster.wait(client, id, for: [.running])
            service.kill()
            _ = try await service.wait()
            for pid in cluster.processes(of: id).drivers { kill(pid, SIGKILL) }
            let (second, again) = try await cluster.start()
            let ended = try await cluster.wait(again, id, for: [.terminated])
            #expect(ended.terminationReason?.code == "DRIVER_LOST")
            #expect(cluster.processes(of: id).all == [])
            #expect(cluster.folders == [])
            second.kill()
            _ = try await second.wait()
        }
    }
}
