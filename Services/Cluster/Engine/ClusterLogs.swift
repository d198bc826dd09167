internal import ClusterBackend
internal import Core
internal import HarbourProtocol
internal import ServiceClients

extension ClusterController {
    /// Passes log lines on: what the cluster's processes wrote, as the backend keeps it, from before the driver listens
    /// until after it has died, in one series of numbers. Where a backend keeps none, the driver's own while it runs.
    func streamLogs(
        after sequence: Int64, follow: Bool, _ call: CallContext,
        _ send: @escaping @Sendable (LogLine) async throws -> Void
    ) async throws {
        guard backend.capabilities.has(.logs) else {
            let lines = try await runningLink().client.stream(
                DriverAPI.streamLogs, .init(after: sequence, follow: follow), context: call.withoutDeadline,
                patience: .zero)
            for try await line in lines { try await send(line) }
            return
        }
        guard let handle = record.handle else {
            throw HarbourError(
                .invalidState, "Cluster \(id) is \(record.state.rawValue) and has no log any more. Start it first.")
        }
        try await backend.logs(of: handle, after: sequence, follow: follow) { line in
            try await send(
                LogLine(sequence: line.sequence, timestamp: line.timestamp, source: line.source, text: line.text))
        }
    }
}
