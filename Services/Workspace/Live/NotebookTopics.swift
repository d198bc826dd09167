internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import Postgres

extension ErrorCode {
    /// The events that a reader wants to go on from are not kept any more.
    static let eventsGone = ErrorCode("EVENTS_GONE", status: 410)
}

/// The notebooks that somebody follows. The database is read once for all who follow one, when it says that there is
/// something new.
///
/// `@unchecked Sendable`: touched on the loop only.
final class NotebookTopics: @unchecked Sendable {
    private let pool: PostgresPool
    private let loop: EventLoop
    private let journal = NotebookJournal()
    private let presence: PresenceStore
    private let logger = Logger("workspace.live")
    private var topics: [Int64: NotebookTopic] = [:]
    private var listening: [Task<Void, Never>] = []

    /// How many events are read, and sent, at a time.
    private static let page = 128
    /// Comings and goings within this time are told of at once.
    private static let presencePause = Duration.milliseconds(150)

    init(pool: PostgresPool, loop: EventLoop, presence: PresenceStore) {
        self.pool = pool
        self.loop = loop
        self.presence = presence
    }

    func start() {
        listening = [
            loop.spawn { [self] in
                for await notification in pool.listen(NotebookJournal.channel) {
                    heard(notification) { self.read($0) }
                }
            },
            loop.spawn { [self] in
                for await notification in pool.listen(PresenceStore.channel) {
                    heard(notification) { self.readPresence($0) }
                }
            },
        ]
    }

    func stop() {
        for task in listening { task.cancel() }
        for topic in topics.values { topic.presenceExpiry?.cancel() }
    }

    private func heard(_ notification: PostgresNotification, _ look: (NotebookTopic) -> Void) {
        switch notification {
        case .message(_, let payload): if let topic = topics[Int64(payload) ?? 0] { look(topic) }
        // What was said while the connection was away was not heard.
        case .reconnected: for topic in topics.values { look(topic) }
        }
    }

    // MARK: Reading

    private func read(_ topic: NotebookTopic) {
        guard !topic.isReading else {
            topic.isAskedAgain = true
            return
        }
        topic.isReading = true
        loop.spawn { [self] in
            var pause = Duration.milliseconds(50)
            repeat {
                topic.isAskedAgain = false
                do {
                    try await readOn(topic)
                    pause = .milliseconds(50)
                } catch {
                    logger.debug("waiting to read events", ["error": HarbourError.describe(error)])
                    guard (try? await loop.sleep(for: pause)) != nil else { break }
                    pause = min(pause * 2, .seconds(2))
                    topic.isAskedAgain = topic.followers > 0
                }
            } while topic.isAskedAgain
            topic.isReading = false
        }
    }

    private func readOn(_ topic: NotebookTopic) async throws {
        if topic.ring == nil {
            let (last, _) = try await journal.position(topic.notebookID, on: pool)
            topic.ring = EventRing(last: last)
            topic.wake()
        }
        while let last = topic.ring?.last {
            let events = try await journal.read(
                topic.notebookID, after: last, count: NotebookTopics.page, on: pool)
            topic.take(events.map { NotebookTopics.message(topic, $0) })
            if events.count < NotebookTopics.page { return }
        }
    }

    /// An event as a message; it is JSON already, and many get the same text.
    private static func message(
        _ topic: NotebookTopic, _ event: (sequence: Int64, payload: String)
    ) -> EventRing.Event {
        let head = head(topic, event.sequence)
        return EventRing.Event(sequence: event.sequence, text: head + event.payload + "}", head: head.utf8.count)
    }

    private static func head(_ topic: NotebookTopic, _ sequence: Int64) -> String {
        "{\"type\":\"EVENT\",\"topic\":\"\(topic.name)\",\"sequence\":\(sequence),\"notebook\":"
    }

