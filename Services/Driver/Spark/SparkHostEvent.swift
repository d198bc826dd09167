internal import Core
internal import HarbourProtocol

/// What Spark's host tells, one JSON object a line (Libraries/Runtime/README.md section 1).
enum SparkHostEvent {
    case listening(kernelEnvironment: [String: String])
    case ready(SparkReady)
    /// Spark did not start.
    case failed(SparkFailure)
    /// Spark has died.
    case lost(SparkFailure)
    case stats(id: Int64, SparkStats)
    /// Spark runs.
    case alive(id: Int64)
    /// Executors on this machine came or went.
    case executors(SparkExecutors)
    /// A jar was taken, or why it was not.
    case answered(id: Int64, problem: String?)
    /// An answer that needs no reaction, or an event of a newer host.
    case other

    /// Nil for a line that is not an event.
    init?(_ line: String) {
        guard let object = try? JSONObject(checkedJSON: Array(line.utf8)), let name = object["event"]?.string else {
            return nil
        }
        switch name {
        case "listening": self = .listening(kernelEnvironment: SparkHostEvent.environment(object))
        case "ready": self = .ready(SparkReady(object))
        case "failed": self = .failed(SparkFailure(object, fallback: "SPARK_START_FAILED"))
        case "lost": self = .lost(SparkFailure(object, fallback: "SPARK_LOST"))
        case "stats": self = .stats(id: object["id"]?.int64 ?? 0, SparkStats(object))
        case "alive": self = .alive(id: object["id"]?.int64 ?? 0)
        case "executors": self = .executors(SparkExecutors(object))
        case "jar_added": self = .answered(id: object["id"]?.int64 ?? 0, problem: nil)
        case "refused":
            self = .answered(id: object["id"]?.int64 ?? 0, problem: object["message"]?.string ?? "Spark refused it.")
        default: self = .other
        }
    }

    fileprivate static func environment(_ object: JSONObject) -> [String: String] {
        (object["kernel_env"]?.object ?? [:]).reduce(into: [:]) { $0[$1.key] = $1.value.string }
    }
}

/// Spark answers.
struct SparkReady: Sendable {
    var kernelEnvironment: [String: String]
    var info: SparkInfo
    var log: String?
    var timings: [PhaseTiming]

    init(_ object: JSONObject) {
        kernelEnvironment = SparkHostEvent.environment(object)
        info = SparkInfo(
            version: object["spark_version"]?.string ?? "", applicationID: object["application_id"]?.string ?? "",
            uiURL: object["ui_url"]?.string)
        log = object["log"]?.string
        timings = (object["seconds"]?.object ?? [:]).compactMap { name, value in
            guard let seconds = value.double, name != "total", (0...86_400).contains(seconds) else { return nil }
            return PhaseTiming(name: "spark_\(name)", milliseconds: Int64(seconds * 1000))
        }
    }
}

/// Why there is no Spark.
struct SparkFailure: Sendable {
    var code: String
    /// A sentence for the user.
    var message: String
    /// The end of its log.
    var detail: String

    /// How long to wait for the end of Spark's JVM before such an error of Python's is believed to be all there is; nil
    /// for one that says nothing of the JVM. A JVM that is killed lets go of its connections a little before it is gone.
    static func patience(for error: String) -> Duration? {
        switch error {
        case "Py4JNetworkError", "Py4JError": .seconds(1)
        case "ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError": .zero
        default: nil
        }
    }

    init(code: String, message: String, detail: String = "") {
        self.code = code
        self.message = message
        self.detail = detail
    }

    init(_ object: JSONObject, fallback: String) {
        code = object["code"]?.string ?? fallback
        message = object["message"]?.string ?? "Spark does not run."
        detail = object["detail"]?.string ?? ""
    }
}

/// What Spark is doing.
struct SparkStats: Sendable, Hashable {
    /// Executors that are alive, the driver's own left out unless it is the only one.
    var executors = 0
    var activeTasks: Int64 = 0
    /// Tasks of running stages that wait for a core.
    var pendingTasks: Int64 = 0
    /// Structured streams that run.
    var streams: Int64 = 0
    var completedTasks: Int64 = 0
    var failedTasks: Int64 = 0
    var activeJobs: Int64 = 0
    var activeStages: Int64 = 0
    var heapUsed: Int64 = 0
    var heapMaximum: Int64 = 0

    init() {}

    init(_ object: JSONObject) {
        let all = object["executors"]?.array ?? []
        executors = all.count { $0["is_active"]?.bool == true && $0["id"]?.string != "driver" }
        completedTasks = all.reduce(0) { $0 + ($1["completed_tasks"]?.int64 ?? 0) }
        failedTasks = all.reduce(0) { $0 + ($1["failed_tasks"]?.int64 ?? 0) }
        activeTasks = object["active_tasks"]?.int64 ?? 0
        pendingTasks = object["pending_tasks"]?.int64 ?? 0
        streams = object["streams"]?.int64 ?? 0
        activeJobs = object["active_jobs"]?.int64 ?? 0
        activeStages = object["active_stages"]?.int64 ?? 0
        heapUsed = object["heap_used"]?.int64 ?? 0
        heapMaximum = object["heap_max"]?.int64 ?? 0
    }
}
