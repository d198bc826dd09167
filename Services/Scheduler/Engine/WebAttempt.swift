internal import Core
internal import Cryptography
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol
internal import WebClient

/// Makes the attempt of a webhook or Airflow task happen: what runs is elsewhere, and is talked to over HTTP.
///
/// The attempt's id goes along, as idempotency key and as the name of the DAG run, so that whoever takes the attempt
/// over asks for the same thing again.
actor WebAttempt: AttemptWork {
    private let context: EngineContext
    private let progress: RunProgress
    private let task: TaskSpec
    private let attempt: RunWrite.AttemptKey
    private var attemptID: String { progress.attemptID(attempt) }
    private var work: Task<AttemptOutcome, Never>?
    private var isStopping = false
    private var isAbandoned = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    init(context: EngineContext, progress: RunProgress, task: TaskSpec, attempt: RunWrite.AttemptKey) {
        self.context = context
        self.progress = progress
        self.task = task
        self.attempt = attempt
    }

    func run() async -> AttemptReport? {
        let work = Task.immediate(executorPreference: context.loop) { await perform() }
        self.work = work
        let outcome = await work.value
        return isAbandoned ? nil : AttemptReport(outcome)
    }

    func stop() {
        isStopping = true
        work?.cancel()
    }

    func abandon() {
        isAbandoned = true
        work?.cancel()
    }

    private func perform() async -> AttemptOutcome {
        do {
            try progress.begun(attempt)
            if let webhook = task.webhookTask { return try await call(webhook) }
            if let airflow = task.airflowTask, let client = context.airflow {
                return try await AirflowRun(
                    context: context, client: client, task: airflow, runID: attemptID
                ).perform()
            }
            return .failure(
                ErrorCode.unsupported.name,
                "The scheduler knows no Airflow. Set AIRFLOW_BASE_URL, AIRFLOW_USERNAME and AIRFLOW_PASSWORD.")
        } catch {
            let failure = HarbourError.wrap(error)
            if isStopping, !isAbandoned, let airflow = task.airflowTask, let client = context.airflow {
                await AirflowRun(context: context, client: client, task: airflow, runID: attemptID).stop()
            }
            if isStopping || failure.code == .cancelled { return .interrupted() }
            return .failure(failure.code.name, failure.message)
        }
    }

    private func call(_ webhook: WebhookTask) async throws -> AttemptOutcome {
        guard JobGraph.isWebAddress(webhook.url) else {
            throw HarbourError(.invalidParameter, "\(webhook.url) is neither an http nor an https address.")
        }
        let body = Array((webhook.body ?? "").utf8)
        var request = WebRequest(
            method: HTTPMethod(webhook.method ?? "POST"), url: webhook.url, body: body.isEmpty ? .empty : .bytes(body))
        if !body.isEmpty { request.fields["content-type"] = "application/json" }
        for (name, value) in webhook.headers ?? [:] { request.fields[name] = value }
        request.fields["idempotency-key"] = attemptID
        context.signer?.sign(&request, body)
        let response = try await context.web.send(request, deadline: .now + .seconds(300))
        let text = String(decoding: try await response.collect(limit: 64 << 10), as: UTF8.self)
        guard response.status < 300 else {
            return .failure(
                "WEBHOOK_FAILED", "\(webhook.url) answered with \(response.status): \(text.prefix(500))")
        }
        return .success(exitValue: text)
    }
}

/// Signs what is sent to others: HMAC-SHA256 over the time and the body, so that a receiver can tell it is from us and
/// new.
struct WebhookSigner: Sendable {
    let secret: String

    func sign(_ request: inout WebRequest, _ body: [UInt8], at now: Timestamp = .now) {
        let time = String(now.milliseconds / 1000)
        request.fields["x-harbour-timestamp"] = time
        request.fields["x-harbour-signature"] = "sha256=" + signature(time, body)
    }

    /// The signature of a body sent at a time, in hexadecimal.
    func signature(_ time: String, _ body: [UInt8]) -> String {
        hexadecimal(HMAC.sha256(key: Array(secret.utf8), Array("\(time).".utf8), body))
    }
}
