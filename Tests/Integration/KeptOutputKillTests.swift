import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// Real kernels print, nobody reads, and the cluster comes to its end in every way: what was printed is read afterwards,
/// all of it and in order.
@Suite(.serialized, .enabled(if: TestDocker.python != nil)) struct KeptOutputKillTests {
    private static let lines = 300
    private static let printing = "for n in range(\(lines)): print(n, flush=True)"
    private static let sleeping = printing + "\nprint('all', flush=True)\nimport time\ntime.sleep(1000)"

    private enum End: CaseIterable {
        /// A user ends the cluster, and the service is killed while it does so.
        case termination
        /// The driver is killed.
        case driver
        /// The driver is killed while there is no service.
        case both
        /// The driver is stopped, so that it answers nobody, and the cluster is ended.
        case silence
    }

    @Test(.timeLimit(.minutes(5))) func nothingThatWasPrintedIsLost() async throws {
        let settings = ["HARBOUR_DRIVER_PYTHON": try #require(TestDocker.python)]
        try await withDatabase { database in
            try await withEventLoop { loop in
                let cluster = try ClusterProcess(loop: loop, database: database, settings: settings)
                for end in End.allCases { try await examine(end, cluster) }
                await cluster.http.close()
                cluster.removeFolder()
            }
        }
    }

    private func examine(_ end: End, _ cluster: ClusterProcess) async throws {
        let id = "o-\(Identifier.make())"
        let (first, client) = try await cluster.start()
        try await print(client, id)
        let service = try await bring(end, to: cluster, id, first, client)
        let last = try cluster.client(cluster.http)
        let ended = try await cluster.wait(last, id, for: [.terminated])

        let whole = try await events(last, id, "whole")
        #expect(text(whole) == (0..<Self.lines).map { "\($0)\n" }.joined(), "\(end)")
        #expect(whole.map(\.sequence) == Array(1...Int64(whole.count)), "\(end)")
        #expect(whole.last?.state == .finished, "\(end)")
        #expect(try await events(last, id, "whole", after: 5) == Array(whole.dropFirst(5)), "\(end)")
        let cut = try await events(last, id, "cut")
        #expect(text(cut) == (0..<Self.lines).map { "\($0)\n" }.joined() + "all\n", "\(end)")
        #expect(!cut.contains { $0.type == .truncated }, "\(end)")
        #expect(cut.last?.state == .error, "\(end)")
        let code = end == .driver || end == .both ? "DRIVER_LOST" : "CLUSTER_TERMINATED"
        #expect(cut.last?.error?.code == code, "\(end): \(ended.stateMessage)")
        #expect(cluster.processes(of: id).all == [])
        #expect(cluster.folders == [])
        try await cluster.end(service)
    }

    /// Two commands, one that ends and one that does not, and nobody who has read them.
    private func print(_ client: ServiceClient, _ id: String) async throws {
        let spec = ClusterSpec(clusterName: id, driverMemoryMB: 512)
        _ = try await client.call(ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)))
        // Its own wait, for the one that ends with it is not the only one.
        for try await info in try await client.stream(ClusterAPI.watchCluster, .init(clusterID: id))
        where info.state == .running { break }
        _ = try await client.call(
            ClusterAPI.createContext, .init(clusterID: id, body: ContextSpec(contextID: "x", kernel: "python3")))
        for (command, source) in [("whole", Self.printing), ("cut", Self.sleeping)] {
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: id, contextID: "x", body: CommandSpec(commandID: command, source: source)))
        }
        // This reader confirms nothing.
        let events = try await client.stream(
            ClusterAPI.streamCommandEvents, .init(clusterID: id, contextID: "x", commandID: "cut"))
        var text = ""
        for try await event in events {
            text += event.text ?? ""
            if text.hasSuffix("all\n") { break }
        }
    }

    /// - Returns: the service that serves afterwards.
    private func bring(
        _ end: End, to cluster: ClusterProcess, _ id: String, _ service: ChildProcess, _ client: ServiceClient
    ) async throws -> ChildProcess {
        let driver = try #require(cluster.processes(of: id).drivers.min())
        switch end {
        case .termination:
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
            try await cluster.end(service)
            return try await cluster.start().process
        case .driver:
            kill(driver, SIGKILL)
            return service
        case .both:
            try await cluster.end(service)
            kill(driver, SIGKILL)
            return try await cluster.start().process
        case .silence:
            kill(driver, SIGSTOP)
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
            return service
        }
    }

    private func events(
        _ client: ServiceClient, _ id: String, _ command: String, after: Int64 = 0
    ) async throws -> [CommandEvent] {
        var events: [CommandEvent] = []
        let stream = try await client.stream(
            ClusterAPI.streamCommandEvents,
            .init(clusterID: id, contextID: "x", commandID: command, after: after),
            context: .within(.seconds(60)))
        for try await event in stream { events.append(event) }
        return events
    }

    private func text(_ events: [CommandEvent]) -> String {
        events.filter { $0.type == .stream && $0.name == "stdout" }.compactMap(\.text).joined()
    }
}
