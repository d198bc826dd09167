internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Passes the numbered events of one command on to one reader, whatever breaks in between, and always ends with the
/// event of the command's end.
struct CommandRelay: Sendable {
    /// Takes an event; throws when the reader has gone.
    typealias Send = @Sendable (CommandEvent) async throws(HarbourError) -> Void

    let controller: ClusterController
    let contextID: String
    let commandID: String
    /// Whether the reader will say when all events are stored.
    var confirms = false

    /// Runs the command, or goes on listening to it.
    func run(_ body: CommandRun, _ call: CallContext, send: Send) async throws {
        let begun = try await controller.begin(contextID, commandID, body.language, confirms: confirms, call)
        guard let link = begun.link else { return try await listen(after: body.after ?? 0, call, send) }
        var last = body.after ?? 0
        // Between the reader and us alone; a driver that was made before there was such a thing refuses it.
        var body = body
        body.confirms = nil
        var stream: ElementStream<CommandEvent>?
        do throws(HarbourError) {
            stream = try await link.client.stream(
                DriverAPI.runCommand, .init(contextID: contextID, commandID: commandID, body: body),
                context: call.withoutDeadline, patience: .zero)
        } catch {
            if begun.isRefused(by: error) { await controller.refused(begun.row.info) }
            if (400..<500).contains(error.code.status) { throw error }
        }
        if let stream, try await pass(stream, &last, send) { return }
        try await listen(after: last, call, send)
    }

    /// Listens to a command that was given before.
    func listen(after sequence: Int64, _ call: CallContext, _ send: Send) async throws {
        var last = sequence
        var pause = Pause()
        let news = await controller.changes()
        var changes = news.makeAsyncIterator()
        while true {
            try Task.checkCancellation()
            guard let row = try await controller.known(contextID, commandID) else {
                let place = CommandPlace(
                    clusterID: controller.id.text, contextID: contextID, commandID: commandID)
                if try await kept.passRemains(of: place, after: last, send) { return }
                throw ClusterController.missing(commandID)
            }
            switch await controller.witness(of: row) {
            case .kept: return try await kept.pass(row, after: last, send)
            case .soon:
                // A controller that is not told of anything any more belongs to a cluster, or service, that has gone.
                if await changes.next(isolation: nil) == nil { try await pause.wait(on: controller.context.loop) }
                continue
            case .driver(let link):
                do throws(HarbourError) {
                    let stream = try await link.client.stream(
                        DriverAPI.streamCommandEvents,
                        .init(contextID: contextID, commandID: commandID, after: last),
                        context: call.withoutDeadline, patience: .zero)
                    if try await pass(stream, &last, send) { return }
                } catch {
                    // The driver keeps the newest of its commands only.
                    if error.code.status == 404 && row.ended { return try await kept.pass(row, after: last, send) }
                    guard error.code.status == 503 || error.code.status == 502 || error.code.status == 404 else {
                        throw error
                    }
                }
            }
            try await pause.wait(on: controller.context.loop)
        }
    }

    private var kept: KeptRelay { KeptRelay(store: controller.context.outputs.store) }

    /// Passes events on; true when the last of them was the command's end, false when the stream broke before.
    private func pass(
        _ stream: ElementStream<CommandEvent>, _ last: inout Int64, _ send: Send
    ) async throws(HarbourError) -> Bool {
        var events = stream.makeAsyncIterator()
        while true {
            let event: CommandEvent?
            do throws(HarbourError) {
                event = try await events.next()
            } catch {
                if Task.isCancelled { throw HarbourError(.cancelled, "The request was cancelled.") }
                return false
            }
            guard let event else { return false }
            try await send(event)
            last = event.sequence
            guard event.type == .state, event.state?.isEnd == true else { continue }
            if !confirms { await controller.wasRead(contextID, commandID) }
            return true
        }
    }
}

extension CallContext {
    /// The same for a stream, which lasts as long as what it tells of.
    var withoutDeadline: CallContext {
        var context = self
        context.deadline = nil
        return context
    }
}
