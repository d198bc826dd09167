internal import Core
internal import Postgres
internal import Synchronization

extension ErrorCode {
    /// The row of a run, or of its tasks, cannot be read; others are not held up by it.
    static let runUnreadable = ErrorCode("RUN_RECORD_UNREADABLE", status: 500)
    /// The row of a job cannot be read; others are not held up by it.
    static let jobUnreadable = ErrorCode("JOB_RECORD_UNREADABLE", status: 500)
}

/// Rows that cannot be read, such as what a newer version has left behind: each is logged, and passed over.
enum Unreadable {
    /// The rows that can be read.
    static func skipping<Value>(
        _ rows: PostgresRows, id name: String, code: ErrorCode, _ skip: (Int64) -> Void = { _ in },
        _ decode: (PostgresRow) throws -> Value
    ) throws -> [Value] {
        var values: [Value] = []
        for row in rows {
            let id = try row[name, as: Int64.self]
            do { values.append(try decode(row)) } catch {
                log(code, id, error)
                skip(id)
            }
        }
        return values
    }

    /// - Parameter id: of the run or the job.
    static func log(_ code: ErrorCode, _ id: Int64, _ error: any Error) {
        Logger("scheduler").error(
            "a row cannot be read and is passed over",
            ["code": code.name, "id": Int(id), "error": HarbourError.describe(error)])
    }
}

/// The runs whose ends cannot be told by this process, so that it does not try them for ever.
final class UnreadableRuns: Sendable {
    private let runs = Mutex<Set<Int64>>([])

    var ids: [Int64] { runs.withLock { $0.sorted() } }
    func insert(_ runID: Int64) { runs.withLock { _ = $0.insert(runID) } }
}
