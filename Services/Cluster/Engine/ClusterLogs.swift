internal import ClusterBackend
internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// Which part of which log is asked for.
struct LogQuestion: Sendable {
    var start: Int64?
    var after: Int64 = 0
    var follow = false
    var filter: LogFilter
}

extension ClusterController {
    /// Passes the lines of one start of the cluster on, the same while it runs and after its end.
    func streamLogs(
        _ question: LogQuestion, _ call: CallContext, _ send: @escaping @Sendable (LogLine) async throws -> Void
    ) async throws {
        let start = question.start ?? record.generation
        guard let log = await context.logs.log(.logs, of: id, start: start) else {
            return try await streamUnkept(question, call, send)
        }
        let isLive = start == record.generation && record.mayExist
        try await log.read(after: question.after, follow: question.follow && isLive, question.filter, send)
    }

    /// The kept logs of the cluster.
    func listLogs() async throws -> ClusterLogList {
        var starts: [ClusterLogStart] = []
        for start in try await context.logs.starts(.logs, of: id) {
            if let found = await context.logs.log(.logs, of: id, start: start)?.summary(start: start) {
                starts.append(found)
            }
        }
        return ClusterLogList(starts: starts)
    }

    /// Where nothing is kept: what the place has of the cluster's processes, from before the driver listens until after
    /// it has died; where a place has nothing, the driver's own lines while it runs.
    private func streamUnkept(
        _ question: LogQuestion, _ call: CallContext, _ send: @escaping @Sendable (LogLine) async throws -> Void
    ) async throws {
        if let start = question.start, start != record.generation {
            throw HarbourError(.notFound, "The log of start \(start) is not kept. Set HARBOUR_CLUSTER_KEPT_FOLDER.")
        }
        let filter = question.filter
        guard backend.capabilities.has(.logs) else {
            let lines = try await runningLink().client.stream(
                DriverAPI.streamLogs, .init(after: question.after, follow: question.follow),
                context: call.withoutDeadline, patience: .zero)
            for try await line in lines where filter.admits(ClusterController.ranked(line)) { try await send(line) }
            return
        }
        guard let handle = record.handle else {
            throw HarbourError(
                .invalidState, "Cluster \(id) is \(record.state.rawValue) and has no log any more. Start it first.")
        }
        try await backend.logs(of: handle, after: question.after, follow: question.follow) { line in
            let line = LogLine(
                sequence: line.sequence, timestamp: line.timestamp, source: line.source, text: line.text)
            if filter.admits(ClusterController.ranked(line)) { try await send(line) }
        }
    }

    private nonisolated static func ranked(_ line: LogLine) -> LogLine {
        var line = line
        line.level = LogRank(line: line.text)?.name
        return line
    }
}
