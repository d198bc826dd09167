import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

extension PlaceTests {
    /// What goes wrong in the place of a cluster, brought about for real: each is told by its state, a typed reason and what to
    /// do next, and leaves nothing.
    @Suite(.serialized) struct ClusterTroubleTests {
        private func withCluster(
            _ settings: [String: String] = [:],
            _ body: @escaping @Sendable (ClusterProcess, ServiceClient) async throws -> Void
        ) async throws {
            try await withDatabase { database in
                try await withEventLoop { loop in
                    let cluster = try ClusterProcess(loop: loop, database: database, settings: settings)
                    let (process, client) = try await cluster.start()
                    let outcome: Result<Void, any Error>
                    do { outcome = .success(try await body(cluster, client)) } catch { outcome = .failure(error) }
                    try await cluster.end(process)
                    await cluster.http.close()
                    try outcome.get()
                    cluster.removeFolder()
                }
            }
        }

        /// Asks for a cluster that will not come up, and says how it ended.
        private func failedStart(
            _ cluster: ClusterProcess, _ client: ServiceClient, _ spec: ClusterSpec
        ) async throws -> (reason: TerminationReason, message: String) {
            let id = "f-\(Identifier.make())"
            _ = try await client.call(
                ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)))
            let ended = try await cluster.wait(client, id, for: [.running, .terminated, .error])
            #expect(ended.state == .terminated)
            #expect(cluster.processes(of: id).all.isEmpty)
            #expect(try cluster.files().isEmpty)
            if TestDocker.socket != nil, spec.backend == "docker" {
                #expect(try TestDocker.eyes(["remains", id]).isEmpty)
            }
            return (try #require(ended.terminationReason), ended.stateMessage)
        }

        private func local() -> ClusterSpec {
            var spec = ClusterSpec(clusterName: "trouble")
            spec.driverMemoryMB = 512
            return spec
        }

        /// A driver of another token than the service knows, as one whose file somebody has changed.
        @Test(.timeLimit(.minutes(10))) func aDriverThatRefusesOurTokenIsNotWaitedFor() async throws {
            let folder = try TemporaryDirectory()
            let driver = try #require(TestDocker.program("driver"))
            let script = try folder.write(
                "driver", Array("#!/bin/sh\nprintf other >\"$HARBOUR_DRIVER_TOKEN_FILE\"\nexec \(driver) \"$@\"\n".utf8)
            )
            chmod(script, 0o700)
            try await withCluster(["HARBOUR_CLUSTER_DRIVER": script]) { cluster, client in
                let (reason, message) = try await failedStart(cluster, client, local())
                #expect(reason.code == "ACCESS_TOKEN_FAILURE")
                #expect(reason.type == .serviceFault)
                #expect(message.contains("does not accept the cluster's token"), "\(message)")
                #expect(message.hasSuffix("Start the cluster again."), "\(message)")
            }
            _ = folder
        }

