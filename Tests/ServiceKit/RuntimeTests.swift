import Configuration
import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import Lifecycle
import ServiceClients
import ServiceKit
import Synchronization
import TestSupport
import Testing

/// Start and end of a service.
@Suite struct RuntimeTests {
    @Test func idlesWithoutWaking() async throws {
        try await SampleService.with { clients in
            _ = try await clients.client.call(SchedulerAPI.getJob, .init(jobID: 1))
            let wakeUps = try await fewestWakeUps(of: clients.loop, in: .milliseconds(400), enough: 2)
            #expect(wakeUps <= 2)
        }
    }

    @Test func openRequestsFinishWhenItEnds() async throws {
        try await withEventLoop { loop in
            let started = Signal()
            let released = Signal()
            let definition = SampleService.definition { _, router in
                router.on(SchedulerAPI.getJob) { input, _ async throws -> Job in
                    started.fire()
                    await released.wait()
                    return SampleService.job(input.jobID)
                }
            }
            let service = try await ServiceRuntime.start(
                definition, arguments: ["--listen", "127.0.0.1:0", "--service-token", "t"], loop: loop)
            let http = HTTPClient(loop: loop)
            let client = try ServiceClient(http: http, baseURL: try await service.baseURL, token: "t", service: "s")
            async let answer = client.call(SchedulerAPI.getJob, .init(jobID: 3))
            await started.wait()
            async let stopped: Void = service.stop()
            // The end has begun when nothing new is taken any more.
            let origin = try HTTPOrigin(try await service.baseURL)
            while (try? await http.send(HTTPClientRequest(origin: origin, target: "/healthz"))) != nil {}
            released.fire()
            #expect(try await answer.jobID == 3)
            try await stopped
            let error = await #expect(throws: HarbourError.self) {
                try await client.call(SchedulerAPI.getJob, .init(jobID: 3))
            }
            #expect(error?.code == .unavailable)
            await http.close()
        }
    }

    @Test func partsStartBeforeTheServerAndEndAfterIt() async throws {
        let log = Mutex<[String]>([])
        let part = LifecycleComponent(
            "part", start: { log.withLock { $0.append("start") } }, drain: { _ in log.withLock { $0.append("drain") } })
        try await SampleService.with(SampleService.definition(parts: [part])) { clients in
            _ = try await clients.client.call(SchedulerAPI.getJob, .init(jobID: 1))
            log.withLock { $0.append("served") }
        }
        #expect(log.withLock { $0 } == ["start", "served", "drain"])
    }

    @Test func aFailedPartEndsTheServiceByName() async throws {
        let part = LifecycleComponent("database") {
            throw HarbourError(.unavailable, "The database does not answer.")
        }
        let error = await #expect(throws: HarbourError.self) {
            try await SampleService.with(SampleService.definition(parts: [part])) { _ in }
        }
        #expect(error?.message.contains("database") == true)
    }

    @Test func settingsAreCheckedAtOnce() async throws {
        try await withEventLoop { loop in
            let error = await #expect(throws: HarbourError.self) {
                _ = try await ServiceRuntime.start(
                    SampleService.definition(), arguments: ["--listen", "nowhere", "--log-level", "loud", "--x"],
                    loop: loop)
            }
            #expect(error?.code == .invalidConfiguration)
            for part in ["--listen", "--log-level", "--x", "--service-token"] {
                #expect(error?.message.contains(part) == true, "\(part)")
            }
        }
    }

    @Test func listensOnASocketAndWritesItsAddress() async throws {
        let folder = "/tmp/harbour-servicekit-\(getpid())-\(Identifier.make())"
        mkdir(folder, 0o700)
        defer {
            unlink(folder + "/address")
            unlink(folder + "/socket")
            rmdir(folder)
        }
        try await withEventLoop { loop in
            let service = try await ServiceRuntime.start(
                SampleService.definition(),
                arguments: [
                    "--listen-socket", folder + "/socket", "--service-token", "t", "--address-file",
                    folder + "/address",
                ], loop: loop)
            let http = HTTPClient(loop: loop)
            let baseURL = try await service.baseURL
            #expect(baseURL == "unix:\(folder)/socket")
            let client = try ServiceClient(http: http, baseURL: baseURL, token: "t", service: "s")
            #expect(try await client.call(SchedulerAPI.getJob, .init(jobID: 4)).jobID == 4)
            var line = [CChar](repeating: 0, count: 4096)
            let file = try #require(fopen(folder + "/address", "r"))
            #expect(fgets(&line, 4096, file) != nil)
            fclose(file)
            #expect(line.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } } == baseURL + "\n")
            await http.close()
            try await service.stop()
        }
    }
}

/// Lets one task wait for another.
final class Signal: Sendable {
    private struct State {
        var hasFired = false
        var waiter: CheckedContinuation<Void, Never>?
    }
    private let state = Mutex(State())

    func fire() {
        let waiter = state.withLock { state in
            state.hasFired = true
            return state.waiter
        }
        waiter?.resume()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let hasFired = state.withLock { state in
                state.waiter = continuation
                return state.hasFired
            }
            if hasFired { continuation.resume() }
        }
    }
}
