internal import CPostgres
internal import Core
internal import EventLoop

/// Timeouts and cancellation. PQcancel opens a connection of its own and blocks, so it runs on the blocking pool.
extension PostgresConnection {
    /// How long the server may take to obey a cancellation before the connection is given up.
    static let obeyLimit = Duration.seconds(10)

    /// One timer for all requests: it is set for the earliest deadline, and looks again when it fires.
    func armDeadline(_ deadline: MonotonicTime) {
        if let armed = deadlineArmed, armed <= deadline { return }
        deadlineTimer?.cancel()
        deadlineArmed = deadline
        deadlineTimer = loop.schedule(at: deadline) { [weak self] in self?.deadlineDue() }
    }

    private func deadlineDue() {
        deadlineArmed = nil
        let now = MonotonicTime.now
        var next: MonotonicTime?
        for request in pipeline.requests where request.isOpen {
            if request.deadline <= now {
                abandon(request, .databaseTimeout())
            } else {
                next = min(next ?? request.deadline, request.deadline)
            }
        }
        if let next { armDeadline(next) }
    }

    /// Answers a request before the server does. The server is told when it may be working on this one, else when its
    /// segment's turn comes. Whichever read it is that the cancellation hits, the others are sent again.
    func abandon(_ request: PostgresRequest, _ error: HarbourError) {
        guard request.isOpen, request.hasBegun else { return }
        request.complete(.failure(error))
        abandoned += 1
        if phase == .pipeline, pipeline.segment.contains(request) { cancel(request) }
    }

    /// A segment has come to its turn in which somebody has given up.
    func cancelAbandoned() {
        guard abandoned > 0, phase == .pipeline else { return }
        if pipeline.isEmpty { abandoned = 0 }
        if let request = pipeline.segment.first(where: { !$0.isOpen && !$0.cancelSent }) { cancel(request) }
    }

    func cancel(_ request: PostgresRequest) {
        guard cancelsOutstanding == 0 else { return }
        request.cancelSent = true
        sendCancel()
        loop.schedule(after: Self.obeyLimit) { [weak self] in
            guard let self, self.phase == .pipeline, self.pipeline.segment.contains(request) else { return }
            self.close(.connectionLost("the server did not obey a cancellation"))
        }
    }

    /// Tells the server to cancel what this connection runs at the moment.
    func sendCancel() {
        guard let handle, let cancel = PQgetCancel(handle) else { return }
        let sender = CancelSender(cancel)
        cancelsOutstanding += 1
        loop.spawn { [self] in
            do {
                try await BlockingPool.shared.run { try sender.send() }
            } catch {
                logger.debug("a cancellation could not be sent", ["error": HarbourError.describe(error)])
            }
            loop.onLoop { self.cancelReturned() }
        }
    }

    private func cancelReturned() {
        cancelsOutstanding -= 1
        guard cancelsOutstanding == 0 else { return }
        let quiet = whenQuietWork
        whenQuietWork = []
        for work in quiet { work() }
        idle()
    }

    /// Runs the work when nothing is under way, the server's word after the last Sync included.
    func whenIdle(_ work: @escaping () -> Void) {
        whenIdleWork.append(work)
        idle()
    }

    func idle() {
        while !whenIdleWork.isEmpty, phase == .closed || pipeline.isEmpty && cancelsOutstanding == 0 {
            whenIdleWork.removeFirst()()
        }
    }

    /// Runs the work when no cancellation is on its way, so that none hits what comes next.
    func whenQuiet(_ work: @escaping () -> Void) {
        if cancelsOutstanding == 0 { work() } else { whenQuietWork.append(work) }
    }
}

/// Owner of what PQcancel needs. `@unchecked Sendable`: libpq allows it to be used on another thread.
private final class CancelSender: @unchecked Sendable {
    private let cancel: OpaquePointer

    init(_ cancel: OpaquePointer) { self.cancel = cancel }

    deinit { PQfreeCancel(cancel) }

    func send() throws {
        var message = [CChar](repeating: 0, count: 256)
        guard PQcancel(cancel, &message, Int32(message.count)) == 1 else {
            throw HarbourError.databaseUnreachable(
                String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
    }
}
