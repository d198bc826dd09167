import Core
import HTTPServer
import HarbourProtocol
import ServiceKit
import ServiceTestKit
import Synchronization
import Testing

/// A scheduler with one job of ada's that runs, and one run of somebody else's; it tells changes when it is asked to.
final class SampleScheduler: Sendable {
    private let calls = Mutex<[String]>([])
    private let changes: AsyncStream<RunChange>
    private let input: AsyncStream<RunChange>.Continuation
    /// How many follow all runs, and how often somebody began to.
    let followers = Atomic<Int>(0)
    let follows = Atomic<Int>(0)
    /// How often it says next that it cannot say whose a run is.
    let refusals = Atomic<Int>(0)

    init() { (changes, input) = AsyncStream.makeStream() }

    /// What changed something, in order.
    var took: [String] { calls.withLock { $0 } }

    func tell(_ change: RunChange) { input.yield(change) }

    /// Breaks the streams of those who follow.
    func hangUp() { input.yield(SampleScheduler.change(0, "")) }

    static func change(
        _ runID: Int64, _ creator: String, _ state: LifeCycleState = .running, job: Int64? = 7
    ) -> RunChange {
        RunChange(
            runID: runID, jobID: job, runName: "nightly", state: RunState(lifeCycleState: state, stateMessage: ""),
            creatorUserName: creator, tasks: 2, endedTasks: 1, createdTime: .now)
    }

    private static func run(_ id: Int64, _ creator: String, job: Int64?, isActive: Bool) -> Run {
        let state = RunState(
            lifeCycleState: isActive ? .running : .terminated, resultState: isActive ? nil : .success, stateMessage: "")
        let attempt = Attempt(
            attemptNumber: 0, attemptID: "a", state: state, clusterID: "run-\(id)", startTime: .now)
        return Run(
            runID: id, jobID: job, runName: "nightly", state: state, trigger: .oneTime, creatorUserName: creator,
            createdTime: .now, endTime: isActive ? nil : .now,
            tasks: [RunTask(taskKey: "main", state: state, attempts: [attempt])])
    }

    private static let notebook: JSONValue = [
        "cells": [
            [
                "outputs": [
                    ["output_type": "stream", "text": ["hel", "lo\n"]],
                    ["output_type": "execute_result", "data": ["text/plain": "42"]],
                    ["output_type": "error", "ename": "ZeroDivisionError", "evalue": "by zero"],
                ]
            ]
        ]
    ]

    private func note(_ text: String) { calls.withLock { $0.append(text) } }

    private func definition() -> ServiceDefinition {
        ServiceDefinition(name: "scheduler", summary: "A sample.", defaultPort: 0, hasDatabase: false) {
            [self] _, router in
            router.on(SchedulerAPI.createJob) { [self] input, context in
                note("createJob \(context.userName) \(input.body.name)")
                return Job(
                    jobID: 7, creatorUserName: context.userName, createdTime: .now, updatedTime: .now,
                    settings: input.body)
            }
            router.on(SchedulerAPI.getJob) { input, _ in
                Job(
                    jobID: input.jobID, creatorUserName: input.jobID == 7 ? "ada" : "bob", createdTime: .now,
                    updatedTime: .now,
                    settings: JobSpec(name: "j", tasks: [TaskSpec(taskKey: "main")]))
            }
            router.on(SchedulerAPI.getJobOwner) { input, _ in
                JobOwner(creatorUserName: input.jobID == 7 ? "ada" : "bob")
            }
            router.on(SchedulerAPI.listJobOwners) { input, _ in
                JobOwnerList(
                    owners: input.body.jobIds.map {
                        OwnedJob(jobID: $0, creatorUserName: $0 == 7 ? "ada" : "bob")
                    })
            }
            router.on(SchedulerAPI.runNow) { [self] input, context in
                note("runNow \(context.userName) \(input.jobID)")
                return RunCreated(runID: 70)
            }
            router.on(SchedulerAPI.cancelRun) { input, _ in
                SampleScheduler.run(input.runID, "ada", job: 7, isActive: true)
            }
            registerReading(on: router)
            return []
        }
    }

