internal import Core
internal import EventLoop
internal import HarbourProtocol

/// One notebook that somebody follows: its newest events, who is there, and who waits for news.
///
/// `@unchecked Sendable`: touched on the loop only.
final class NotebookTopic: @unchecked Sendable {
    let notebookID: Int64
    private let loop: EventLoop
    /// Nil until it is known where the notebook stands.
    var ring: EventRing?
    /// The message that tells who is there, and how often that has changed.
    private(set) var presence = ""
    private(set) var presenceVersion = 0
    var followers = 0
    /// Its events are being read, and whether there are more by now.
    var isReading = false
    var isAskedAgain = false
    var isReadingPresence = false
    var isPresenceAskedAgain = false
    var presenceExpiry: LoopTimer?

    private var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter: UInt64 = 0

    init(notebookID: Int64, loop: EventLoop) {
        self.notebookID = notebookID
        self.loop = loop
    }

    var name: String { "notebooks/\(notebookID)" }

    /// Takes events in and wakes who waits for them.
    func take(_ events: [EventRing.Event]) {
        guard !events.isEmpty, ring != nil else { return }
        // Some were forgotten before they were read: whoever has not seen them has to begin anew.
        if let last = ring?.last, let first = events.first, first.sequence > last + 1 {
            ring = EventRing(last: first.sequence - 1)
        }
        ring?.append(events)
        wake()
    }

    /// Tells who is there now.
    func take(presence text: String) {
        guard text != presence else { return }
        presence = text
        presenceVersion += 1
        wake()
    }

    func wake() {
        let all = waiters
        waiters = [:]
        for waiter in all.values { waiter.resume() }
    }

    /// Waits until there is an event after a number, or somebody has come or gone.
    func wait(after sequence: Int64, presence version: Int) async throws(HarbourError) {
        nextWaiter += 1
        let ticket = nextWaiter
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled || (ring?.last ?? 0) > sequence || presenceVersion != version {
                    continuation.resume()
                } else {
                    waiters[ticket] = continuation
                }
            }
        } onCancel: {
            loop.onLoop { [self] in waiters.removeValue(forKey: ticket)?.resume() }
        }
        if Task.isCancelled { throw HarbourError(.cancelled, "The reader has gone.") }
    }
}
