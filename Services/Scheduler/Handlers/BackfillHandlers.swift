internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of backfills.
struct BackfillHandlers: Sendable {
    let service: BackfillService

    func register(on router: ServiceRouter) {
        let service = service
        router.on(SchedulerAPI.createBackfill) { input, context in
            try await service.create(input.jobID, input.body, user: context.userName)
        }
        router.on(SchedulerAPI.listBackfills) { input, _ in try await service.list(input.jobID) }
        router.on(SchedulerAPI.getBackfill) { input, _ in try await service.get(input.backfillID) }
        router.on(SchedulerAPI.cancelBackfill) { input, _ in try await service.cancel(input.backfillID) }
    }
}