    private func readPresence(_ topic: NotebookTopic) {
        guard !topic.isReadingPresence else {
            topic.isPresenceAskedAgain = true
            return
        }
        topic.isReadingPresence = true
        loop.spawn { [self] in
            repeat {
                topic.isPresenceAskedAgain = false
                do {
                    let (people, others, expiry) = try await presence.people(topic.notebookID)
                    let message = LiveMessage(
                        type: .presence, topic: topic.name, presence: people, others: others == 0 ? nil : others)
                    topic.take(presence: message.jsonText())
                    arm(topic, expiry)
                } catch {
                    logger.debug("who is there cannot be read", ["error": HarbourError.describe(error)])
                    topic.isPresenceAskedAgain = topic.followers > 0
                }
                guard (try? await loop.sleep(for: NotebookTopics.presencePause)) != nil else { break }
            } while topic.isPresenceAskedAgain
            topic.isReadingPresence = false
        }
    }

    /// Looks again when those of another process would have gone with it.
    private func arm(_ topic: NotebookTopic, _ expiry: Duration?) {
        topic.presenceExpiry?.cancel()
        topic.presenceExpiry = nil
        guard let expiry, topic.followers > 0 else { return }
        topic.presenceExpiry = loop.schedule(after: expiry + .milliseconds(50)) { [weak self] in
            self?.readPresence(topic)
        }
    }

    // MARK: Following

    /// What a follower is told.
    enum News: Sendable {
        case subscribed(Int64)
        case events([EventRing.Event])
        case presence(String)
        /// What it has seen is too old; the number where things stand.
        case reset(Int64)
    }

    /// Follows a notebook until the task is cancelled or `send` throws; `send` waits while its reader is slower, and
    /// nothing is kept for it meanwhile.
    /// - Parameter after: the last number already seen; from now on when nil.
    func follow(
        _ notebookID: Int64, after: Int64?, send: (News) async throws(HarbourError) -> Void
    ) async throws(HarbourError) {
        let topic = topics[notebookID] ?? NotebookTopic(notebookID: notebookID, loop: loop)
        topics[notebookID] = topic
        topic.followers += 1
        defer { leave(topic) }
        if topic.ring == nil { read(topic) }
        if topic.presence.isEmpty { readPresence(topic) }
        while topic.ring == nil { try await topic.wait(after: .max, presence: topic.presenceVersion) }
        var position = after ?? topic.ring?.last ?? 0
        var version = 0
        try await send(.subscribed(position))
        while true {
            if topic.presenceVersion != version {
                version = topic.presenceVersion
                try await send(.presence(topic.presence))
            }
            switch topic.ring?.events(after: position, count: NotebookTopics.page) ?? .events([]) {
            case .events(let events):
                guard let last = events.last else {
                    try await topic.wait(after: position, presence: version)
                    continue
                }
                try await send(.events(events))
                position = last.sequence
            case .older:
                guard let next = try await readOld(topic, after: position, send) else { return }
                position = next
            }
        }
    }

    /// The same for a stream of events alone, which breaks off when some are gone.
    /// - Throws: `EVENTS_GONE`.
    func followEvents(
        _ notebookID: Int64, after: Int64, send: ([[UInt8]]) async throws(HarbourError) -> Void
    ) async throws(HarbourError) {
        try await follow(notebookID, after: after) { news throws(HarbourError) in
            switch news {
            case .subscribed, .presence: return
            case .events(let events):
                try await send(events.map { Array($0.text.utf8.dropFirst($0.head).dropLast()) })
            case .reset(let sequence):
                throw HarbourError(
                    .eventsGone,
                    "These events are gone. Read the notebook anew, and follow it after \(sequence).")
            }
        }
    }

    /// Sends events that only the database has.
    /// - Returns: where the reader stands then; nil when even the database has them no more.
    private func readOld(
        _ topic: NotebookTopic, after position: Int64, _ send: (News) async throws(HarbourError) -> Void
    ) async throws(HarbourError) -> Int64? {
        let events = try await journal.read(topic.notebookID, after: position, count: NotebookTopics.page, on: pool)
        let (last, pruned) = try await journal.position(topic.notebookID, on: pool)
        // Looked at after reading: what was taken away in between would be missing in the middle.
        guard position >= pruned, let newest = events.last else {
            try await send(.reset(last))
            return nil
        }
        try await send(.events(events.map { NotebookTopics.message(topic, $0) }))
        return newest.sequence
    }

    private func leave(_ topic: NotebookTopic) {
        topic.followers -= 1
        guard topic.followers == 0 else { return }
        topic.presenceExpiry?.cancel()
        if topics[topic.notebookID] === topic { topics[topic.notebookID] = nil }
    }
}
