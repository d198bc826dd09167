internal import CellExecution
internal import Core
internal import EventLoop
internal import Postgres
internal import ServiceClients

/// What the parts that run cells share.
struct ExecutionContext: Sendable {
    let loop: EventLoop
    let pool: PostgresPool
    let clusters: ServiceClient
    /// Tells the cluster service what has been stored.
    let confirmer: CommandConfirmer
    let logger = Logger("workspace.execution")

    init(loop: EventLoop, pool: PostgresPool, clusters: ServiceClient) {
        self.loop = loop
        self.pool = pool
        self.clusters = clusters
        confirmer = CommandConfirmer(clusters: clusters, loop: loop, label: "workspace.execution")
    }

    /// Repeats what failed because something was away for a moment, until it works or the task is cancelled.
    ///
    /// Pauses grow from a twentieth of a second to two. What is final, such as a refusal, is thrown at once.
    func persistently<Value: Sendable>(
        _ what: String, _ work: @Sendable () async throws -> Value
    ) async throws -> Value {
        var pause = Duration.milliseconds(50)
        while true {
            do {
                return try await work()
            } catch {
                let failure = HarbourError.wrap(error)
                guard failure.isPassing, !Task.isCancelled else { throw failure }
                logger.debug("waiting to try again", ["what": what, "error": failure.describeChain()])
                try await loop.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }
}
