import ClusterBackend
import Core
import DockerBackend
import EventLoop
import TestSupport
import Testing

/// What only many clusters, or no engine at all, show.
@Suite(.enabled(if: TestDocker.socket != nil, "There is no Docker engine: see Tests/README.md."), .serialized)
struct ManyClustersTests {
    @Test(.timeLimit(.minutes(10))) func tenAtOnceLeaveNothing() async throws {
        try await withEventLoop { loop in
            let ids = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        var id = ""
                        try await withDockerCluster(
                            BackendSpec(driver: NodeSize(cores: 1, memoryMiB: 1024)),
                            driver: "\(TestDocker.top)/Tests/Conformance/stand_in_driver.py", mounts: [], loop: loop
                        ) { cluster in
                            id = cluster.id
                            let status = try await cluster.backend.status(of: cluster.cluster.handle)
                            #expect(status == .running(workers: 0))
                        }
                        return id
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(ids).count == 10)
            for id in ids { #expect(try TestDocker.eyes(["remains", id]).isEmpty) }
        }
    }

    private func backend(_ settings: [String: String], _ loop: EventLoop) -> DockerBackend {
        DockerBackend(
            context: BackendContext(installation: "test", folder: "/tmp/unused", settings: settings), loop: loop)
    }

    @Test func withoutAnEngineTheWordsArePlain() async throws {
        try await withEventLoop { loop in
            let backend = backend(["host": "unix:///nowhere/docker.sock"], loop)
            let report = await backend.preflight()
            #expect(!report.passed)
            #expect(
                report.advice == "The container engine at unix:///nowhere/docker.sock cannot be reached. Start it, and "
                    + "let this user use its socket, or set HARBOUR_BACKEND_DOCKER_HOST.")
            let id = try #require(ClusterIdentifier("never"))
            let request = ProvisionRequest(
                id: id, spec: BackendSpec(), launch: DriverLaunch(executable: "/unused", token: Secret("t")))
            let error = await #expect(throws: HarbourError.self) { try await backend.provision(request) { _ in } }
            #expect(error?.code == .backendUnavailable)
            let end = await #expect(throws: HarbourError.self) {
                try await backend.terminate(id, handle: nil, grace: .seconds(1))
            }
            #expect(end?.code == .backendUnavailable)
            await backend.close()
        }
    }

    @Test func aSettingThatCannotBeUsedIsNamed() async throws {
        try await withEventLoop { loop in
            let report = await backend(["host": "ssh://engine"], loop).preflight()
            #expect(report.advice.contains("HARBOUR_BACKEND_DOCKER_HOST"))
        }
    }

    @Test func aMissingImageIsToldBeforeAStart() async throws {
        try await withEventLoop { loop in
            let settings = ["host": "unix://\(TestDocker.socket ?? "")", "image": "dataharbour/nothing:of-the-kind"]
            let report = await backend(settings, loop).preflight()
            #expect(
                report.checks.filter { !$0.passed }.map(\.message) == [
                    "The image dataharbour/nothing:of-the-kind is not on the engine. Build it with deploy/images/build, "
                        + "or pull it."
                ])
        }
    }

    @Test func moreThanTheMachineHasIsRefused() async throws {
        try await withEventLoop { loop in
            let backend = backend(["host": "unix://\(TestDocker.socket ?? "")"], loop)
            let request = ProvisionRequest(
                id: try #require(ClusterIdentifier("never")), spec: BackendSpec(driver: NodeSize(cores: 100_000)),
                launch: DriverLaunch(executable: "/unused", token: Secret("t")))
            let error = await #expect(throws: HarbourError.self) { try await backend.provision(request) { _ in } }
            #expect(error?.code == .invalidParameter)
            #expect(error?.message.contains("driver_cores must be") == true)
            await backend.close()
        }
    }
}
