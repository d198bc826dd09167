internal import Core
internal import HarbourProtocol
internal import WebClient

/// What people are told of a run.
enum Announcement: String, Sendable {
    case onSuccess = "jobs.on_success"
    case onFailure = "jobs.on_failure"
    case onDurationWarning = "jobs.on_duration_warning_threshold_exceeded"

    init(_ result: TaskResult) { self = result == .success || result == .successWithFailures ? .onSuccess : .onFailure }
}

extension JobSpec {
    /// Whom a thing is told to: web addresses, and `mailto:` for those of mail.
    func destinations(of what: Announcement) -> [String] {
        let (hooks, mails) = (webhookNotifications, emailNotifications)
        return switch what {
        case .onSuccess: urls(hooks?.onSuccess, mails?.onSuccess)
        case .onFailure: urls(hooks?.onFailure, mails?.onFailure)
        case .onDurationWarning:
            urls(hooks?.onDurationWarningThresholdExceeded, mails?.onDurationWarningThresholdExceeded)
        }
    }

    private func urls(_ hooks: [WebhookDestination]?, _ mails: [String]?) -> [String] {
        (hooks ?? []).map(\.url) + (mails ?? []).map { "mailto:\($0)" }
    }

    /// Whether anybody is told of its runs' ends.
    var hasListeners: Bool { webhookNotifications != nil || emailNotifications != nil }

    /// What is wrong with whom it tells.
    var notificationProblem: String? {
        let all: [Announcement] = [.onSuccess, .onFailure, .onDurationWarning]
        for url in all.flatMap(destinations) {
            if url.hasPrefix("mailto:") {
                let address = String(url.dropFirst("mailto:".count))
                if !MailMessage.isAddress(address) { return "\(address) is no e-mail address." }
            } else if !JobGraph.isWebAddress(url) {
                return "Notifications go to http and https addresses; \(url) is none."
            }
        }
        return nil
    }
}

extension RunRow {
    /// What is sent of a run.
    func payload(_ what: Announcement, tasks: [TaskRow]) -> JSONValue {
        let state = record.state(phase: phase, tasks: tasks)
        var job: JSONObject = ["name": .string(runName)]
        job["job_id"] = jobID.map { .integer($0) }
        var run: JSONObject = [
            "run_id": .integer(runID), "life_cycle_state": .string(state.lifeCycleState.rawValue),
            "state_message": .string(state.stateMessage), "run_page_path": .string("/runs/\(runID)"),
        ]
        run["result_state"] = state.resultState.map { .string($0.rawValue) }
        run["error_code"] = state.errorCode.map { .string($0) }
        run["start_time"] = record.startTime.map { .integer($0.milliseconds) }
        run["end_time"] = record.endTime.map { .integer($0.milliseconds) }
        return ["event_type": .string(what.rawValue), "job": .object(job), "run": .object(run)]
    }
}

/// A notification as mail.
extension MailMessage {
    /// - Parameter base: the address of the front door, when the operator has said which it has.
    init(_ notification: DueNotification, base: String?) throws(HarbourError) {
        let payload = try JSONValue(json: Array(notification.payload.utf8), code: .internalError)
        let (job, run) = (payload["job"]?["name"]?.string ?? "", payload["run"] ?? [:])
        let number = run["run_id"]?.int64 ?? 0
        let words =
            switch Announcement(rawValue: payload["event_type"]?.string ?? "") {
            case .onSuccess: "succeeded"
            case .onDurationWarning: "takes longer than expected"
            case .onFailure, nil: "failed"
            }
        var lines = ["Run \(number) of the job \(job) \(words).", ""]
        func add(_ name: String, _ value: String?) {
            if let value, !value.isEmpty { lines.append("\(name): \(value)") }
        }
        add("State", run["result_state"]?.string ?? run["life_cycle_state"]?.string)
        add("Reason", run["error_code"]?.string)
        add("Message", run["state_message"]?.string)
        let (start, end) = (run["start_time"]?.int64, run["end_time"]?.int64)
        add("Started", start.map { ISO8601.format(Timestamp(milliseconds: $0)) })
        add("Ended", end.map { ISO8601.format(Timestamp(milliseconds: $0)) })
        let path = run["run_page_path"]?.string ?? ""
        add("Run", base.map { $0 + path } ?? path)
        self.init(
            recipient: String(notification.url.dropFirst("mailto:".count)),
            subject: "\(job): run \(number) \(words)", text: lines.joined(separator: "\n") + "\n",
            messageID: "notification-\(notification.notificationID)-run-\(number)")
    }
}