    private func registerReading(on router: ServiceRouter) {
        router.on(SchedulerAPI.listRuns) { input, _ in
            let mine = SampleScheduler.run(71, "ada", job: 7, isActive: true)
            let others = SampleScheduler.run(60, "bob", job: 6, isActive: false)
            // More than one page of them.
            if input.jobID != nil, input.activeOnly == true {
                if input.pageToken == nil { return RunList(runs: [mine], nextPageToken: "2") }
                return RunList(runs: [SampleScheduler.run(72, "ada", job: 7, isActive: true)])
            }
            if input.jobID != nil || input.activeOnly == true { return RunList(runs: [mine]) }
            return RunList(runs: [mine, others])
        }
        router.on(SchedulerAPI.countRuns) { [self] input, _ in
            let day = String(ISO8601.format(.now).prefix(10))
            note("countRuns \(input.since.milliseconds % 86_400_000)")
            return RunCountList(counts: [
                RunCount(jobID: 7, creatorUserName: "ada", date: day, succeeded: 0, failed: 0, canceled: 0, active: 1),
                RunCount(
                    jobID: 6, creatorUserName: "bob", date: day, succeeded: 4000, failed: 0, canceled: 0, active: 0),
            ])
        }
        router.on(SchedulerAPI.listJobs) { _, _ in JobList(jobs: []) }
        router.on(SchedulerAPI.getRun) { [self] input, _ in
            if refusals.load(ordering: .relaxed) > 0 {
                refusals.subtract(1, ordering: .relaxed)
                throw HarbourError(.resourceExhausted, "Too much is asked for. Try again.")
            }
            return SampleScheduler.run(input.runID, "bob", job: 6, isActive: false)
        }
        router.on(SchedulerAPI.streamRunEvents) { input, _, send in
            for number in (input.after ?? 0)..<3 {
                try await send(
                    RunEvent(sequence: number + 1, timestamp: .now, type: .taskState, taskKey: "main", attemptNumber: 0)
                )
            }
        }
        router.on(SchedulerAPI.getTaskOutput) { input, _ in
            TaskOutput(
                runID: input.runID, taskKey: input.taskKey, attemptNumber: 0,
                state: RunState(lifeCycleState: .terminated, stateMessage: ""), notebook: SampleScheduler.notebook,
                truncated: false)
        }
        router.on(SchedulerAPI.streamRunChanges) { [self] _, _, send in
            followers.add(1, ordering: .relaxed)
            follows.add(1, ordering: .relaxed)
            defer { followers.subtract(1, ordering: .relaxed) }
            try await send.open()
            for await change in changes {
                if change.runID == 0 { throw HarbourError(.unavailable, "The scheduler is started anew.") }
                try await send(change)
            }
        }
    }

    private static func clusters() -> ServiceDefinition {
        ServiceDefinition(name: "cluster", summary: "A sample.", defaultPort: 0, hasDatabase: false) { _, router in
            router.on(ClusterAPI.listClusters) { _, _ in ClusterList(clusters: []) }
            router.on(ClusterAPI.getCluster) { input, _ in
                throw HarbourError(.notFound, "Cluster \(input.clusterID) does not exist.")
            }
            return []
        }
    }

    private static func monitoring() -> ServiceDefinition {
        ServiceDefinition(name: "monitoring", summary: "A sample.", defaultPort: 0, hasDatabase: false) { _, router in
            router.on(MonitoringAPI.getMonitoringOverview) { _, _ in
                MonitoringOverview(
                    system: SystemMetrics(
                        processors: 2, loadAverage: 0.5, memoryTotalBytes: 8, memoryAvailableBytes: 4,
                        diskTotalBytes: 2, diskAvailableBytes: 1), services: [], up: 4, down: 0)
            }
            return []
        }
    }

    /// Runs the body with a workspace in front of it.
    func run(_ body: @escaping @Sendable (Workspace) async throws -> Void) async throws {
        try await withService(definition(), hasDatabase: false) { scheduler in
            try await withService(SampleScheduler.clusters(), hasDatabase: false) { cluster in
                try await withService(SampleScheduler.monitoring(), hasDatabase: false) { monitoring in
                    try await Workspace.run(
                        upstreams: [
                            "scheduler": scheduler.baseURL, "cluster": cluster.baseURL,
                            "monitoring": monitoring.baseURL,
                        ], body)
                }
            }
        }
    }
}
