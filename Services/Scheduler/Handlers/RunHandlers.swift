internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of runs.
struct RunHandlers: Sendable {
    let service: RunService

    func register(on router: ServiceRouter) {
        let service = service
        router.on(SchedulerAPI.runNow) { input, context in
            try await service.runNow(input.jobID, input.body, user: context.userName)
        }
        router.on(SchedulerAPI.submitRun) { input, context in
            try await service.submit(input.body, user: context.userName)
        }
        router.on(SchedulerAPI.getRun) { input, _ in try await service.get(input.runID) }
        router.on(SchedulerAPI.listRuns) { input, _ in
            try await service.list(
                pageSize: input.pageSize, pageToken: input.pageToken, jobID: input.jobID, backfillID: input.backfillID,
                activeOnly: input.activeOnly ?? false)
        }
        router.on(SchedulerAPI.cancelRun) { input, _ in try await service.cancel(input.runID) }
        router.on(SchedulerAPI.repairRun) { input, context in
            try await service.repair(input.runID, input.body, user: context.userName)
        }
        router.on(SchedulerAPI.getTaskOutput) { input, _ in
            try await service.output(input.runID, taskKey: input.taskKey, attempt: input.attemptNumber)
        }
        router.on(SchedulerAPI.streamRunChanges) { _, context, send in
            // Whoever hears that it is open misses nothing from then on.
            try await service.followChanges(on: context.loop, begun: { try await send.open() }) { try await send($0) }
        }
        router.on(SchedulerAPI.streamRunEvents) { input, _, send in
            try await service.follow(input.runID, after: input.after ?? 0) { try await send($0) }
        }
    }
}
