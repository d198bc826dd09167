internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Shows a run while it goes on: states on standard error, what cells print on standard output.
struct RunFollower {
    let api: PublicAPI
    let terminal: Terminal

    /// Follows the run to its end.
    /// - Parameter sequence: what was before this event is not shown.
    func follow(_ runID: Int64, after sequence: Int64 = 0) async throws -> Run {
        var last = sequence
        while true {
            let events = try await api.client.stream(
                SchedulerAPI.streamRunEvents, .init(runID: runID, after: last), context: CallContext(),
                opening: .seconds(30))
            for try await event in events {
                last = event.sequence
                show(event)
            }
            let run = try await api.call(SchedulerAPI.getRun, .init(runID: runID))
            let isOver = run.state.lifeCycleState == .terminated || run.state.lifeCycleState == .skipped
            if isOver && run.lastSequence ?? 0 <= last { return run }
        }
    }

    /// Throws when the run did not succeed, so that scripts see it in the exit status.
    static func check(_ run: Run) throws(HarbourError) {
        guard run.state.resultState == .success else {
            throw HarbourError(
                ErrorCode("RUN_FAILED", status: 500),
                "Run \(run.runID) ended as \(Show.state(run.state)). "
                    + "\(run.state.stateMessage) See harbour runs show \(run.runID).")
        }
    }

    private func show(_ event: RunEvent) {
        switch event.type {
        case .runState: terminal.progress("run: \(words(event.state))")
        case .taskState: terminal.progress("task \(event.taskKey ?? ""): \(words(event.state))")
        case .attemptState:
            if let number = event.attemptNumber, number > 0 {
                terminal.progress("task \(event.taskKey ?? ""), attempt \(number): \(words(event.state))")
            }
        case .notificationFailed:
            guard let failed = event.notification else { break }
            terminal.progress("not told: \(failed.destination) (\(failed.errorCode)) \(failed.message)")
        case .cell: if let output = event.event { show(output) }
        default: break
        }
    }

    private func words(_ state: RunState?) -> String {
        guard let state else { return "" }
        return state.stateMessage.isEmpty ? Show.state(state) : "\(Show.state(state)): \(state.stateMessage)"
    }

    private func show(_ event: CommandEvent) {
        switch event.type {
        case .stream: terminal.show(event.text ?? "")
        case .display, .result:
            if let table = event.data?["application/vnd.dataharbour.table+json"] {
                show(table: table)
            } else if let text = event.data?["text/plain"]?.string {
                terminal.say(text)
            }
        case .error:
            if let error = event.error {
                terminal.say(error.traceback?.joined(separator: "\n") ?? "\(error.name): \(error.message)")
            }
        case .truncated: terminal.progress(event.text ?? "Output was cut.")
        default: break
        }
    }

    private func show(table: JSONValue) {
        let names = (table["columns"]?.array ?? []).map { $0["name"]?.string ?? "" }
        let rows = (table["rows"]?.array ?? []).prefix(50).map { row in
            (row.array ?? []).map { $0.string ?? $0.jsonText() }
        }
        guard rows.allSatisfy({ $0.count == names.count }) else { return }
        terminal.table(names, Array(rows))
        if table["truncated"]?.bool == true || (table["rows"]?.array?.count ?? 0) > 50 { terminal.say("...") }
    }
}
