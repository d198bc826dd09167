// The peer takes its names from the JSON.
// swift-format-ignore-file: AlwaysUseLowerCamelCase
import Core
import Foundation
import HarbourProtocol

/// Encodes and decodes a list of 100 jobs with the contract's coders and with Foundation's.
enum JSONBenchmark {
    private static let threshold = 15.0

    static func run(_ arguments: [String]) -> Int32 {
        let list = JobList(jobs: (0..<100).map(job), nextPageToken: "WzEsMTAwXQ")
        let bytes = list.encodedJSON(capacity: 1 << 17)
        let data = Data(bytes)
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .millisecondsSince1970
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .millisecondsSince1970
        guard let peer = try? decoder.decode(PeerJobList.self, from: data), let ours = try? JobList(json: bytes),
            ours == list, let back = try? JobList(json: [UInt8](encoder.encode(peer))), back == list
        else {
            print("the two do not agree on the list")
            return 1
        }
        if arguments.contains("--profile-decoder") {
            for _ in 0..<20_000 { keep(try? JobList(json: bytes)) }
            return 0
        }
        let encoding = Measuring.alternate(
            rounds: 15, { keep(list.encodedJSON(capacity: 1 << 17)) }, { keep(try? encoder.encode(peer)) })
        let decoding = Measuring.alternate(
            rounds: 15, { keep(try? JobList(json: bytes)) }, { keep(try? decoder.decode(PeerJobList.self, from: data)) }
        )
        print("100 jobs, \(bytes.count) bytes")
        let encodingRatio = report("encode", encoding, bytes.count)
        let decodingRatio = report("decode", decoding, bytes.count)
        return encodingRatio >= threshold && decodingRatio >= threshold ? 0 : 1
    }

    private static func report(_ name: String, _ times: (first: Double, second: Double), _ size: Int) -> Double {
        let ratio = times.second / times.first
        let speed = Double(size) / times.first / 1e6
        print(
            "\(name): ours \(Int(times.first * 1e6)) µs (\(Int(speed)) MB/s), Foundation \(Int(times.second * 1e6)) µs, "
                + "\((ratio * 10).rounded() / 10) times faster")
        return ratio
    }

    static func job(_ number: Int) -> Job {
        let first = TaskSpec(
            taskKey: "extract",
            notebookTask: NotebookTask(
                notebookPath: "/Shared/nightly/extract", baseParameters: ["day": "2026-11-21", "source": "s3://raw"]),
            jobClusterKey: "small", timeoutSeconds: 3600, maxRetries: 2)
        let second = TaskSpec(
            taskKey: "load", dependsOn: [TaskDependency(taskKey: "extract")],
            notebookTask: NotebookTask(notebookPath: "/Shared/nightly/load"), jobClusterKey: "small")
        let spec = JobSpec(
            name: "Nightly load of region \(number)",
            description: number % 2 == 0 ? "Loads the day's \"orders\" and their returns" : nil,
            tasks: [first, second],
            schedule: JobSchedule(
                quartzCronExpression: "0 0 2 * * ?", timezoneID: "Europe/Berlin", pauseStatus: .unpaused),
            parameters: [JobParameter(name: "day", default: "2026-11-21")], maxConcurrentRuns: 1,
            tags: ["team": "logistics", "stage": "production"])
        return Job(
            jobID: Int64(1000 + number), creatorUserName: "ada.lovelace@example.org",
            createdTime: Timestamp(milliseconds: 1_763_600_000_123),
            updatedTime: Timestamp(milliseconds: 1_763_700_000_456),
            nextFireTime: number % 2 == 0 ? Timestamp(milliseconds: 1_763_800_000_000) : nil, settings: spec)
    }
}

// The same shapes for Foundation's coders, with the names of the wire so that no key has to be translated. Every field of
// the contract is there: a coder looks for those that are absent as well.

/// The place of a field that none of the 100 jobs has.
struct PeerAbsent: Codable {}

struct PeerJobList: Codable {
    var jobs: [PeerJob]
    var next_page_token: String?
}

struct PeerJob: Codable {
    var job_id: Int64
    var creator_user_name: String
    var created_time: Date
    var updated_time: Date
    var next_fire_time: Date?
    var settings: PeerJobSpec
}

struct PeerJobSpec: Codable {
    var name: String
    var description: String?
    var tasks: [PeerTask]
    var job_clusters: [PeerAbsent]?
    var schedule: PeerSchedule?
    var trigger: PeerAbsent?
    var continuous: PeerAbsent?
    var queue: PeerAbsent?
    var parameters: [PeerParameter]?
    var max_concurrent_runs: Int?
    var timeout_seconds: Int?
    var tags: [String: String]?
    var webhook_notifications: PeerAbsent?
}

struct PeerTask: Codable {
    var task_key: String
    var description: String?
    var depends_on: [PeerDependency]?
    var run_if: String?
    var disabled: Bool?
    var notebook_task: PeerNotebookTask?
    var spark_python_task: PeerAbsent?
    var sql_task: PeerAbsent?
    var python_wheel_task: PeerAbsent?
    var shell_task: PeerAbsent?
    var webhook_task: PeerAbsent?
    var airflow_task: PeerAbsent?
    var condition_task: PeerAbsent?
    var run_job_task: PeerAbsent?
    var for_each_task: PeerAbsent?
    var existing_cluster_id: String?
    var job_cluster_key: String?
    var new_cluster: PeerAbsent?
    var timeout_seconds: Int?
    var max_retries: Int?
    var min_retry_interval_millis: Int?
    var max_retry_interval_millis: Int?
    var retry_on_timeout: Bool?
}

struct PeerDependency: Codable {
    var task_key: String
    var outcome: String?
}

struct PeerNotebookTask: Codable {
    var notebook_path: String
    var base_parameters: [String: String]?
}

struct PeerSchedule: Codable {
    enum Pause: String, Codable {
        case unpaused = "UNPAUSED"
        case paused = "PAUSED"
    }
    var quartz_cron_expression: String
    var timezone_id: String
    var pause_status: Pause?
    var missed_fire_policy: String?
}

struct PeerParameter: Codable {
    var name: String
    var `default`: String
}
