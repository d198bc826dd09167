import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import ServiceKit
import Synchronization
import TestSupport
import Testing

/// Streams of lines, over sockets: order, errors, resumption, and who notices when the other side goes away.
@Suite struct StreamTests {
    private static func definition(
        _ handler: @escaping @Sendable (Int64, RequestContext, StreamSender<RunEvent>) async throws -> Void
    ) -> ServiceDefinition {
        SampleService.definition { _, router in
            router.on(SchedulerAPI.streamRunEvents) { input, context, send in
                try await handler(input.after ?? 0, context, send)
            }
        }
    }

    @Test func elementsComeInOrderToTheEnd() async throws {
        try await SampleService.with(
            StreamTests.definition { after, _, send in
                for number in (after + 1)...5000 { try await send(SampleService.event(number)) }
            }
        ) { clients in
            var seen: [Int64] = []
            let stream = try await clients.client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1, after: 10))
            for try await event in stream { seen.append(event.sequence) }
            #expect(seen == Array(11...5000))
        }
    }

    @Test func earlyFailuresHaveTheirStatus() async throws {
        try await SampleService.with(
            StreamTests.definition { _, _, _ in
                // After a suspension, and still before the loop looks at its timers again.
                await Task.yield()
                throw HarbourError(.notFound, "Run 1 does not exist.")
            }
        ) { clients in
            let error = await #expect(throws: HarbourError.self) {
                _ = try await clients.client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1))
            }
            #expect(error?.code == .notFound)
        }
    }

    @Test(.timeLimit(.minutes(15))) func silentStreamsOpenAllTheSame() async throws {
        let opened = Signal()
        try await SampleService.with(
            StreamTests.definition { _, _, send in
                await opened.wait()
                try await send(SampleService.event(1))
            }
        ) { clients in
            let stream = try await clients.client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1))
            opened.fire()
            var seen = 0
            for try await _ in stream { seen += 1 }
            #expect(seen == 1)
        }
    }

    @Test func aServiceThatStopsDoesNotWaitForItsStreams() async throws {
        try await withEventLoop { loop in
            let definition = StreamTests.definition { _, context, send in
                try await send.encoded([SampleService.event(1).encodedJSON(), SampleService.event(2).encodedJSON()])
                try await context.loop.sleep(for: .seconds(3600))
            }
            let service = try await ServiceRuntime.start(
                definition,
                arguments: [
                    "--listen", "127.0.0.1:0", "--service-token", SampleService.token, "--drain-budget", "600s",
                ], loop: loop)
            let http = HTTPClient(loop: loop)
            let client = try ServiceClient(
                http: http, baseURL: try await service.baseURL, token: SampleService.token, service: "scheduler")
            let response = try await client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1))
            var elements = response.makeAsyncIterator()
            for number in Int64(1)...2 { #expect(try await elements.next()?.sequence == number) }
            let begin = MonotonicTime.now
            try await service.stop()
            #expect(MonotonicTime.now - begin < .seconds(60))
            await http.close()
        }
    }

    @Test func brokenStreamsGoOnWhereTheyWere() async throws {
        let asked = Mutex<[Int64]>([])
        try await SampleService.with(
            StreamTests.definition { after, _, send in
                asked.withLock { $0.append(after) }
                // One element twice, as a careless service might send it, and a break after every tenth.
                for number in max(after, 1)...35 {
                    try await send(SampleService.event(number))
                    if number % 10 == 0 && number > after { throw HarbourError(.unavailable, "The driver is away.") }
                }
            }
        ) { clients in
            var seen: [Int64] = []
            for try await event in try await clients.client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1)) {
                seen.append(event.sequence)
            }
            #expect(seen == Array(1...35))
            #expect(asked.withLock { $0 } == [0, 10, 20, 30])
        }
    }

    /// Opening it is no sign of health: what breaks before anything new has come is asked for less and less.
    @Test func aStreamThatOpensAndBreaksIsNotAskedForWithoutPause() async throws {
        let asked = Mutex(0)
        try await SampleService.with(
            StreamTests.definition { _, _, send in
                asked.withLock { $0 += 1 }
                try await send(SampleService.event(1))
                throw HarbourError(.unavailable, "The driver is away.")
            }
        ) { clients in
            let stream = try await clients.client.stream(
                SchedulerAPI.streamRunEvents, .init(runID: 1), patience: .seconds(2))
            var seen: [Int64] = []
            let error = await #expect(throws: HarbourError.self) {
                for try await event in stream { seen.append(event.sequence) }
            }
            #expect(error?.code == .unavailable)
            #expect(seen == [1])
            #expect(2...8 ~= asked.withLock { $0 })
        }
    }

    /// The service is restarted just when somebody begins to follow.
    @Test func theFirstRequestWaitsForTheService() async throws {
        let asked = Mutex(0)
        let definition = StreamTests.definition { _, _, send in
            let count = asked.withLock { count in
                count += 1
                return count
            }
            if count < 3 { throw HarbourError(.unavailable, "The driver is away.") }
            try await send(SampleService.event(1))
        }
        let folder = try TemporaryDirectory()
        try await withEventLoop { loop in
            let http = HTTPClient(loop: loop)
            let client = try ServiceClient(
                http: http, baseURL: "unix:\(folder.file("s"))", token: SampleService.token, service: "scheduler")
            let impatient = await #expect(throws: HarbourError.self) {
                _ = try await client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1), opening: .zero)
            }
            #expect(impatient?.code == .unavailable)
            let late = await #expect(throws: HarbourError.self) {
                let context = CallContext.within(.milliseconds(200))
                _ = try await client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1), context: context)
            }
            #expect(late?.code == .unavailable)
            async let stream = client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1))
            let service = try await ServiceRuntime.start(
                definition,
                arguments: ["--listen-socket", folder.file("s"), "--service-token", SampleService.token], loop: loop)
            var seen: [Int64] = []
            for try await event in try await stream { seen.append(event.sequence) }
            #expect(seen == [1])
            #expect(asked.withLock { $0 } == 3)
            await http.close()
            try await service.stop()
        }
    }

    @Test func lateFailuresComeAfterTheirElements() async throws {
        try await SampleService.with(
            StreamTests.definition { _, _, send in
                for number in Int64(1)...3 { try await send(SampleService.event(number)) }
                throw HarbourError(.invalidState, "The run has no more events.")
            }
        ) { clients in
            var seen: [Int64] = []
            let error = await #expect(throws: HarbourError.self) {
                for try await event in try await clients.client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1)) {
                    seen.append(event.sequence)
                }
            }
            #expect(seen == [1, 2, 3])
            #expect(error?.code == .invalidState)
            #expect(error?.code.status == 409)
            #expect(error?.message == "The run has no more events.")
        }
    }

    @Test func refusalsEndAResumedStream() async throws {
        let asked = Mutex(0)
        try await SampleService.with(
            StreamTests.definition { after, _, send in
                let count = asked.withLock { count in
                    count += 1
                    return count
                }
                if count > 1 { throw HarbourError(.notFound, "The run is gone.") }
                try await send(SampleService.event(1))
                throw HarbourError(.unavailable, "Broken.")
            }
        ) { clients in
            var seen = 0
            let error = await #expect(throws: HarbourError.self) {
                for try await _ in try await clients.client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1)) {
                    seen += 1
                }
            }
            #expect(error?.code == .notFound)
            #expect(seen == 1)
        }
    }

    @Test func handlersEndWhenTheReaderGoes() async throws {
        let ended = Mutex<CheckedContinuation<Void, Never>?>(nil)
        try await SampleService.with(
            StreamTests.definition { _, context, send in
                defer { ended.withLock { $0 }?.resume() }
                try await send(SampleService.event(1))
                try await context.loop.sleep(for: .seconds(3600))
            }
        ) { clients in
            await withCheckedContinuation { continuation in
                ended.withLock { $0 = continuation }
                clients.loop.spawn {
                    do {
                        let stream = try await clients.client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1))
                        for try await event in stream where event.sequence == 1 { break }
                    } catch {
                        Issue.record(error)
                    }
                }
            }
        }
    }

    @Test func slowReadersHoldTheHandlerBack() async throws {
        let sent = Mutex(0)
        try await SampleService.with(
            StreamTests.definition { _, _, send in
                var event = SampleService.event(1)
                event.cellID = String(repeating: "x", count: 100_000)
                for number in Int64(1)...1000 {
                    event.sequence = number
                    try await send(event)
                    sent.withLock { $0 += 1 }
                }
            }
        ) { clients in
            let stream = try await clients.client.stream(SchedulerAPI.streamRunEvents, .init(runID: 1))
            var iterator = stream.makeAsyncIterator()
            _ = try await iterator.next()
            try await clients.loop.sleep(for: .milliseconds(300))
            // 100 MB were to be sent; windows and buffers hold a small part of it.
            #expect(sent.withLock { $0 } < 500)
            var count = 1
            while try await iterator.next() != nil { count += 1 }
            #expect(count == 1000)
        }
    }
}
