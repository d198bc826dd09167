import Core
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

@testable import DriverService

/// A real driver process, as a backend starts it: by environment variables, in a session of its own.
struct DriverProcess: Sendable {
    static let token = "the-driver-token"
    let process: ChildProcess
    let client: ServiceClient
    let http: HTTPClient
    let baseURL: String
    /// In the environment of everything that belongs to the cluster.
    let mark: String

    /// Built beside the tests: with `HARBOUR_TARGETS`, name `driver` too. No dependency of the tests, because its allocator
    /// does not get on with the address sanitizer.
    static let executable: String? = {
        let parts = CommandLine.arguments[0].split(separator: "/").dropLast().map { "/\($0)" }.joined()
        let path = "\(parts)/driver"
        return access(path, X_OK) == 0 ? path : nil
    }()

    static func start(
        _ scratch: String, mark: String, python: String, loop: EventLoop
    ) async throws -> DriverProcess {
        try ScratchFolder.write(Array(token.utf8), to: "\(scratch)/token")
        try ScratchFolder.write(Array(#"{"spark.ui.enabled":"false"}"#.utf8), to: "\(scratch)/spark-conf.json")
        var specification = ProcessSpecification(try #require(executable))
        specification.environment = .only([
            "PATH": ProcessSpecification.Environment.ours["PATH"] ?? "", "HOME": scratch,
            "HARBOUR_CLUSTER_ID": mark, "HARBOUR_INSTALLATION": "tests",
            "HARBOUR_DRIVER_LISTEN": "unix:\(scratch)/s", "HARBOUR_DRIVER_TOKEN_FILE": "\(scratch)/token",
            "HARBOUR_DRIVER_SCRATCH": scratch, "HARBOUR_DRIVER_SPARK_CONF_FILE": "\(scratch)/spark-conf.json",
            "HARBOUR_DRIVER_SPARK_MASTER": "local[1]", "HARBOUR_DRIVER_MEMORY_MB": "512",
            "HARBOUR_DRIVER_PYTHON": python, "HARBOUR_DRIVER_RUNTIME_FOLDER": TestRuntime.folder,
            "HARBOUR_DRIVER_ADDRESS_FILE": "\(scratch)/address",
        ])
        specification.output = .file("\(scratch)/driver.log")
        specification.errors = .sameAsOutput
        specification.group = .session
        // What the driver leaves behind is for the test to see.
        specification.sweepsGroup = false
        unlink("\(scratch)/address")
        let process = try await ChildProcess.start(specification, loop: loop)
        while access("\(scratch)/address", R_OK) != 0 {
            try #require(process.exit == nil, "the driver ended: \(log(scratch))")
            try await loop.sleep(for: .milliseconds(5))
        }
        let http = HTTPClient(loop: loop)
        let client = try ServiceClient(
            http: http, baseURL: "unix:\(scratch)/s", token: DriverProcess.token, service: "driver")
        return DriverProcess(process: process, client: client, http: http, baseURL: "unix:\(scratch)/s", mark: mark)
    }

    static func log(_ scratch: String) -> String {
        String(decoding: ScratchFolder.contents(of: "\(scratch)/driver.log") ?? [], as: UTF8.self)
    }

    /// Processes that carry the cluster's mark.
    func marked() -> [Int32] {
        let needle = Array("HARBOUR_CLUSTER_ID=\(mark)".utf8)
        return ScratchFolder.names(in: "/proc").compactMap { Int32($0) }.filter { pid in
            let variables = ScratchFolder.contents(of: "/proc/\(pid)/environ") ?? []
            return variables.split(separator: 0).contains { $0.elementsEqual(needle) }
        }
    }

    func run(
        _ source: String, id: String, in context: String, language: String? = nil, after: Int64 = 0,
        each: (CommandEvent) async throws -> Void = { _ in }
    ) async throws -> Transcript {
        var transcript = Transcript()
        let body = CommandRun(language: language, source: source, after: after)
        let stream = try await client.stream(
            DriverAPI.runCommand, .init(contextID: context, commandID: id, body: body), patience: .seconds(1))
        for try await event in stream {
            transcript.events.append(event)
            try await each(event)
        }
        return transcript
    }
}

@Suite(.enabled(if: hasSpark && DriverProcess.executable != nil), .serialized, .timeLimit(.minutes(10)))
struct DriverProcessTests {
    @Test func killedItLeavesNoProcessAndItsJournalIsRead() async throws {
        try await withScratch { scratch in
            try await withEventLoop { loop in
                let python = try #require(TestRuntime.python)
                let mark = Identifier.make()
                let driver = try await DriverProcess.start(scratch, mark: mark, python: python, loop: loop)
                _ = try await driver.client.call(
                    DriverAPI.createContext, .init(body: ContextSpec(contextID: "c")), context: .within(.seconds(60)))
                let whole = try await driver.run("print('kept'); spark.range(7).count()", id: "1", in: "c")
                #expect(whole.value == "7")
                let shell = try await driver.run("sleep 1000 & echo started", id: "2", in: "c", language: "sh")
                #expect(shell.text.contains("started"))
                let broken = await #expect(throws: HarbourError.self) {
                    _ = try await driver.run("print('go', flush=True)\nimport time; time.sleep(1000)", id: "3", in: "c")
                    {
                        if $0.text?.hasPrefix("go") == true { driver.process.send(signal: SIGKILL) }
                    }
                }
                #expect(broken != nil)
                #expect(try await driver.process.wait() == .signalled(SIGKILL))
                while !driver.marked().isEmpty { try await loop.sleep(for: .milliseconds(20)) }
                await driver.http.close()

                let next = try await DriverProcess.start(scratch, mark: mark, python: python, loop: loop)
                let replay = try await next.run("print('kept'); spark.range(7).count()", id: "1", in: "c")
                #expect(replay.events == whole.events)
                let lost = try await next.client.call(
                    DriverAPI.getCommand, .init(contextID: "c", commandID: "3"), context: .within(.seconds(60)))
                #expect(lost.error?.code == "DRIVER_LOST")
                // SIGTERM in the middle of a start: ended in order, with nothing left.
                #expect(await next.process.terminate(grace: .seconds(60)) == .exited(0))
                while !next.marked().isEmpty { try await loop.sleep(for: .milliseconds(20)) }
                await next.http.close()
            }
        }
    }

    @Test func whatItServesOverItsSocket() async throws {
        try await withScratch { scratch in
            try await withEventLoop { loop in
                let driver = try await DriverProcess.start(
                    scratch, mark: Identifier.make(), python: try #require(TestRuntime.python), loop: loop)
                var phases: [DriverPhase] = []
                for try await status in try await driver.client.stream(DriverAPI.streamStatus, .init()) {
                    phases.append(status.phase)
                    if status.phase == .running { break }
                }
                // On a slow machine it may run before it is asked.
                #expect(phases.last == .running && phases.dropLast().allSatisfy { $0 == .starting })
                try await answers(driver)
                try await readersOverHTTP(driver)
                // It ends itself when asked, and the open streams do not keep it.
                async let status: Int = {
                    var count = 0
                    let stream = try await driver.client.stream(DriverAPI.streamStatus, .init())
                    do { for try await _ in stream { count += 1 } } catch { count += 100 }
                    return count
                }()
                _ = try await driver.client.call(DriverAPI.shutdown, .init(), context: .within(.seconds(60)))
                #expect(try await driver.process.wait() == .exited(0))
                await driver.http.close()
                _ = try? await status
                #expect(driver.marked().isEmpty)
            }
        }
    }

    private func answers(_ driver: DriverProcess) async throws {
        func get(_ path: String, token: String? = nil) async throws -> (status: Int, text: String) {
            var fields: HTTPFields = [:]
            if let token { fields["authorization"] = "Bearer \(token)" }
            let request = HTTPClientRequest(
                method: .get, origin: try HTTPOrigin(driver.baseURL), target: path, fields: fields)
            let response = try await driver.http.send(request, deadline: .now + .seconds(60))
            let body = try await response.body.collect(limit: 1 << 22)
            return (response.status, String(decoding: body, as: UTF8.self))
        }
        #expect(try await get("/driver/v1/status").status == 401)
        #expect(try await get("/driver/v1/status", token: "wrong").status == 401)
        #expect(try await get("/driver/v1/status", token: DriverProcess.token).status == 200)
        #expect(try await get("/healthz").status == 200)
        #expect(try await get("/readyz").status == 200)
        let metrics = try await get("/metrics").text
        #expect(metrics.contains("harbour_driver_ready 1"))
        #expect(metrics.contains("process_resident_memory_bytes"))
        #expect(try await get("/openapi.json").text.contains("/driver/v1/contexts"))
    }

    private func readersOverHTTP(_ driver: DriverProcess) async throws {
        let made = try await driver.client.call(
            DriverAPI.createContext, .init(body: ContextSpec(contextID: "c")), context: .within(.seconds(60)))
        #expect(made.clusterID == driver.mark)
        let source = "for n in range(50): display(n)"
        async let other = driver.run(source, id: "1", in: "c")
        let whole = try await driver.run(source, id: "1", in: "c")
        #expect(try await other.events == whole.events)
        #expect(whole.count(.display) == 50)
        let rest = try await driver.run(source, id: "1", in: "c", after: 30)
        #expect(rest.events == Array(whole.events.dropFirst(30)))
        // Closed by its reader in the middle, the command goes on.
        for try await event in try await driver.client.stream(
            DriverAPI.runCommand,
            .init(
                contextID: "c", commandID: "2",
                body: CommandRun(source: "import time; print(1, flush=True); time.sleep(1); 2")))
        where event.type == .stream { break }
        #expect(
            try await driver.run("import time; print(1, flush=True); time.sleep(1); 2", id: "2", in: "c").value == "2")
        let missing = await #expect(throws: HarbourError.self) {
            _ = try await driver.run("1", id: "1", in: "nowhere")
        }
        #expect(missing?.code == .notFound)
    }
}
