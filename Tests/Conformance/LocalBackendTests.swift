import ClusterBackend
import Core
import EventLoop
import Glibc
import LocalBackend
import TestSupport
import Testing

/// What the exam cannot arrange, because it is particular to processes of this machine.
@Suite struct LocalBackendTests {
    /// Brings one cluster up, lets the body tamper with it, and gives it a backend as after a restart.
    private func withCluster(
        _ body:
            @escaping @Sendable (
                _ subject: LocalSubject, _ folder: String, _ request: ProvisionRequest, _ first: ProvisionedCluster,
                _ restarted: any ClusterBackend
            ) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            let subject = try LocalSubject(loop: loop)
            let id = try #require(ClusterIdentifier("t" + Identifier.make()))
            let installation = Identifier.make()
            let backend = try await subject.backend(installation: installation)
            let request = subject.request(id, workers: 0)
            let cluster = try await backend.provision(request) { _ in }
            await backend.close()
            let restarted = try await subject.backend(installation: installation)
            do {
                // A driver that has not read its files yet would end when they are tampered with.
                try await listens(subject, cluster, request)
                try await body(subject, "\(subject.folder)/c/\(id)", request, cluster, restarted)
            } catch {
                try await restarted.terminate(id, handle: nil, grace: .seconds(1))
                throw error
            }
            try await restarted.terminate(id, handle: nil, grace: .seconds(1))
            #expect(try await subject.remains(of: id) == [])
            subject.removeFolder()
        }
    }

    private func listens(
        _ subject: LocalSubject, _ cluster: ProvisionedCluster, _ request: ProvisionRequest
    ) async throws {
        let end = MonotonicTime.now + .seconds(30)
        while (try? await subject.identify(cluster.driver, token: request.launch.token)) == nil {
            try #require(.now < end, "the stand-in listens")
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    @Test func aProcessWhoseNumberWasNeverWrittenDownIsFoundByItsMark() async throws {
        try await withCluster { subject, folder, request, first, restarted in
            let before = LocalSubject.leaders(of: request.id)
            try rewrite("\(folder)/state.json") { state in
                state["process"] = nil
                state["stage"] = "spawning"
            }
            let report = try await restarted.recover([RecoveryEntry(id: request.id, handle: nil)], asOf: .now)
            guard case .running(let found) = report.clusters[request.id] else {
                Issue.record("found \(String(describing: report.clusters[request.id]))")
                return
            }
            #expect(found.driver == first.driver)
            _ = try await restarted.provision(request) { _ in }
            #expect(LocalSubject.leaders(of: request.id) == before)
        }
    }

    @Test func aProcessWhoseFolderWasRemovedIsEnded() async throws {
        try await withCluster { _, folder, request, _, restarted in
            rename(folder, "\(folder).moved")
            defer { rename("\(folder).moved", folder) }
            let report = try await restarted.recover([RecoveryEntry(id: request.id, handle: nil)], asOf: .now)
            #expect(report.clusters[request.id] == .incomplete)
            try await restarted.terminate(request.id, handle: nil, grace: .seconds(1))
            #expect(LocalSubject.processes(of: request.id) == [])
        }
    }

    @Test func aProcessIdThatWasGivenToAnotherIsNotTouched() async throws {
        try await withEventLoop { loop in
            // A stranger that leads a session with a member, as the process that was given the number might.
            var specification = ProcessSpecification("/bin/sh", ["-c", "sleep 1000 & wait"])
            specification.group = .session
            specification.environment = .only(["PATH": "/usr/bin:/bin"])
            let stranger = try await ChildProcess.start(specification, loop: loop)
            let number = stranger.pid
            try await withCluster { _, folder, request, _, restarted in
                try rewrite("\(folder)/state.json") { state in
                    let boot = state["process"]?.string?.split(separator: ":").last.map(String.init) ?? ""
                    state["process"] = .string("\(number):1:\(boot)")
                }
                let report = try await restarted.recover([RecoveryEntry(id: request.id, handle: nil)], asOf: .now)
                guard case .ended = report.clusters[request.id] else {
                    Issue.record("found \(String(describing: report.clusters[request.id]))")
                    return
                }
                let before = LocalSubject.allProcesses().filter { getsid($0) == number }
                try await restarted.terminate(request.id, handle: nil, grace: .seconds(1))
                #expect(LocalSubject.processes(of: request.id) == [])
                #expect(LocalSubject.allProcesses().filter { getsid($0) == number } == before)
            }
            #expect(stranger.exit == nil)
            stranger.kill()
            _ = try await stranger.wait()
        }
    }

    @Test func aRestartOfTheMachineIsToldFromADeath() async throws {
        try await withCluster { subject, folder, request, first, restarted in
            try await subject.kill(request.id)
            try rewrite("\(folder)/state.json") { state in state["process"] = .string("77:1:another-boot") }
            guard case .ended(let end) = try await restarted.status(of: first.handle) else {
                Issue.record("should have ended")
                return
            }
            #expect(end.kind == .hostRestarted)
        }
    }

    @Test func aLongIdHasAShortFolder() async throws {
        try await withEventLoop { loop in
            let subject = try LocalSubject(loop: loop)
            let installation = Identifier.make()
            let backend = try await subject.backend(installation: installation)
            let id = try #require(ClusterIdentifier(String(repeating: "long-", count: 12) + "name"))
            let request = subject.request(id, workers: 0)
            let cluster = try await backend.provision(request) { _ in }
            #expect((cluster.driver.unixPath ?? "").utf8.count < subject.folder.utf8.count + 50)
            await backend.close()
            let restarted = try await subject.backend(installation: installation)
            let report = try await restarted.recover([RecoveryEntry(id: id, handle: nil)], asOf: .now)
            guard case .running = report.clusters[id] else {
                Issue.record("found \(String(describing: report.clusters[id]))")
                return
            }
            let swept = try await restarted.recover([], asOf: Timestamp.now + .seconds(60))
            #expect(swept.swept == [id])
            #expect(try await subject.remains(of: id) == [])
            subject.removeFolder()
        }
    }

    @Test func anotherInstallationsFolderIsNotTouched() async throws {
        try await withCluster { subject, _, request, _, _ in
            let stranger = try await subject.backend(installation: Identifier.make())
            await #expect(throws: HarbourError.self) { try await stranger.provision(request) { _ in } }
            try await stranger.terminate(request.id, handle: nil, grace: .seconds(1))
            #expect(!LocalSubject.leaders(of: request.id).isEmpty)
        }
    }

    @Test func anExitStatusIsTold() async throws {
        try await withEventLoop { loop in
            let subject = try LocalSubject(loop: loop)
            let id = try #require(ClusterIdentifier("t" + Identifier.make()))
            let backend = try await subject.backend(installation: Identifier.make())
            var request = subject.request(id, workers: 0)
            request.launch.executable = "/bin/sh"
            request.launch.arguments = ["-c", "echo going; exit 7"]
            let cluster = try await backend.provision(request) { _ in }
            try await backend.watch(cluster.handle) { status in
                guard case .ended(let end) = status else { return }
                #expect(end.kind == .exited)
                #expect(end.status == 7)
            }
            try await backend.logs(of: cluster.handle, after: 0, follow: true) { #expect($0.text == "going") }
            try await backend.terminate(id, handle: cluster.handle, grace: .seconds(1))
            subject.removeFolder()
        }
    }

    @Test func theServicesOwnEnvironmentIsNotHandedOn() async throws {
        // A name of its own: the tests of this process share its environment, and start programs with it.
        setenv("HARBOUR_TEST_SECRET_URL", "postgres://someone:password@somewhere", 1)
        defer { unsetenv("HARBOUR_TEST_SECRET_URL") }
        try await withCluster { _, _, request, _, _ in
            for pid in LocalSubject.processes(of: request.id) {
                let variables = String(decoding: contents("/proc/\(pid)/environ"), as: UTF8.self)
                #expect(!variables.contains("HARBOUR_TEST_SECRET_URL"))
            }
        }
    }

    @Test func aSpecificationLargerThanTheMachineIsRefused() async throws {
        try await withEventLoop { loop in
            let backend = LocalBackend(context: BackendContext(installation: "i", folder: "/nowhere"), loop: loop)
            var spec = BackendSpec(worker: NodeSize(memoryMiB: backend.capabilities.maximumMemoryMiB), workers: 2)
            #expect(backend.validate(spec).map(\.field) == ["num_workers"])
            spec.workers = 0
            spec.sparkConf["spark.master"] = "spark://elsewhere"
            #expect(backend.validate(spec).map(\.field) == ["spark_conf"])
        }
    }
}

private func rewrite(_ path: String, _ change: (inout JSONObject) -> Void) throws {
    var state = try JSONValue(json: contents(path)).object ?? JSONObject()
    change(&state)
    let bytes = JSONValue.object(state).encodedJSON()
    let descriptor = open(path, O_WRONLY | O_TRUNC)
    defer { close(descriptor) }
    guard write(descriptor, bytes, bytes.count) == bytes.count else { throw HarbourError.system("Not written", errno) }
}
