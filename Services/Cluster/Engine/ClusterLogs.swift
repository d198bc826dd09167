internal import ClusterBackend
internal import Core
internal import HarbourProtocol
internal import ServiceClients

extension ClusterController {
    /// Where the numbers of the backend's lines begin, so that they are never taken for those of the driver's own log,
    /// which ends with the driver.
    private static let backendLines: Int64 = 1 << 51

    /// Passes log lines on: the driver's and Spark's own while the cluster runs, else what its processes wrote.
    func streamLogs(
        after sequence: Int64, follow: Bool, _ call: CallContext,
        _ send: @escaping @Sendable (LogLine) async throws -> Void
    ) async throws {
        if record.step == .running, let link {
            let after = sequence >= ClusterController.backendLines ? 0 : sequence
            let lines = try await link.client.stream(
                DriverAPI.streamLogs, .init(after: after, follow: follow), context: call.withoutDeadline,
                patience: .zero)
            for try await line in lines { try await send(line) }
            return
        }
        guard let handle = record.handle else {
            throw HarbourError(
                .invalidState, "Cluster \(id) is \(record.state.rawValue) and has no log any more. Start it first.")
        }
        let base = ClusterController.backendLines
        try await backend.logs(of: handle, after: max(0, sequence - base), follow: follow) { line in
            try await send(
                LogLine(
                    sequence: base + line.sequence, timestamp: line.timestamp, source: line.source, text: line.text))
        }
    }
}
