import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

extension PlaceTests.SparkClusterTests {
    /// On this machine: workers are killed in the middle of jobs, before and after a restart of the service, and come and go
    /// while it runs.
    @Test(.timeLimit(.minutes(15))) func onThisMachine() async throws {
        let settings = [
            "HARBOUR_DRIVER_PYTHON": try #require(StandaloneSpark.python),
            "HARBOUR_DRIVER_RUNTIME_FOLDER": "\(TestDocker.top)/Libraries/Runtime",
        ]
        try await withDatabase { database in
            try await withEventLoop { loop in
                let cluster = try ClusterProcess(loop: loop, database: database, settings: settings)
                let id = "l-\(Identifier.make())"
                var spec = ClusterSpec(clusterName: "on this machine")
                spec.backend = "local"
                spec.numWorkers = 2
                (spec.driverMemoryMB, spec.workerMemoryMB, spec.workerCores) = (1024, 512, 1)
                let (first, client) = try await cluster.start()
                try await create(cluster, client, spec, id)
                try await loseAWorker(cluster, client, id, time: 1)
                try await cluster.end(first)

                let (second, again) = try await cluster.start()
                _ = try await cluster.wait(again, id, for: [.running])
                try await loseAWorker(cluster, again, id, time: 2)
                try await comeAndGo(cluster, again, id)

                _ = try await again.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
                _ = try await cluster.wait(again, id, for: [.terminated])
                #expect(cluster.processes(of: id).all.isEmpty)
                #expect(try cluster.files().isEmpty)
                let events = try await again.call(ClusterAPI.listClusterEvents, .init(clusterID: id)).events
                #expect(events.count { $0.type == "NODES_LOST" } == 2, "those that were let go are not lost: \(events)")
                try await cluster.end(second)
                await cluster.http.close()
                cluster.removeFolder()
            }
        }
    }

    private func executors(_ cluster: ClusterProcess, _ id: String) -> [Int32] {
        cluster.processes(of: id).all.filter { cluster.command(of: $0).contains("CoarseGrainedExecutorBackend") }
    }

    /// Kills one of two workers while a job runs: the job ends right, and the events say what happened.
    private func loseAWorker(
        _ cluster: ClusterProcess, _ client: ServiceClient, _ id: String, time: Int
    ) async throws {
        // The line in which the driver says so: a process is there before Spark has it.
        try await eventually("Spark has both workers") {
            try runCommand(["tail", "-n", "1", "\(cluster.folder)/c/local/\(id)/executors-seen"])
                .contains(#""running":2,"#)
        }
        try await runJob(client, id, tasks: 16) {
            let victim = try #require(executors(cluster, id).first)
            let name = cluster.command(of: victim).word(after: "--executor-id ")
            let killed = Timestamp.now
            kill(victim, SIGKILL)
            let lost = try await wait(client, id, for: "NODES_LOST", times: time)
            print("the loss of a local worker was told after", lost.timestamp - killed)
            #expect(lost.message == "worker-\(name) was ended by signal 9 and is being replaced.")
            #expect(lost.details?["lost"] == "1")
        }
        _ = try await wait(client, id, for: "NODES_RECOVERED", times: time)
        #expect(executors(cluster, id).count == 2)
    }

    /// Fewer while a job runs, more again, and more by what waits.
    private func comeAndGo(_ cluster: ClusterProcess, _ client: ServiceClient, _ id: String) async throws {
        try await runJob(client, id, tasks: 12) { try await resize(cluster, client, id, to: 1) }
        _ = try await wait(client, id, for: "DOWNSIZE_COMPLETED")
        try await eventually("one worker is left") { executors(cluster, id).count == 1 }
        try await resize(cluster, client, id, to: 2)
        _ = try await wait(client, id, for: "UPSIZE_COMPLETED")
        #expect(executors(cluster, id).count == 2)
        try await runJob(client, id, tasks: 4)

        try await runJob(client, id, tasks: 1000, isCancelled: true) {
            // Asked for while a command runs, or it would first look at what waits after half a minute.
            let wish = ResizeCluster(autoscale: AutoScale(minWorkers: 1, maxWorkers: 3))
            _ = try await client.call(ClusterAPI.resizeCluster, .init(clusterID: id, body: wish))
            let more = try await wait(client, id, for: "UPSIZE_COMPLETED", times: 2)
            #expect(more.details?["to"] == "3")
        }
        let resizing = try await wait(client, id, for: "RESIZING", times: 3)
        #expect(resizing.details?["cause"] == "AUTOSCALE")
    }
}

extension String {
    /// The word that follows a text; empty when the text is not there.
    fileprivate func word(after text: String) -> Substring {
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(text) { return rest.dropFirst(text.count).prefix { $0 != " " } }
            rest = rest.dropFirst()
        }
        return rest
    }
}
