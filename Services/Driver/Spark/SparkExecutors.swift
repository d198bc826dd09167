internal import Core
internal import Glibc
internal import ServiceKit

/// How the executors on the driver's machine are, as Spark's host tells it.
struct SparkExecutors: Sendable, Hashable {
    /// One that was lost.
    struct Lost: Sendable, Hashable {
        var id: String
        var status: Int?
        var ranOutOfMemory: Bool
        var reason: String
    }

    /// Executors that may stay.
    var running: Int
    /// Those that were told to leave and have not left.
    var leaving: Int
    var lost: [Lost]

    init(_ object: JSONObject) {
        running = max(0, object["running"]?.int ?? 0)
        leaving = max(0, object["leaving"]?.int ?? 0)
        lost = (object["lost"]?.array ?? []).map { value in
            Lost(
                id: value["id"]?.string ?? "", status: value["status"]?.int,
                ranOutOfMemory: value["out_of_memory"]?.bool ?? false, reason: value["reason"]?.string ?? "")
        }
    }

    /// A line of the file that the backend reads (`DriverStart.executorsSeenFileName`).
    func line(_ redactor: Redactor) -> [UInt8] {
        let object: JSONObject = [
            "running": .integer(running), "leaving": .integer(leaving),
            "lost": .array(
                lost.map { lost in
                    var value: JSONObject = [
                        "id": .string(lost.id), "out_of_memory": .bool(lost.ranOutOfMemory),
                        "reason": .string(redactor(lost.reason)),
                    ]
                    if let status = lost.status { value["status"] = .integer(status) }
                    return .object(value)
                }),
        ]
        return object.encodedJSON() + [UInt8(ascii: "\n")]
    }

    /// Appends it to the file, where the backend has made one.
    func append(to path: String, _ redactor: Redactor) {
        let file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return }
        defer { close(file) }
        let bytes = line(redactor)
        _ = write(file, bytes, bytes.count)
    }
}
