internal import Core
internal import HarbourProtocol
internal import Postgres

/// The jobs that were deleted and can still be brought back.
struct DeletedJobStore: Sendable {
    let pool: PostgresPool
    /// For how many days they stay.
    let days: Int

    /// Those deleted before a place in the list, the newest first. What they are to do is not read.
    func list(before place: (time: Timestamp, jobID: Int64)?, limit: Int) async throws -> [DeletedJob] {
        let before: SQL = place.map { "AND (deleted_at, job_id) < (\($0.time), \($0.jobID))" } ?? ""
        let rows = try await pool.query(
            """
            SELECT job_id, name, creator, deleted_at, deleted_by, \(unescaped: JobStore.activeRuns) FROM jobs
            WHERE deleted_at IS NOT NULL \(before)
            ORDER BY deleted_at DESC, job_id DESC LIMIT \(Int64(limit))
            """)
        return try rows.map { row in
            let (id, name, creator, time, user, active) = try row.decode(
                (Int64.self, String.self, String.self, Timestamp.self, String?.self, Int.self))
            return DeletedJob(
                jobID: id, name: name, creatorUserName: creator, deletedTime: time, deletedBy: user,
                forgetTime: time + .seconds(86_400 * days), activeRuns: active)
        }
    }
}
