import ClusterBackend
import Core
import EventLoop
import HTTPMessage
import HTTPServer
import TestSupport
import Testing

@testable import SparkBackend

/// What a real master cannot be made to say quickly.
@Suite struct SparkBackendTests {
    @Test func addresses() throws {
        let one = try #require(MasterAddress("spark://host:7077", pages: nil, submission: nil))
        #expect(one.pages == ["http://host:8080"])
        #expect(one.submission == ["http://host:6066"])
        let two = try #require(MasterAddress("spark://a:1,[::1]:2", pages: "a:80, http://b:81/", submission: nil))
        #expect(two.endpoints.map(\.host) == ["a", "::1"])
        #expect(two.pages == ["http://a:80", "http://b:81"])
        #expect(two.submission == ["http://a:6066", "http://[::1]:6066"])
        for text in ["", "spark://", "spark://a", "spark://a:0", "spark://a:1,", "http://a:1", "spark://a b:1"] {
            #expect(MasterAddress(text, pages: nil, submission: nil) == nil, "\(text)")
        }
    }

    @Test func executorsComeAndGo() throws {
        var machine = ExecutorMachine(application: "x", planned: 2, coresEach: 2)
        #expect(machine.see(.alive(try state())) == .running(workers: 0))
        #expect(machine.see(.alive(try state(cores: 2, age: 5_000))) == .running(workers: 1))
        guard case .degraded(workers: 1, _) = machine.see(.alive(try state(cores: 2, age: 15_000))) else {
            Issue.record("an application that waits for long should be told")
            return
        }
        #expect(machine.see(.alive(try state(cores: 4, age: 16_000))) == .running(workers: 2))
        for view in [MasterView.unreachable("Refused."), .inactive(status: "STANDBY")] {
            guard case .degraded(workers: 2, let message) = machine.see(view) else {
                Issue.record("a master that is away should be told")
                return
            }
            #expect(message.hasSuffix("."))
        }
        guard case .degraded(workers: 0, _) = machine.see(.alive(try state())) else {
            Issue.record("an application that was forgotten should be told")
            return
        }
    }

    private func state(cores: Int? = nil, age: Int = 0) throws -> MasterState {
        let application =
            cores.map { #"{"id": "a", "name": "x", "cores": \#($0), "duration": \#(age)}"# } ?? ""
        let text = #"{"status": "ALIVE", "workers": [], "activeapps": [\#(application)]}"#
        return try #require(MasterState(Array(text.utf8)))
    }

    @Test func versionOnThePage() {
        let page = #"<h3><a class="brand"><span class="version me-3">4.3.0</span></a> Spark Master at</h3>"#
        #expect(Master.version(inPage: Array(page.utf8)) == "4.3.0")
        #expect(Master.version(inPage: Array("<html>".utf8)) == nil)
    }

    @Test func versionsMustBeAlike() {
        #expect(SparkBackend.versionCheck(here: "4.3.0", there: "4.3.1").passed)
        let check = SparkBackend.versionCheck(here: "4.3.0", there: "3.5.9")
        #expect(!check.passed)
        #expect(check.message.contains("4.3.0") && check.message.contains("3.5.9"))
        #expect(!SparkBackend.versionCheck(here: "4.3.0", there: nil).passed)
    }

    @Test func workersMustBeAlikeToo() throws {
        #expect(SparkBackend.workerCheck(here: "4.3.0", there: ["http://a": "4.3.0", "http://b": "4.3.1"]).passed)
        #expect(SparkBackend.workerCheck(here: "4.3.0", there: [:]).passed)
        let check = SparkBackend.workerCheck(here: "4.3.0", there: ["http://a": "4.3.0", "http://b": "3.5.9"])
        #expect(!check.passed)
        #expect(check.message.contains("the worker at http://b is Spark 3.5.9"), "\(check.message)")
    }

    @Test func withoutAMasterNothingIsPromised() async throws {
        try await withEventLoop { loop in
            for (text, word) in [(nil, "no Spark master is set"), ("http://x:1", "not spark://host:port")] {
                var settings: [String: String] = [:]
                settings["master"] = text
                let backend = try SparkBackend(
                    context: BackendContext(installation: "i", folder: "/nowhere", settings: settings), loop: loop)
                #expect(backend.validate(BackendSpec()).contains { $0.message.contains(word) })
                #expect(await backend.preflight().advice.contains(word))
                await backend.close()
            }
        }
    }

    /// A master that says what it is told to say.
    private func withMaster(
        _ json: String, _ body: @escaping @Sendable (SparkBackend) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            let router = HTTPRouter()
            router.get("/json/") { _, _ in HTTPResponse.json(Array(json.utf8)) }
            router.get("/v1/submissions/status/none") { _, _ in
                HTTPResponse.json(Array(#"{"serverSparkVersion": "3.5.9"}"#.utf8))
            }
            let server = HTTPServer(
                configuration: HTTPServerConfiguration(address: .tcp(host: "127.0.0.1", port: 0)), handler: router,
                loop: loop)
            let port = try await server.start()
            let page = "http://127.0.0.1:\(port)"
            let settings = ["master": "spark://127.0.0.1:7", "master_ui": page, "master_rest": page]
            let backend = try SparkBackend(
                context: BackendContext(installation: "i", folder: "/nowhere", settings: settings), loop: loop)
            do {
                try await body(backend)
            } catch {
                await server.drain(budget: .zero)
                throw error
            }
            await backend.close()
            await server.drain(budget: .zero)
        }
    }

    @Test func aStandbyIsNoMaster() async throws {
        try await withMaster(#"{"status": "STANDBY", "workers": [], "activeapps": []}"#) { backend in
            #expect(await backend.preflight().advice.contains("is STANDBY, not ALIVE"))
            await expectRefusal(backend, .backendUnavailable)
        }
    }

    @Test func tooLittleRoomIsTold() async throws {
        let worker =
            #"{"id": "w", "state": "ALIVE", "cores": 2, "coresfree": 0, "memory": 1024, "memoryfree": 24}"#
        let dead = #"{"id": "d", "state": "DEAD", "cores": 64, "coresfree": 64, "memory": 9, "memoryfree": 9}"#
        try await withMaster(#"{"status": "ALIVE", "workers": [\#(worker), \#(dead)], "activeapps": []}"#) { backend in
            let advice = await backend.preflight().advice
            #expect(advice.contains("0 of 2 cores and 24 MiB are free on 1 worker"), "\(advice)")
            await expectRefusal(backend, .launchFailed)
        }
    }

    @Test func whatIsNoMasterIsTold() async throws {
        try await withMaster(#"{"hello": "world"}"#) { backend in
            #expect(await backend.preflight().advice.contains("not a Spark master's page"))
        }
    }

    private func expectRefusal(_ backend: SparkBackend, _ code: ErrorCode) async {
        guard let id = ClusterIdentifier("x") else { return }
        let request = ProvisionRequest(
            id: id, spec: BackendSpec(worker: NodeSize(cores: 1, memoryMiB: 2048), workers: 3),
            launch: DriverLaunch(executable: "/bin/true", token: Secret("t")))
        do {
            _ = try await backend.provision(request) { _ in }
            Issue.record("it should have been refused")
        } catch {
            #expect(error.code == code, "\(error.describeChain())")
        }
    }
}
