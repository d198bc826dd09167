internal import Core
internal import HarbourProtocol

/// Jobs as people name them on the command line.
enum JobNames {
    static let argument = Argument(name: "job", help: "the id or the name of the job")
}

extension PublicAPI {
    /// The job that a person means: by its id, or by its name when one job alone has it.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when there is none, `RESOURCE_CONFLICT` when several have that name.
    func job(_ text: String) async throws -> Job {
        if let jobID = Int64(text), jobID > 0 {
            do {
                return try await call(SchedulerAPI.getJob, .init(jobID: jobID))
            } catch let error as HarbourError where error.code == .notFound {
                if let job = try await job(named: text) { return job }
                throw error
            }
        }
        if let job = try await job(named: text) { return job }
        throw HarbourError(.notFound, "There is no job named \(text). See harbour jobs list.")
    }

    /// The job of a name; nil when there is none.
    func job(named name: String) async throws -> Job? {
        let jobs = try await call(SchedulerAPI.listJobs, .init(pageSize: 20, name: name)).jobs
        guard jobs.count > 1 else { return jobs.first }
        throw HarbourError(
            .conflict,
            "\(jobs.count) jobs have the name \(name). Say which by its id: "
                + "\(jobs.map { String($0.jobID) }.joined(separator: ", ")).")
    }
}
