internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// The kernel of one notebook: a context on the cluster that the notebook is attached to.
struct NotebookKernel: Sendable {
    let context: ExecutionContext
    let progress: ExecutionProgress
    let notebookID: Int64

    /// How long the cluster service may be silent before it is asked again.
    private static let patience = Duration.seconds(60)

    /// Finds the kernel, or starts one; says so when an old one was lost.
    /// - Returns: where commands are to be sent.
    func prepare(_ row: SessionRow, language: String, user: String) async throws -> (cluster: String, context: String) {
        guard let clusterID = row.session.clusterID else {
            throw HarbourError(.invalidState, "The notebook is attached to no cluster. Choose one.")
        }
        try await awaitRunning(clusterID, user)
        var (generation, message) = (max(1, row.generation), String?.none)
        if row.session.kernel == .ready || row.session.kernel == .lost {
            if try await isAlive(clusterID, SessionRow.contextID(notebookID, generation), user) {
                try await progress.setKernel(.ready, on: clusterID)
                return (clusterID, SessionRow.contextID(notebookID, generation))
            }
            generation += 1
            message = "The kernel that was there is gone, and its variables with it. This is a new one."
        }
        try await progress.setKernel(.starting, on: clusterID, generation: generation, message: message)
        let name = SessionRow.contextID(notebookID, generation)
        _ = try await context.persistently("making a context") { [context] in
            try await context.clusters.call(
                ClusterAPI.createContext,
                .init(clusterID: clusterID, body: ContextSpec(contextID: name, language: language)),
                context: .within(NotebookKernel.patience, user: user))
        }
        try await progress.setKernel(.ready, on: clusterID, generation: generation, message: message)
        return (clusterID, name)
    }

    /// Waits while the cluster starts.
    private func awaitRunning(_ clusterID: String, _ user: String) async throws {
        try await context.persistently("waiting for a cluster") { [context] in
            let info = try await context.clusters.call(
                ClusterAPI.getCluster, .init(clusterID: clusterID),
                context: .within(NotebookKernel.patience, user: user))
            if try NotebookKernel.isRunning(info) { return }
            let states = try await context.clusters.stream(
                ClusterAPI.watchCluster, .init(clusterID: clusterID), context: CallContext(user: user))
            for try await info in states where try NotebookKernel.isRunning(info) { return }
            throw HarbourError(.unavailable, "The cluster service stopped telling about \(clusterID).")
        }
    }

    private static func isRunning(_ info: ClusterInfo) throws(HarbourError) -> Bool {
        switch info.state {
        case .running, .resizing: return true
        case .pending, .restarting: return false
        case .terminated, .terminating, .error:
            throw HarbourError(
                .invalidState,
                "The cluster \(info.spec.clusterName) does not run. Start it, or attach the notebook to another one.")
        }
    }

    private func isAlive(_ clusterID: String, _ name: String, _ user: String) async throws -> Bool {
        try await context.persistently("looking for a context") { [context] in
            do throws(HarbourError) {
                let info = try await context.clusters.call(
                    ClusterAPI.getContext, .init(clusterID: clusterID, contextID: name),
                    context: .within(NotebookKernel.patience, user: user))
                return info.state == .running || info.state == .pending
            } catch {
                if error.code.status == 404 || error.code == .invalidState { return false }
                throw error
            }
        }
    }

    /// Ends the kernel; one that is gone already is fine.
    func end(_ row: SessionRow) async throws {
        if let clusterID = row.session.clusterID, row.generation > 0 {
            let name = SessionRow.contextID(notebookID, row.generation)
            try await context.persistently("ending a context") { [context] in
                do throws(HarbourError) {
                    _ = try await context.clusters.call(
                        ClusterAPI.deleteContext, .init(clusterID: clusterID, contextID: name),
                        context: .within(NotebookKernel.patience))
                } catch {
                    if error.code.status != 404 { throw error }
                }
            }
        }
        try await progress.setKernel(
            KernelState.absent, on: nil, generation: row.generation + 1, restarted: true)
    }
}
