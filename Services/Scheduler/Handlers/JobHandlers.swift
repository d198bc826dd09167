internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of jobs.
struct JobHandlers: Sendable {
    let service: JobService

    func register(on router: ServiceRouter) {
        let service = service
        router.on(SchedulerAPI.createJob) { input, context in
            try await service.create(
                input.body, isUnique: input.uniqueName ?? false, token: input.idempotencyToken, user: context.userName)
        }
        router.on(SchedulerAPI.checkJob) { input, _ in
            try service.check(input.body, withYAML: input.yaml ?? false)
        }
        router.on(SchedulerAPI.listJobs) { input, _ in
            try await service.list(pageSize: input.pageSize, pageToken: input.pageToken, name: input.name)
        }
        router.on(SchedulerAPI.getJob) { input, _ in try await service.get(input.jobID) }
        router.on(SchedulerAPI.getJobStats) { input, _ in try await service.stats(input.jobID, days: input.days) }
        router.on(SchedulerAPI.updateJob) { input, _ in
            try await service.update(input.jobID, input.body, ifUpdatedAt: input.ifUpdatedTime)
        }
        router.on(SchedulerAPI.listDeletedJobs) { input, _ in
            try await service.listDeleted(pageSize: input.pageSize, pageToken: input.pageToken)
        }
        router.on(SchedulerAPI.deleteJob) { input, context in
            try await service.delete(input.jobID, user: context.userName)
            return Empty()
        }
        router.on(SchedulerAPI.restoreJob) { input, _ in try await service.restore(input.jobID) }
        router.on(SchedulerAPI.streamJobChanges) { _, context, send in
            // Whoever hears that it is open misses nothing from then on.
            try await service.followChanges(on: context.loop, begun: { try await send.open() }) { try await send($0) }
        }
        router.on(SchedulerAPI.countRuns) { input, _ in try await service.counts(since: input.since) }
        router.on(SchedulerAPI.getJobOwner) { input, _ in try await service.owner(input.jobID) }
        router.on(SchedulerAPI.listJobOwners) { input, _ in try await service.owners(of: input.body.jobIds) }
    }
}
