import Core
import HarbourProtocol
import ServiceClients

/// What a run has told of itself: all its events, in order.
struct RunLog: Sendable {
    let events: [RunEvent]

    var sequences: [Int64] { events.map(\.sequence) }

    /// What cells have printed, by task, attempt and cell.
    var printed: [String: String] {
        var texts: [String: String] = [:]
        for event in events where event.type == .cell && event.event?.type == .stream {
            let cell = "\(event.taskKey ?? "") \(event.attemptNumber ?? -1) \(event.cellID ?? "")"
            texts[cell, default: ""] += event.event?.text ?? ""
        }
        return texts
    }

    /// Everything printed in one attempt of a task, in order.
    func text(of task: String, attempt: Int = 0) -> String {
        var text = ""
        for event in events where event.type == .cell && event.taskKey == task && event.attemptNumber == attempt {
            if event.event?.type == .stream { text += event.event?.text ?? "" }
        }
        return text
    }

    /// Reads the events from the first one to the last, following the run to its end, through restarts of services.
    static func read(_ runID: Int64, _ platform: PlatformUnderTest) async throws -> RunLog {
        var events: [RunEvent] = []
        let stream = try await platform.api.stream(
            SchedulerAPI.streamRunEvents, .init(runID: runID), context: CallContext(), patience: .seconds(120))
        for try await event in stream { events.append(event) }
        return RunLog(events: events)
    }
}

/// The notebook that an attempt leaves behind, in Jupyter's format.
struct ExecutedNotebook: Sendable {
    let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    private var outputs: [JSONValue] { (json["cells"]?.array ?? []).flatMap { $0["outputs"]?.array ?? [] } }

    /// The media types of everything shown.
    var kinds: Set<String> {
        Set(outputs.flatMap { output in (output["data"]?.object ?? [:]).map { $0.key } })
    }

    /// The names of exceptions in it.
    var errors: [String] {
        outputs.filter { $0["output_type"]?.string == "error" }.map { $0["ename"]?.string ?? "" }
    }

    /// Everything printed, in order.
    var text: String {
        outputs.filter { $0["output_type"]?.string == "stream" }.map { ExecutedNotebook.text($0["text"]) }.joined()
    }

    /// nbformat writes a text as one string or as a list of lines.
    private static func text(_ value: JSONValue?) -> String {
        value?.string ?? (value?.array ?? []).compactMap(\.string).joined()
    }
}
