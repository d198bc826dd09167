import ClusterBackend
import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HTTPServer
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

@testable import RemoteBackend

/// Our cluster service with its clusters on Databricks, as far as that is written down in `schemas/databricks`.
@Suite(.timeLimit(.minutes(15))) struct DatabricksTests {
    private struct Fixture: Sendable {
        let near: NearService
        let databricks: ScriptedDatabricks
        let front: FarFront
        let settings: [String: String]
    }

    private func withDatabricks(_ body: @escaping @Sendable (Fixture) async throws -> Void) async throws {
        try await withDatabase { database in
            try await withEventLoop { loop in
                let http = HTTPClient(loop: loop)
                let databricks = try ScriptedDatabricks(loop: loop)
                let server = HTTPServer(
                    configuration: HTTPServerConfiguration(), handler: databricks.handler, loop: loop)
                let front = FarFront(try HTTPOrigin("http://127.0.0.1:\(try await server.start())"), http)
                let door = HTTPServer(configuration: HTTPServerConfiguration(), handler: front, loop: loop)
                let folder = try TemporaryDirectory()
                let settings = [
                    "url": "http://127.0.0.1:\(try await door.start())", "kind": "databricks",
                    "token_file": try folder.write("token", Array(ScriptedDatabricks.token.utf8)),
                    "patience_seconds": "60", "spark_version": "16.4.x-scala2.12", "node_type": "m5.large",
                ]
                let near = try NearService(loop, database, settings)
                let fixture = Fixture(near: near, databricks: databricks, front: front, settings: settings)
                let outcome: Result<Void, any Error>
                do { outcome = .success(try await body(fixture)) } catch { outcome = .failure(error) }
                try await near.stop()
                await near.http.close()
                await door.drain(budget: .zero)
                await server.drain(budget: .zero)
                await http.close()
                #expect(await databricks.violations.isEmpty)
                try outcome.get()
            }
        }
    }

    @Test func clustersContextsAndCommands() async throws {
        try await withDatabricks { fixture in
            let client = try await fixture.near.runningCluster()
            let backends = try await client.call(ClusterAPI.listBackends, .init()).backends
            #expect(backends.first?.available == true, "\(backends)")
            #expect(backends.first?.capabilities == ["recovery", "resize", "workers"])
            let text = try await fixture.near.run(client, "a", "text")
            #expect(text.map(\.type) == [.state, .stream, .state])
            #expect(text[1].text == "2\n")
            #expect(text.last?.state == .finished)
            #expect(try await fixture.near.run(client, "a", "text", after: 1) == Array(text[1...]))
            let table = try await fixture.near.run(client, "b", "table")
            #expect(table[1].data?["application/vnd.dataharbour.table+json"]?["columns"]?[0]?["type"] == "int")
            #expect(table[1].data?["text/plain"] == "n\tword\n1\tone\n2\tnull")
            let image = try await fixture.near.run(client, "c", "image")
            #expect(image[1].data?["image/png"] == "iVBORw0KGgo=")
            let error = try await fixture.near.run(client, "d", "error")
            #expect(error.last?.state == .error)
            #expect(error.last?.error?.name == "ValueError" && error.last?.error?.message == "ValueError: no")
            let cut = try await fixture.near.run(client, "e", "truncated")
            #expect(cut.map(\.type) == [.state, .stream, .truncated, .state])
            #expect(await fixture.databricks.runs.values.allSatisfy { $0 == 1 })

            _ = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 3)))
            #expect(try await fixture.near.wait(client, "c1", for: .running).workers == 3)
            _ = try await client.call(ClusterAPI.deleteContext, .init(clusterID: "c1", contextID: "ctx"))
            _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            try await eventually("it is removed there") { await fixture.databricks.clusterIDs.isEmpty }
        }
    }

    @Test func cancelling() async throws {
        try await withDatabricks { fixture in
            let client = try await fixture.near.runningCluster()
            let events = try await fixture.near.run(client, "a", "hang") { event in
                guard event.sequence == 1 else { return }
                _ = try await client.call(
                    ClusterAPI.cancelCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a"))
            }
            #expect(events.last?.state == .cancelled)
        }
    }

    @Test(arguments: [FarFront.Fault.answerLost, .lostOnTheWay, .answer(504)])
    func aCommandWhoseHandingOverIsInDoubtIsLostAndNotSentAgain(_ fault: FarFront.Fault) async throws {
        try await withDatabricks { fixture in
            let client = try await fixture.near.runningCluster()
            fixture.front.fail("/commands/execute", .post, fault)
            let events = try await fixture.near.run(client, "a", "text")
            #expect(events.last?.state == .error)
            #expect(events.last?.error?.code == "COMMAND_LOST")
            #expect(try await fixture.near.run(client, "a", "text") == events)
            #expect(await fixture.databricks.runs["text"] ?? 0 <= 1)
            #expect(fixture.front.seen.count { $0.contains("/commands/execute") } == 1)
        }
    }

    @Test func aCrowdedDoorIsTriedAgain() async throws {
        try await withDatabricks { fixture in
            let client = try await fixture.near.runningCluster()
            fixture.front.fail("/commands/execute", .post, .answer(429, ["retry-after": "1"]), times: 2)
            let events = try await fixture.near.run(client, "a", "text")
            #expect(events.last?.state == .finished)
            #expect(await fixture.databricks.runs == ["text": 1])
        }
    }

    @Test func aPartitionAndARestartAreSurvived() async throws {
        try await withDatabricks { fixture in
            let client = try await fixture.near.runningCluster()
            let run = Task { try await fixture.near.run(client, "a", "hang") }
            try await eventually("it runs") { await fixture.databricks.runs == ["hang": 1] }
            fixture.front.setCut(true)
            let seen = fixture.front.seen.count
            try await eventually("it is asked for in vain") { fixture.front.seen.count > seen + 1 }
            try await fixture.near.stop()
            _ = await run.result
            fixture.front.setCut(false)
            let again = try await fixture.near.start()
            _ = try await fixture.near.wait(again, "c1", for: .running)
            let following = Task { try await fixture.near.run(again, "a", "hang") }
            _ = try await again.call(
                ClusterAPI.cancelCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a"))
            let events = try await following.value
            #expect(events.map(\.sequence) == [1, 2])
            #expect(events.last?.state == .cancelled)
            #expect(await fixture.databricks.runs == ["hang": 1])
        }
    }

    @Test func aMakingThatWasNotHeardOfIsFoundByItsLabels() async throws {
        try await withDatabricks { fixture in
            fixture.front.fail("/clusters/create", .post, .answerLost)
            _ = try await fixture.near.runningCluster()
            #expect(await fixture.databricks.clusterIDs.count == 1)
            #expect(fixture.front.seen.count { $0.contains("/clusters/create") } == 1)
        }
    }

    @Test func aClusterThatDiesThereIsSeen() async throws {
        try await withDatabricks { fixture in
            let client = try await fixture.near.runningCluster()
            await fixture.databricks.end(try #require(await fixture.databricks.clusterIDs.first))
            for try await info in try await client.stream(ClusterAPI.watchCluster, .init(clusterID: "c1")) {
                guard info.state == .terminated else { continue }
                #expect(info.stateMessage.contains("The driver was lost"), "\(info.stateMessage)")
                break
            }
        }
    }

    @Test func whatDatabricksDecidesCannotBeChosen() async throws {
        try await withDatabricks { fixture in
            let backend = try RemoteBackend(
                context: BackendContext(installation: "i", folder: "/nowhere", settings: fixture.settings),
                loop: fixture.near.loop)
            var spec = BackendSpec(driver: NodeSize(cores: 4), worker: NodeSize(memoryMiB: 1024))
            spec.secretEnvironment["S"] = Secret("s")
            #expect(
                backend.validate(spec).map(\.field) == ["driver_cores", "worker_memory_mb", "spark_env_vars"])
            #expect(await backend.preflight().passed)
            let handle = ClusterHandle(
                backend: "remote", version: 1, cluster: try #require(ClusterIdentifier("x")), payload: [])
            await #expect(throws: HarbourError.self) {
                try await backend.logs(of: handle, after: 0, follow: false) { _ in }
            }
        }
    }
}
