import Configuration
import Core
import HarbourProtocol
import Lifecycle
import Postgres
import ServiceKit

/// A service of two endpoints for load generators: `GET /api/v1/jobs/{job_id}` from memory, and
/// `GET /api/v1/runs/{run_id}` with one read by key from PostgreSQL. `fastapi.py` does the same.
enum ServiceBenchmark {
    private static let database = Option<String>.string(
        "benchmark-database", help: "The database with the table that fastapi.sh makes."
    ).optional()

    static func run(_ arguments: [String]) -> Int32 {
        ServiceRuntime.main(definition, arguments: arguments)
    }

    private static let definition = ServiceDefinition(
        name: "scheduler", summary: "A service to be measured.", defaultPort: 0, hasDatabase: false,
        ownOptions: [database], document: SchedulerAPI.document
    ) { environment, router in
        let job = JSONBenchmark.job(1)
        router.onSync(SchedulerAPI.getJob) { input, _ throws -> Job in
            var job = job
            job.jobID = input.jobID
            return job
        }
        guard let url = environment.configuration[database] else { return [] }
        let pool = PostgresPool(
            configuration: PostgresConfiguration(url: url, maxConnections: 8), loop: environment.loop)
        router.on(SchedulerAPI.getRun) { input, _ async throws -> Run in
            let rows = try await pool.read(
                "SELECT run_id, name, state, created FROM benchmark_runs WHERE run_id = \(input.runID)")
            guard let row = rows.first else {
                throw HarbourError(.notFound, "Run \(input.runID) does not exist. List the runs to see which do.")
            }
            let (id, name, state, created) = try row.decode((Int64.self, String.self, String.self, Int64.self))
            return Run(
                runID: id, runName: name,
                state: RunState(lifeCycleState: LifeCycleState(rawValue: state) ?? .internalError, stateMessage: ""),
                trigger: .oneTime, creatorUserName: "ada", createdTime: Timestamp(milliseconds: created), tasks: [])
        }
        return [
            LifecycleComponent(
                "database", start: { try await pool.waitUntilReady() }, drain: { await pool.drain(budget: $0) })
        ]
    }
}
