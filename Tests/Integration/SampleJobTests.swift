import Core
import HTTPMessage
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// Everything that starts a whole platform. One at a time: each takes the machine for itself.
@Suite(.serialized, .enabled(if: TestInstallation.environment != nil, "run deploy/setup for the clusters' Python"))
struct WholePlatform {}

extension WholePlatform {
    /// The main job as `deploy/up` runs it, and what it leaves behind.
    @Suite(.serialized, .platform) struct SampleJob {
        @Test(.timeLimit(.minutes(10))) func theSampleJobEndsWithItsResult() async throws {
            try await withPlatform { platform in
                let folder = "\(TestInstallation.root)/deploy/samples"
                let answer = try await platform.harbour(["sample", "--folder", folder, "--output", "json"])
                let run = try Run(json: Array(answer.utf8))
                #expect(run.state.resultState == .success)
                #expect(run.tasks.map(\.taskKey) == ["ingest", "report"])
                #expect(run.tasks.allSatisfy { $0.attempts.count == 1 })
                #expect(run.runPagePath != nil)

                let result = try JSONValue(json: Array(try #require(run.tasks.last?.exitValue).utf8))
                #expect(
                    result["columns"] == ["airline", "flights", "cancelled", "late_percent", "minutes_late"])
                let rows = try #require(result["rows"]?.array)
                #expect(rows.count > 5)
                #expect(rows.allSatisfy { ($0[1]?.int ?? 0) >= 100 })

                try await lookAtReport(of: run, platform)
                let log = try await RunLog.read(run.runID, platform)
                #expect(log.sequences == Array(1...Int64(log.sequences.count)))
                #expect(log.sequences.last == run.lastSequence)
                try await findItsCluster(platform)
            }
        }

        /// A cluster goes by its name as well as by its id.
        private func findItsCluster(_ platform: PlatformUnderTest) async throws {
            let show = { (cluster: String) in
                let answer = try await platform.harbour(["clusters", "show", cluster, "--output", "json"])
                return try ClusterInfo(json: Array(answer.utf8))
            }
            let named = try await show("sample")
            #expect(named.spec.clusterName == "sample" && named.clusterID != "sample")
            #expect(try await show(named.clusterID).clusterID == named.clusterID)
        }

        @Test(.timeLimit(.minutes(10))) func everyServiceSaysHowItIs() async throws {
            try await withPlatform { platform in
                for service in PlatformUnderTest.services {
                    for path in ["/healthz", "/readyz"] {
                        let answer = try await platform.send(.get, path, service: service)
                        #expect(answer.status == 200, "\(service) \(path)")
                    }
                    let metrics = try await platform.send(.get, "/metrics", service: service)
                    #expect(metrics.status == 200)
                    #expect(String(decoding: metrics.body, as: UTF8.self).contains("process_resident_memory_bytes"))
                    if PeerPrometheus.isThere { try PeerPrometheus.check(metrics: metrics.body) }
                    let document = try JSONValue(
                        json: try await platform.send(.get, "/openapi.json", service: service).body)
                    #expect(document["openapi"]?.string?.hasPrefix("3.1") == true)
                    #expect(document["paths"]?.object?.isEmpty == false)
                }
            }
        }

        @Test(.timeLimit(.minutes(10))) func theFrontDoorServesAllServices() async throws {
            try await withPlatform { platform in
                let api = try platform.api
                #expect(try await api.call(WorkspaceAPI.getMe, .init()).userName == "admin")
                _ = try await api.call(SchedulerAPI.listJobs, .init())
                _ = try await api.call(ClusterAPI.listClusters, .init())
                let backends = try await api.call(ClusterAPI.listBackends, .init()).backends
                #expect(backends.map(\.name).contains("local"))
                try await eventually("monitoring has seen every service") {
                    let targets = try await api.call(MonitoringAPI.listTargets, .init()).targets
                    return Set(targets.filter { $0.health == .up }.map(\.job))
                        .isSuperset(of: PlatformUnderTest.services)
                }
            }
        }

        private func lookAtReport(of run: Run, _ platform: PlatformUnderTest) async throws {
            let output = try await platform.api.call(
                SchedulerAPI.getTaskOutput, .init(runID: run.runID, taskKey: "report"))
            #expect(output.truncated == false)
            let notebook = ExecutedNotebook(try #require(output.notebook))
            #expect(notebook.kinds.contains("application/vnd.dataharbour.table+json"))
            #expect(notebook.kinds.contains("image/png"))
            #expect(output.exitValue == run.tasks.last?.exitValue)
            #expect(notebook.errors == [])
        }
    }
}
