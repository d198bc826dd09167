import Core
import EventLoop
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import Testing

@Suite("The WebSocket", .timeLimit(.minutes(5)))
struct LiveTests {
    @Test func tellsEventsInOrderAndResumes() async throws {
        try await RunningWorkspace.run(["print one", "wait", "print three"]) { running in
            let topic = "notebooks/\(running.id)"
            let client = try await LiveClient.ready(running.workspace)
            client.subscribe(topic)
            let position = try await client.next { $0.type == .subscribed }.sequence ?? -1
            let begun = try await running.start()
            var events: [NotebookEvent] = []
            while events.last?.command?.state != .running || events.last?.command?.cellID != "c1" {
                events.append(try #require(try await client.next { $0.type == .event }.notebook))
            }
            client.close()
            // It is said to run before the cluster is asked.
            _ = try await running.wait { _ in running.cluster.started.count == 2 }
            running.cluster.say(begun.commands[1].commandID, ["print two"])
            running.cluster.finish(begun.commands[1].commandID)
            _ = try await running.settled()
            // The next connection gets the rest, and nothing twice.
            let next = try await LiveClient.ready(running.workspace)
            next.subscribe(topic, after: events.last?.sequence)
            while events.last?.command?.state != .finished || events.last?.command?.cellID != "c2" {
                events.append(try #require(try await next.next { $0.type == .event }.notebook))
            }
            #expect(events.map(\.sequence) == Array(position + 1...position + Int64(events.count)))
            #expect(events.compactMap(\.output?.text) == ["one\n", "two\n", "three\n"])
            next.close()
        }
    }

    @Test func tellsWhoIsHere() async throws {
        try await RunningWorkspace.run(["wait"]) { running in
            let topic = "notebooks/\(running.id)"
            let first = try await LiveClient.ready(running.workspace)
            let second = try await LiveClient.ready(running.workspace)
            for client in [first, second] {
                client.subscribe(topic)
                client.send(LiveRequest(type: .presence, topic: topic, cellID: "c0", isEditing: true))
            }
            let both = try await first.next { $0.presence?.count == 2 }
            #expect(Set(both.presence?.map(\.clientID) ?? []) == [first.clientID, second.clientID])
            #expect(both.presence?.allSatisfy { $0.userName == "admin" && $0.cellID == "c0" && $0.isEditing } == true)
            second.close()
            let one = try await first.next { $0.presence?.count == 1 }
            #expect(one.presence?.first?.clientID == first.clientID)
            first.close()
        }
    }

    /// Goal: a tab that does not read costs nothing but its own socket, and is told to begin anew when it reads again.
    @Test func aSlowReaderHoldsNobodyUp() async throws {
        try await RunningWorkspace.run(["wait"]) { running in
            let topic = "notebooks/\(running.id)"
            let slow = try await LiveClient.ready(running.workspace)
            slow.subscribe(topic)
            _ = try await slow.next { $0.type == .subscribed }
            slow.pause()
            let begun = try await running.start()
            let id = begun.commands[0].commandID
            _ = try await running.wait { _ in running.cluster.started.count == 1 }
            let quick = try await LiveClient.ready(running.workspace)
            quick.subscribe(topic)
            _ = try await quick.next { $0.type == .subscribed }
            for number in 0..<13 {
                let shown = [String](repeating: "show n 61440", count: 100)
                running.cluster.say(id, shown + ["print \(number)"])
                _ = try await quick.next { $0.notebook?.output?.text == "\(number)\n" }
            }
            running.cluster.finish(id)
            _ = try await running.settled()
            slow.resume()
            var last: Int64 = 0
            let end = try await slow.next { message in
                if message.type == .event {
                    #expect(message.sequence == last + 1 || last == 0)
                    last = message.sequence ?? 0
                }
                return message.type == .reset
            }
            #expect(end.sequence ?? 0 > last)
            let gone = await errorCode {
                let stream = try await running.user.stream(
                    WorkspaceAPI.streamNotebookEvents, .init(notebookID: running.id, after: 1), patience: .zero)
                for try await _ in stream {}
            }
            #expect(gone == "EVENTS_GONE")
            quick.close()
            slow.close()
        }
    }

    @Test func refusesWhatIsNoRequest() async throws {
        try await RunningWorkspace.run(["wait"]) { running in
            let client = try await LiveClient.ready(running.workspace)
            for text in ["{", #"{"type":"SUBSCRIBE","topic":"jobs/1"}"#, #"{"type":"PRESENCE","topic":"runs/1"}"#] {
                client.send(text: text)
                #expect(try await client.next()?.type == .failed)
            }
            client.subscribe("notebooks/1000000")
            #expect(try await client.next()?.errorCode == "RESOURCE_DOES_NOT_EXIST")
            client.close()
            let stranger = try await LiveClient.open(running.workspace, token: "wrong")
            #expect(try await stranger.next() == nil)
            await #expect(throws: HarbourError.self) {
                _ = try await LiveClient.open(running.workspace, origin: "http://elsewhere.example")
            }
        }
    }

    /// Goal: nobody is told of what they may no longer see, and not a minute later either.
    @Test func whatIsTakenAwayIsToldOfNoMore() async throws {
        try await RunningWorkspace.run(["wait"]) { running in
            let workspace = running.workspace
            let topic = "notebooks/\(running.id)"
            let bob = try await workspace.makeUser("bob")
            try await workspace.give(.canRead, on: "notebooks", "\(running.id)", to: "bob")
            let client = try await LiveClient.ready(workspace, token: bob.token)
            client.subscribe(topic)
            _ = try await client.next { $0.type == .subscribed }
            // Nobody may look any more but administrators.
            for id in ["\(running.id)", try await workspace.objectID("/Shared")] {
                _ = try await workspace.user.call(
                    WorkspaceAPI.setPermissions,
                    .init(
                        objectType: id == "\(running.id)" ? "notebooks" : "directories", objectID: id,
                        body: ChangePermissions(accessControlList: [])))
            }
            let refused = try await client.next { $0.type == .failed }
            #expect(refused.topic == topic && refused.errorCode == "PERMISSION_DENIED")
            // And who may not sign in any more is out.
            _ = try await workspace.user.call(
                WorkspaceAPI.editUser, .init(userName: "bob", body: EditUser(active: false)))
            #expect(try await client.next() == nil)
        }
    }
}
