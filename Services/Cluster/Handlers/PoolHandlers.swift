internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of pools.
struct PoolHandlers: Sendable {
    let engine: ClusterEngine

    func register(on router: ServiceRouter) {
        router.on(ClusterAPI.createPool) { [engine] input, context in
            try await engine.createPool(input.body, creator: context.userName)
        }
        router.on(ClusterAPI.listPools) { [engine] _, _ in await engine.listPools() }
        router.on(ClusterAPI.getPool) { [engine] input, _ in
            try await engine.getPool(input.instancePoolID)
        }
        router.on(ClusterAPI.editPool) { [engine] input, _ in
            try await engine.editPool(input.instancePoolID, input.body)
        }
        router.on(ClusterAPI.deletePool) { [engine] input, _ in
            try await engine.deletePool(input.instancePoolID)
            return Empty()
        }
    }
}
