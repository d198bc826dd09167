import ClusterBackend
import Core
import HarbourProtocol
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// Contexts and commands: passed on, written down, never run twice, and never left without an end.
@Suite struct CommandTests {
    private func run(
        _ client: ServiceClient, _ source: String, id: String, after: Int64? = nil
    ) async throws -> [CommandEvent] {
        var events: [CommandEvent] = []
        let stream = try await client.stream(
            ClusterAPI.runCommand,
            .init(
                clusterID: "c1", contextID: "ctx", commandID: id, body: CommandRun(source: source, after: after)))
        for try await event in stream { events.append(event) }
        return events
    }

    private func info(_ client: ServiceClient, _ id: String) async throws -> CommandInfo {
        try await client.call(ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "ctx", commandID: id))
    }

    @Test func aCommandRunsOnceAndCanBeReadAgain() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            let events = try await run(client, "1+1", id: "a")
            #expect(events.map(\.sequence) == [1, 2, 3])
            #expect(events.last?.state == .finished)
            #expect(try await run(client, "1+1", id: "a") == events)
            #expect(try await run(client, "1+1", id: "a", after: 2) == [events[2]])
            #expect(try await fixture.events("c1", "a", after: 1) == Array(events[1...]))
            let again = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "1+1")))
            #expect(again.state == .finished)
            #expect(try await fixture.drivers.get("c1").runs == ["a": 1])
            try await eventually("the end is written down") {
                let store = CommandStore(pool: try await fixture.pool(), fence: Fence())
                return try await store.get("c1", "ctx", "a")?.ended == true
            }
        }
    }

    @Test func questionsAboutCodeArePassedOn() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            func complete(_ context: String) async throws -> Completion {
                try await client.call(
                    ClusterAPI.completeCode,
                    .init(clusterID: "c1", contextID: context, body: CompleteCode(code: "😀a", cursorPos: 2)))
            }
            let found = try await complete("ctx")
            #expect(found.matches == [CompletionMatch(text: "😀a!")])
            #expect(found.cursorEnd == 2)
            let told = try await client.call(
                ClusterAPI.inspectCode,
                .init(clusterID: "c1", contextID: "ctx", body: InspectCode(code: "a", cursorPos: 1)))
            #expect(told == Inspection(found: true, text: "a", busy: false))
            func code(_ context: String) async -> ErrorCode? {
                do { _ = try await complete(context) } catch { return HarbourError.wrap(error).code }
                return nil
            }
            #expect(await code("other") == .notFound)
            // Nothing of it is a command.
            #expect(try await fixture.drivers.get("c1").runs.isEmpty)
            _ = try await client.call(
                ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            #expect(await code("ctx") == .invalidState)
        }
    }

    @Test func aCommandCanBeCancelled() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            let made = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(source: "hang")))
            #expect(made.state == .running)
            let cancelled = try await client.call(
                ClusterAPI.cancelCommand,
                .init(clusterID: "c1", contextID: "ctx", commandID: made.commandID))
            #expect(cancelled.state == .cancelled)
            #expect(try await fixture.events("c1", made.commandID).last?.state == .cancelled)
        }
    }

    @Test func whatTheDriverRefusesWasNeverThere() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            let spec = CommandSpec(commandID: "a", source: "1+1")
            await expectCode(.notFound) {
                try await client.call(
                    ClusterAPI.executeCommand, .init(clusterID: "c1", contextID: "nowhere", body: spec))
            }
            await expectCode(.notFound) {
                try await client.call(
                    ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "nowhere", commandID: "a"))
            }
            await expectCode(.notFound) { try await info(client, "a") }
            await expectCode(.notFound) { try await fixture.events("c1", "a") }
            _ = try await client.call(
                ClusterAPI.createContext, .init(clusterID: "c1", body: ContextSpec(contextID: "nowhere")))
            let made = try await client.call(
                ClusterAPI.executeCommand, .init(clusterID: "c1", contextID: "nowhere", body: spec))
            #expect(made.state == .finished)
        }
    }

    @Test func aClusterThatDoesNotRunSaysSo() async throws {
        try await withService { fixture, client in
            fixture.drivers.startSlowly()
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(body: CreateCluster(spec: ClusterSpec(clusterName: "a"), clusterID: "c1")))
            await expectCode(.invalidState) {
                try await client.call(
                    ClusterAPI.createContext, .init(clusterID: "c1", body: ContextSpec(contextID: "x")))
            }
            await expectCode(.invalidState) { try await run(client, "1+1", id: "a") }
            let contexts = try await client.call(ClusterAPI.listContexts, .init(clusterID: "c1"))
            #expect(contexts.contexts.isEmpty)
        }
    }

    @Test func contextsAreTheDrivers() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            let again = try await client.call(
                ClusterAPI.createContext,
                .init(clusterID: "c1", body: ContextSpec(contextID: "ctx", language: "python")))
            #expect(again.contextID == "ctx")
            let made = try await client.call(
                ClusterAPI.createContext, .init(clusterID: "c1", body: ContextSpec(language: "sql")))
            #expect(!made.contextID.isEmpty)
            let list = try await client.call(ClusterAPI.listContexts, .init(clusterID: "c1"))
            #expect(list.contexts.count == 2)
            _ = try await client.call(
                ClusterAPI.deleteContext, .init(clusterID: "c1", contextID: made.contextID))
            await expectCode(.notFound) {
                try await client.call(ClusterAPI.getContext, .init(clusterID: "c1", contextID: made.contextID))
            }
        }
    }

    @Test func aLostDriverEndsItsCommandsAndTheyAreNotRunAgain() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            let stream = try await client.stream(
                ClusterAPI.runCommand,
                .init(clusterID: "c1", contextID: "ctx", commandID: "a", body: CommandRun(source: "hang")))
            var events: [CommandEvent] = []
            for try await event in stream {
                events.append(event)
                guard events.count == 2 else { continue }
                let id = try #require(ClusterIdentifier("c1"))
                await fixture.world.end(id, ClusterEnd(.killed, status: 9, message: "The driver was killed."))
            }
            #expect(events.last?.state == .error)
            #expect(events.last?.error?.code == "DRIVER_LOST")
            #expect(zip(events, events.dropFirst()).allSatisfy { $0.sequence < $1.sequence })
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.code == "DRIVER_LOST")
            #expect(try await info(client, "a").error?.code == "DRIVER_LOST")
            _ = try await client.call(ClusterAPI.startCluster, .init(clusterID: "c1"))
            _ = try await fixture.wait("c1", for: .running)
            _ = try await client.call(
                ClusterAPI.createContext, .init(clusterID: "c1", body: ContextSpec(contextID: "ctx")))
            let again = try await run(client, "hang", id: "a")
            #expect(again.last?.error?.code == "DRIVER_LOST")
            #expect(try await fixture.drivers.get("c1").runs.isEmpty)
            let other = try await run(client, "1+1", id: "b")
            #expect(other.last?.state == .finished)
        }
    }

    @Test func aDriverThatHangsIsGivenUp() async throws {
        var limits = EngineLimits()
        limits.heartbeat = .milliseconds(200)
        try await withService(limits: limits) { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            let stream = try await client.stream(
                ClusterAPI.runCommand,
                .init(clusterID: "c1", contextID: "ctx", commandID: "a", body: CommandRun(source: "hang")))
            var events: [CommandEvent] = []
            for try await event in stream {
                events.append(event)
                if events.count == 2 { try await fixture.drivers.get("c1").freeze() }
            }
            #expect(events.last?.error?.code == "DRIVER_UNREACHABLE")
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.code == "DRIVER_UNREACHABLE")
        }
    }

    @Test func endingAClusterEndsItsCommands() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "hang")))
            _ = try await client.call(
                ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            #expect(try await info(client, "a").error?.code == "CLUSTER_TERMINATED")
            #expect(try await fixture.events("c1", "a").last?.state == .error)
        }
    }

    @Test func logsComeFromThePlace() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            let id = try #require(ClusterIdentifier("c1"))
            for text in ["one", "two", "three"] { fixture.world.say(text, in: id) }
            var lines: [LogLine] = []
            for try await line in try await client.stream(
                ClusterAPI.streamClusterLogs, .init(clusterID: "c1", after: 1))
            {
                lines.append(line)
            }
            #expect(lines.map(\.text) == ["two", "three"])
            let following = try await client.stream(
                ClusterAPI.streamClusterLogs, .init(clusterID: "c1", after: 3, follow: true))
            fixture.world.say("four", in: id)
            for try await line in following {
                #expect(line.text == "four")
                break
            }
        }
    }

    @Test func logsComeFromTheDriverWhereThePlaceKeepsNone() async throws {
        try await withService(capabilities: Capabilities([.recovery], maximumWorkers: 0)) { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            var lines: [LogLine] = []
            for try await line in try await client.stream(ClusterAPI.streamClusterLogs, .init(clusterID: "c1")) {
                lines.append(line)
            }
            #expect(lines.map(\.text) == ["a line of the driver's"])
        }
    }
}
