internal import CellExecution
internal import Core
internal import EventLoop
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceClients
internal import ServiceKit

/// One browser tab on the WebSocket: what it follows, and where its user is.
///
/// A reader that is slow makes its own followers wait and nobody else; nothing is kept for it.
actor LiveConnection {
    private let loop: EventLoop
    private let socket: HTTPWebSocket
    private let caller: Caller
    private let parts: LiveParts
    /// What the page calls this tab.
    nonisolated let clientID = Identifier.make()
    private var subscriptions: [LiveTopicName: Task<Void, Never>] = [:]
    /// Where the user was said to be.
    private var isPresent = false

    /// How many topics one tab may follow.
    private static let maxSubscriptions = 32
    /// From one word that a list has changed to the next: lists change in crowds, and are read anew each time.
    private static let listSpacing = Duration.seconds(1)

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop, socket: HTTPWebSocket, caller: Caller, parts: LiveParts) {
        self.loop = loop
        self.socket = socket
        self.caller = caller
        self.parts = parts
    }

    private var user: String { caller.user ?? "system" }

    /// Answers until the other side has gone.
    func run() async throws {
        do {
            try await send(LiveMessage(type: .hello, clientID: clientID))
            var reader = SocketReader(socket)
            while let message = try await reader.next() {
                guard case .text(let text) = message else { continue }
                await take(text)
            }
            await end()
        } catch {
            await end()
            throw error
        }
    }

    /// Looks again at whether its user may follow what it follows: what was given can be taken away.
    func recheck() async {
        for (name, task) in subscriptions {
            do throws(HarbourError) { try await parts.access.follow(caller, name) } catch {
                // Only a refusal: while the answer cannot be had, what was true is. And only of what was asked about:
                // it may be left, refused already, or asked for anew meanwhile.
                guard [.permissionDenied, .notFound].contains(error.code), subscriptions[name] == task else { continue }
                subscriptions[name] = nil
                task.cancel()
                await fail(error, name.text)
            }
        }
    }

    private func end() async {
        for task in subscriptions.values { task.cancel() }
        subscriptions = [:]
        guard isPresent else { return }
        do { try await parts.presence.remove(clientID) } catch {
            // It goes with its lease.
            parts.logger.debug("somebody's leaving was not told", ["error": error.describeChain()])
        }
    }

    private func send(_ message: LiveMessage) async throws(HarbourError) {
        try await socket.send(text: message.jsonText())
    }

    // MARK: Requests

    private func take(_ text: String) async {
        var topic: String?
        do throws(HarbourError) {
            let request = try LiveRequest(jsonText: text, subject: "message")
            topic = request.topic
            let name = try LiveTopicName(request.topic)
            switch request.type {
            case .subscribe: try subscribe(name, after: request.after)
            case .unsubscribe: subscriptions.removeValue(forKey: name)?.cancel()
            case .presence: try await setPresence(request, name)
            }
        } catch {
            await fail(error, topic)
        }
    }

    private func fail(_ error: HarbourError, _ topic: String?) async {
        let message = LiveMessage(
            type: .failed, topic: topic, errorCode: error.code.name, message: error.message)
        // When even that cannot be sent the connection is gone, and its reader sees that.
        _ = try? await socket.send(text: message.jsonText())
    }

    private func setPresence(_ request: LiveRequest, _ name: LiveTopicName) async throws(HarbourError) {
        guard case .notebook(let id) = name else {
            throw HarbourError(.invalidParameter, "One can be present in notebooks only.")
        }
        try await parts.access.follow(caller, name)
        isPresent = true
        try await parts.presence.put(
            LivePresence(
                clientID: clientID, userName: user, cellID: request.cellID, isEditing: request.isEditing ?? false), id)
    }

    private func subscribe(_ name: LiveTopicName, after: Int64?) throws(HarbourError) {
        subscriptions.removeValue(forKey: name)?.cancel()
        guard subscriptions.count < LiveConnection.maxSubscriptions else {
            throw HarbourError(
                .resourceExhausted,
                "One connection follows at most \(LiveConnection.maxSubscriptions) topics. Leave one first.")
        }
        subscriptions[name] = loop.spawn { [self] in
            do {
                try await untilPossible { [self] in try await parts.access.follow(caller, name) }
                switch name {
                case .notebook(let id): try await followNotebook(id, after)
                case .run(let id): try await followRun(id, after, name)
                case .cluster(let id): try await followCluster(id, name)
                case .log(let cluster): try await followLog(cluster, after, name)
                case .list(let list): try await followList(list, name)
                }
            } catch {
                let failure = HarbourError.wrap(error)
                if failure.code != .cancelled, await forget(name) { await fail(failure, name.text) }
            }
        }
    }

    /// Forgets the subscription of the present task: when rights change it is not looked at, and told of, once more.
    /// - Returns: false when it was left, or asked for anew, already.
    private func forget(_ name: LiveTopicName) -> Bool {
        if Task.isCancelled { return false }
        subscriptions[name] = nil
        return true
    }

    // MARK: Topics

    private func followNotebook(_ id: Int64, _ after: Int64?) async throws {
        let topic = LiveTopicName.notebook(id).text
        let position = Position(after)
        // While the database is away: what has been seen is known, and it goes on from there.
        try await untilPossible { [self] in
            try await parts.service.checkExists(id)
            try await parts.topics.follow(id, after: position.last) { [socket] news throws(HarbourError) in
                switch news {
                case .subscribed(let sequence):
                    position.last = sequence
                    try await socket.send(
                        text: LiveMessage(type: .subscribed, topic: topic, sequence: sequence).jsonText())
                case .events(let events):
                    for event in events {
                        try await socket.send(text: event.text)
                        position.last = event.sequence
                    }
                case .presence(let text): try await socket.send(text: text)
                case .reset(let sequence):
                    try await socket.send(
                        text: LiveMessage(type: .reset, topic: topic, sequence: sequence).jsonText())
                }
            }
        }
    }

    /// Where a follower stands. `@unchecked Sendable`: touched on the loop only.
    private final class Position: @unchecked Sendable {
        var last: Int64?
        init(_ last: Int64?) { self.last = last }
    }

    private func followRun(_ id: Int64, _ after: Int64?, _ name: LiveTopicName) async throws {
        let events = try await parts.scheduler.stream(
            SchedulerAPI.streamRunEvents, .init(runID: id, after: after), context: CallContext(user: user))
        try await tell(events, after, name) { event, message in message.run = try JSONValue(json: event.encodedJSON()) }
    }

    private func followLog(_ cluster: String, _ after: Int64?, _ name: LiveTopicName) async throws {
        let lines = try await parts.clusters.stream(
            ClusterAPI.streamClusterLogs, .init(clusterID: cluster, after: after, follow: true),
            context: CallContext(user: user))
        try await tell(lines, after, name) { line, message in message.log = line }
    }

    /// Tells each element of a stream under its number, and that no more will come.
    private func tell<Element: SequencedElement>(
        _ elements: ElementStream<Element>, _ after: Int64?, _ name: LiveTopicName,
        _ fill: (Element, inout LiveMessage) throws -> Void
    ) async throws {
        try await send(LiveMessage(type: .subscribed, topic: name.text, sequence: after ?? 0))
        for try await element in elements {
            // What is left, or asked for anew, is told no more, however much of it has come already.
            try Task.checkCancellation()
            var message = LiveMessage(type: .event, topic: name.text, sequence: element.sequence)
            try fill(element, &message)
            try await send(message)
        }
        try await send(LiveMessage(type: .ended, topic: name.text))
    }

    /// Of a list it is only said that something is different: what it shows depends on how it is looked at.
    private func followList(_ list: LiveList, _ name: LiveTopicName) async throws {
        var type = LiveMessageType.subscribed
        // Whoever follows it is told that it has changed when it goes on: something may have been missed.
        try await untilPossible { [self] in
            try await parts.lists.follow(list) { changes in
                guard try await list.isSeen(changes, by: caller, parts.access.gate) else { return }
                try await send(LiveMessage(type: type, topic: name.text))
                type = .changed
                try await loop.sleep(for: LiveConnection.listSpacing)
            }
        }
    }

    /// Does something again as long as it cannot be done for a moment, as while the database is away.
    private func untilPossible(_ work: () async throws -> Void) async throws {
        var pause = Duration.milliseconds(50)
        while true {
            do { return try await work() } catch {
                let failure = HarbourError.wrap(error)
                guard failure.isPassing, !Task.isCancelled else { throw failure }
                try await loop.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }

    /// States of a cluster have no numbers: whoever comes back is told the newest.
    private func followCluster(_ id: String, _ name: LiveTopicName) async throws {
        var isSubscribed = false
        var pause = Duration.milliseconds(50)
        while true {
            do {
                let states = try await parts.clusters.stream(
                    ClusterAPI.watchCluster, .init(clusterID: id), context: CallContext(user: user))
                if !isSubscribed { try await send(LiveMessage(type: .subscribed, topic: name.text)) }
                isSubscribed = true
                for try await info in states {
                    pause = .milliseconds(50)
                    try await send(
                        LiveMessage(
                            type: .event, topic: name.text, cluster: try JSONValue(json: info.encodedJSON())))
                }
                return try await send(LiveMessage(type: .ended, topic: name.text))
            } catch {
                let failure = HarbourError.wrap(error)
                guard failure.isPassing, isSubscribed, !Task.isCancelled else { throw failure }
                try await loop.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }
}

/// What connections share.
struct LiveParts: Sendable {
    let topics: NotebookTopics
    let presence: PresenceStore
    let service: ExecutionService
    let access: NotebookAccess
    let scheduler: ServiceClient
    let clusters: ServiceClient
    let lists: ListNews
    let logger = Logger("workspace.live")
}
