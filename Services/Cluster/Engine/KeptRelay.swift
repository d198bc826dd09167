internal import Core
internal import HarbourProtocol

/// Passes on what is left of a command whose driver is gone: the events that were kept, and its end.
///
/// A command that finished while some of its output is lost does not end as if nothing were missing: a `truncated` event
/// says so, and it ends with the code `OUTPUT_LOST`.
struct KeptRelay: Sendable {
    static let lostCode = "OUTPUT_LOST"
    let store: KeptEventStore

    /// Passes on what is kept of a command of a cluster that is not there any more.
    /// - Returns: false when nothing is.
    func passRemains(
        of command: CommandPlace, after sequence: Int64, _ send: CommandRelay.Send
    ) async throws -> Bool {
        guard let kept = try await store.get(command.clusterID, command.contextID, command.commandID) else {
            return false
        }
        try await pass(kept, after: sequence, send)
        return true
    }

    /// Passes on what is left of a command that has ended.
    func pass(_ row: CommandRow, after sequence: Int64, _ send: CommandRelay.Send) async throws {
        let info = row.info
        if let kept = try await store.get(info.clusterID, info.contextID, info.commandID) {
            return try await pass(kept, after: sequence, send)
        }
        let hasAll = info.lastSequence > 0 && sequence >= info.lastSequence
        try await finish(info, after: sequence, missing: hasAll ? nil : row.isRead ? .readBefore : .lost, send)
    }

    private func pass(_ kept: KeptCommand, after sequence: Int64, _ send: CommandRelay.Send) async throws {
        var last = sequence
        while let piece = try await store.piece(of: kept.info, after: last) {
            for event in try OutputGathering.events(of: piece, after: last) {
                try await send(event)
                last = event.sequence
                if event.type == .state, event.state?.isEnd == true { return }
            }
            last = max(last, piece.last)
        }
        // What has not been kept is not missing to one who has read all before.
        let hasAll = kept.isWhole || kept.info.lastSequence > 0 && last >= kept.info.lastSequence
        try await finish(kept.info, after: last, missing: hasAll ? nil : .lost, send)
    }

    /// Why events are not there.
    private enum Missing { case lost, readBefore }

    /// Says how a command ended.
    private func finish(
        _ info: CommandInfo, after sequence: Int64, missing: Missing?, _ send: CommandRelay.Send
    ) async throws {
        var number = max(sequence, info.lastSequence)
        let time = info.endTime ?? .now
        var (state, error) = (info.state, info.error)
        if let missing {
            number += 1
            let text =
                switch missing {
                case .lost:
                    "Some output may be missing: the cluster ended before all of it had been read, and what was left "
                        + "cannot be had any more."
                case .readBefore: "The output was read to its end before, and is not kept any more."
                }
            try await send(CommandEvent(sequence: number, timestamp: time, type: .truncated, text: text))
            if missing == .lost, state == .finished {
                state = .error
                error = CommandError(
                    code: KeptRelay.lostCode, name: "OutputLost",
                    message: "The command finished, but some of its output may be missing, because its cluster ended "
                        + "before all of it had been read. Run it again if it may run twice.")
            }
        }
        if let error {
            number += 1
            try await send(CommandEvent(sequence: number, timestamp: time, type: .error, error: error))
        }
        try await send(
            CommandEvent(
                sequence: number + 1, timestamp: time, type: .state, state: state,
                executionCount: info.executionCount, error: error))
    }
}