        /// A file system of 16 KiB; only root can make one.
        @Test(.enabled(if: getuid() == 0), .timeLimit(.minutes(10))) func aFullDiskIsSaidAndCanBeMended() async throws {
            let small = try TemporaryDirectory()
            // A container may forbid it.
            guard (try? runCommand(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small.path])) != nil else {
                return
            }
            defer { _ = try? runCommand(["umount", "-l", small.path]) }
            try await withCluster(["HARBOUR_CLUSTER_FOLDER": small.path]) { cluster, client in
                _ = try? runCommand(["dd", "if=/dev/zero", "of=\(small.path)/fill", "bs=4k"])
                let (reason, message) = try await failedStart(cluster, client, local())
                #expect(reason.code == "CLOUD_PROVIDER_LAUNCH_FAILURE")
                #expect(reason.parameters?["error_code"] == "CLUSTER_LAUNCH_FAILED")
                #expect(message.contains("No space left on device") && message.contains("Make room"), "\(message)")
            }
        }

        /// A driver that takes all the memory that the kernel gives its cluster.
        private func outOfMemory(
            _ cluster: ClusterProcess, _ client: ServiceClient, _ spec: ClusterSpec
        ) async throws {
            let (reason, message) = try await failedStart(cluster, client, spec)
            #expect(reason.code == "SPARK_STARTUP_FAILURE")
            #expect(reason.type == .clientError)
            #expect(reason.parameters?["error_code"] == "OUT_OF_MEMORY")
            #expect(message.contains("memory") && message.contains("Give the"), "\(message)")
        }

        private static let hungry = "\(TestDocker.top)/Tests/DockerBackend/hungry_driver.py"
        /// Whether this user may hold processes to their memory.
        private static let hasGroups = getuid() == 0 && access("/sys/fs/cgroup/memory", W_OK) == 0

        @Test(.enabled(if: hasGroups, "Control groups are not permitted here."), .timeLimit(.minutes(10)))
        func aLocalDriverWithoutMemoryIsSaidAsSuch() async throws {
            try await withCluster(["HARBOUR_CLUSTER_DRIVER": Self.hungry]) { cluster, client in
                try await outOfMemory(cluster, client, local())
            }
        }

        @Test(.enabled(if: TestDocker.socket != nil), .timeLimit(.minutes(10)))
        func aDriverInAContainerWithoutMemoryIsSaidAsSuch() async throws {
            var settings = try DockerKillTests.settings(engine: TestDocker.socket ?? "")
            settings["HARBOUR_BACKEND_DOCKER_IMAGE_DRIVER"] = Self.hungry
            try await withCluster(settings) { cluster, client in
                try await outOfMemory(cluster, client, DockerKillTests.spec("hungry", workers: 0))
            }
        }

        @Test(.enabled(if: TestDocker.socket != nil), .timeLimit(.minutes(10)))
        func anImageThatIsNowhereIsSaidWithWhatToDo() async throws {
            var settings = try DockerKillTests.settings(engine: TestDocker.socket ?? "")
            settings["HARBOUR_BACKEND_DOCKER_IMAGE"] = "127.0.0.1:9/nowhere:1"
            try await withCluster(settings) { cluster, client in
                let (reason, message) = try await failedStart(
                    cluster, client, DockerKillTests.spec("no-image", workers: 0))
                #expect(reason.code == "CLOUD_PROVIDER_LAUNCH_FAILURE")
                #expect(reason.type == .cloudFailure)
                #expect(reason.parameters?["error_code"] == "CLUSTER_LAUNCH_FAILED")
                #expect(
                    message.contains("127.0.0.1:9/nowhere:1") && message.contains("deploy/images/build"), "\(message)")
            }
        }

        /// The engine ends, as it does when somebody updates it, when the driver's container has just been made.
        @Test(.enabled(if: OwnDocker.isPossible, "No engine of our own can be run."), .timeLimit(.minutes(10)))
        func anEngineThatEndsInTheMiddleOfAStartIsSaidAndItsRestIsRemoved() async throws {
            let own = try OwnDocker()
            let listen = own.folder.file("proxy.sock")
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(
                    try await withCluster(try DockerKillTests.settings(engine: listen)) { cluster, client in
                        try await endsInTheMiddle(own, listen, cluster, client)
                    })
            } catch { outcome = .failure(error) }
            try own.stop()
            try outcome.get()
        }

        private func endsInTheMiddle(
            _ own: OwnDocker, _ listen: String, _ cluster: ClusterProcess, _ client: ServiceClient
        ) async throws {
            var specification = ProcessSpecification(
                "python3", ["\(TestDocker.top)/Tests/Tools/engine_proxy.py", listen, own.socket, own.folder.path])
            specification.parentDeathSignal = SIGKILL
            let proxy = try await ChildProcess.start(specification, loop: cluster.loop)
            try await eventually("the proxy listens") { access(listen, F_OK) == 0 }
            // The first step makes the network, the second the container.
            try own.folder.write("arm", Array("2 after \(try own.pid) TERM".utf8))
            let id = "e-\(Identifier.make())"
            let wish = CreateCluster(spec: DockerKillTests.spec("ended", workers: 0), clusterID: id)
            _ = try await client.call(ClusterAPI.createCluster, .init(body: wish))
            let ending = try await cluster.wait(client, id, for: [.running, .terminating, .terminated])
            #expect(ending.state == .terminating)
            #expect(ending.terminationReason?.code == "CLOUD_PROVIDER_LAUNCH_FAILURE")
            #expect(ending.terminationReason?.parameters?["error_code"] == "BACKEND_UNAVAILABLE")
            let advice = ending.terminationReason?.parameters?["message"] ?? ""
            #expect(advice.contains("cannot be reached") && advice.contains("Start it"), "\(advice)")
            try own.start()
            let ended = try await cluster.wait(client, id, for: [.terminated, .error])
            #expect(ended.state == .terminated, "\(ended.stateMessage)")
            #expect(ended.terminationReason?.code == "CLOUD_PROVIDER_LAUNCH_FAILURE")
            #expect(try TestDocker.eyes(["remains", id], at: own.socket).isEmpty)
            #expect(try cluster.files().isEmpty)
            try await cluster.end(proxy)
        }

        @Test(.timeLimit(.minutes(10))) func aMasterThatIsAwayIsSaidWithWhatToDo() async throws {
            // Nobody listens on port 9 of a machine of ours.
            try await withCluster(["HARBOUR_BACKEND_SPARK_MASTER": "spark://127.0.0.1:9"]) { cluster, client in
                var spec = local()
                spec.backend = "spark"
                spec.numWorkers = 1
                let (reason, message) = try await failedStart(cluster, client, spec)
                #expect(reason.code == "CLOUD_PROVIDER_LAUNCH_FAILURE")
                #expect(reason.parameters?["error_code"] == "BACKEND_UNAVAILABLE")
                #expect(message.contains("spark://127.0.0.1:9") && message.contains("Start it"), "\(message)")
            }
        }
    }
}
