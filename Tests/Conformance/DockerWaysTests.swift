import ClusterBackend
import ClusterBackendConformance
import Core
import DockerBackend
import EventLoop
import Glibc
import Synchronization
import TestSupport
import Testing

/// Engines of other versions and by other ways than the machine's own: each is one of the test's own.
@Suite(.enabled(if: OwnDocker.isPossible, "No engine of our own can be run."), .serialized, .timeLimit(.minutes(10)))
struct DockerWaysTests {
    /// The areas that talk to the engine in each way there is: requests, archives, streams of events and of logs, stats.
    private static let areas: [ConformanceArea] = [
        .lifeCycle, .capabilityHonesty, .recoveryOfTheSet, .deathIsSeen, .resumableLogs, .resumableStats, .preflight,
    ]

    private func examine(_ subject: DockerSubject) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for area in DockerWaysTests.areas {
                group.addTask {
                    do { try await Examiner(subject).run(area) } catch { Issue.record("\(area): \(error)") }
                }
            }
            try await group.waitForAll()
        }
        try subject.removeFolder()
    }

    /// Runs the body with an engine, which is ended afterwards.
    private func withEngine(
        newest: Bool = false, options: [String] = [],
        _ body: @escaping @Sendable (OwnDocker, EventLoop) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            let engine: OwnDocker
            do {
                engine = try OwnDocker(newest: newest, options: options)
            } catch  where newest {
                print("There is no newer engine here: \(error)")
                return
            }
            do {
                try await body(engine, loop)
            } catch {
                try engine.stop()
                throw error
            }
            try engine.stop()
        }
    }

    /// The machine's Debian has the oldest version that is spoken, the next Debian the newest.
    @Test func anEngineOfTheNewestVersion() async throws {
        try await withEngine(newest: true) { engine, loop in
            let version = try TestDocker.eyes(["ping"], at: engine.socket).filter { !$0.isNewline }
            let subject = try DockerSubject(loop: loop, socket: engine.socket)
            let backend = try await subject.backend(installation: "newest")
            let report = await backend.preflight()
            await backend.close()
            #expect(report.checks.first?.message.contains("with API 1.45") == true, "\(version): \(report)")
            try await examine(subject)
        }
    }

    @Test func anEngineByTCPAndTLS() async throws {
        let certificates = try TestCertificates()
        let (server, client) = (try certificates.issue("localhost"), try certificates.issue("client"))
        let folder = try TemporaryDirectory()
        for (from, to) in [
            (certificates.authorityFile, "ca.pem"), (client.certificate, "cert.pem"), (client.key, "key.pem"),
        ] { try runCommand(["cp", from, folder.file(to)]) }
        let options = [
            "--host", "tcp://127.0.0.1:2376", "--tlsverify", "--tlscacert", certificates.authorityFile, "--tlscert",
            server.certificate, "--tlskey", server.key,
        ]
        try await withEngine(options: options) { engine, loop in
            let (relay, log) = try await engine.helper("relay", port: 2376, loop: loop)
            let address = try await firstLine(of: log, loop).replacing("127.0.0.1", with: "localhost")
            var way = ["host": "tcp://\(address)", "tls_folder": folder.path]
            try await examine(try DockerSubject(loop: loop, socket: engine.socket, way: way))

            // Who shows no certificate is told what to look at.
            let empty = try TemporaryDirectory()
            try runCommand(["cp", certificates.authorityFile, empty.file("ca.pem")])
            way["tls_folder"] = empty.path
            let backend = try await DockerSubject(loop: loop, socket: engine.socket, way: way)
                .backend(installation: "nobody")
            let report = await backend.preflight()
            #expect(!report.passed)
            #expect(report.advice.contains("Check its address, its certificates and the network"), "\(report.advice)")
            await backend.close()
            relay.kill()
            _ = try await relay.wait()
        }
    }

    private func firstLine(of log: String, _ loop: EventLoop) async throws -> String {
        let end = MonotonicTime.now + .seconds(60)
        while true {
            let lines = (try? runCommand(["cat", log])) ?? ""
            if let line = lines.split(separator: "\n").first, lines.contains("\n") { return String(line) }
            try #require(MonotonicTime.now < end, "nothing is written to \(log)")
            try await loop.sleep(for: .milliseconds(20))
        }
    }

    /// From a real registry, with its progress in bytes.
    @Test func anImageIsPulledWithItsProgress() async throws {
        try await withEngine { engine, loop in
            let (registry, log) = try await engine.helper("registry", port: 5000, loop: loop)
            let end = MonotonicTime.now + .seconds(60)
            while true {
                let lines = (try? runCommand(["cat", log])) ?? ""
                if lines.contains("listening on") { break }
                try #require(MonotonicTime.now < end && registry.exit == nil, "\(lines)")
                try await loop.sleep(for: .milliseconds(20))
            }
            // Large enough to be told of more than once, and nothing that compresses.
            try TestDocker.eyes(["publish", "127.0.0.1:5000/large:1", "24"], at: engine.socket)
            let subject = try DockerSubject(loop: loop, socket: engine.socket)
            let backend = try await subject.backend(installation: "pull")
            let id = try #require(ClusterIdentifier("p" + Identifier.make()))
            var request = subject.request(id, workers: 0)
            request.spec.image = "127.0.0.1:5000/large:1"
            let told = Mutex<[(done: Int64, total: Int64?)]>([])
            let cluster = try await backend.provision(request) { event in
                if case .progress(let done, let total, "bytes") = event { told.withLock { $0.append((done, total)) } }
            }
            #expect(try await backend.status(of: cluster.handle) == .running(workers: 0))
            let progress = told.withLock { $0 }
            #expect(progress.count > 1, "\(progress)")
            #expect(zip(progress, progress.dropFirst()).allSatisfy { $0.done <= $1.done })
            #expect(progress.contains { ($0.total ?? 0) >= 24 << 20 && $0.done > 0 })
            try await backend.terminate(id, handle: cluster.handle, grace: .seconds(1))

            // What the registry has not is told with what to do.
            request.spec.image = "127.0.0.1:5000/nothing:1"
            do throws(HarbourError) {
                _ = try await backend.provision(request) { _ in }
                Issue.record("an image that is nowhere should be told")
            } catch {
                #expect(error.code == .launchFailed)
                #expect(error.message.contains("127.0.0.1:5000/nothing:1"))
            }
            try await backend.terminate(id, handle: nil, grace: .seconds(1))
            await backend.close()
            #expect(try await subject.remains(of: id).isEmpty)
            try subject.removeFolder()
            registry.kill()
            _ = try await registry.wait()
        }
    }
}
