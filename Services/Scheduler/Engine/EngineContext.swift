internal import CellExecution
internal import Core
internal import EventLoop
internal import Postgres
internal import ServiceClients
internal import WebClient

/// What the parts of the engine share.
struct EngineContext: Sendable {
    let loop: EventLoop
    let pool: PostgresPool
    /// Writes down what the runs of this scheduler have to write.
    let writer: RunWriter
    let clusters: ServiceClient
    /// Tells the cluster service what has been stored.
    let confirmer: CommandConfirmer
    let workspace: ServiceClient
    /// Whether runs may begin.
    let admission: RunAdmission
    /// Wakes who waits for news of runs.
    let signals: RunSignals
    /// Which jobs are made, changed, deleted and brought back.
    let jobNews: ChangeNews<Int64>
    /// For addresses that users name: those of the internet, and inside networks that the operator allows.
    let web: WebClient
    /// Nil when no secret is set.
    var signer: WebhookSigner?
    /// Nil when no Airflow is set.
    var airflow: AirflowClient?
    /// Nil when no mail server is set.
    var mailer: Mailer?
    /// Nil when no object storage is set.
    var objects: S3Store?
    /// The folders that jobs may wait for files in, with all below them.
    var fileRoots: [String] = []
    /// From one look at a place where a job waits for files to the next, when nothing tells of changes.
    var fileInterval = Duration.seconds(60)

    /// Repeats what failed because something was away for a moment, until it works or the task is cancelled.
    ///
    /// Pauses grow from a tenth of a second to five. What is final, such as a refusal, is thrown at once.
    func persistently<Value: Sendable>(
        _ what: String, _ work: @Sendable () async throws -> Value
    ) async throws -> Value {
        var pause = Duration.milliseconds(100)
        while true {
            do {
                return try await work()
            } catch {
                let failure = HarbourError.wrap(error)
                guard EngineContext.isPassing(failure), !Task.isCancelled else { throw failure }
                Logger("scheduler").debug("waiting to try again", ["what": what, "error": failure.describeChain()])
                try await loop.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }

    /// Whether trying again can help.
    static func isPassing(_ error: HarbourError) -> Bool { error.isPassing }
}
