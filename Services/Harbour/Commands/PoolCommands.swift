internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// `harbour clusters pools`.
enum PoolCommands {
    private static let pool = Argument(name: "pool", help: "the id of the pool")
    private static let keeping: [Flag] = [
        .value("min-idle", "N", "Clusters kept ready; 0 when absent"),
        .value("max-capacity", "N", "The most clusters of it, used and ready; no limit when absent"),
        .value("idle-minutes", "N", "How long one beyond --min-idle stays ready; 60 when absent"),
    ]
    /// What a pool's clusters are; they come from no pool and end by the pool's rules.
    private static let specFlags = ClusterSpecFlags.all.filter { !["idle-minutes", "pool"].contains($0.name) }

    static let group = Command(
        name: "pools", summary: "Pools: clusters kept ready, so that a new one runs at once.",
        subcommands: [
            Command(name: "list", summary: "List the pools.", run: list),
            Command(
                name: "create", summary: "Make a pool of clusters that are like this.",
                arguments: [Argument(name: "name", help: "a name for people")],
                flags: keeping + specFlags + [.value("backend", "NAME", "Where its clusters run")], run: create),
            Command(name: "edit", summary: "Change how a pool is kept.", arguments: [pool], flags: keeping, run: edit),
            Command(
                name: "delete", summary: "Delete a pool; clusters taken from it stay.", arguments: [pool],
                run: delete),
        ])

    private static func show(_ pools: [InstancePool], _ terminal: Terminal) {
        terminal.table(
            ["POOL", "NAME", "READY", "STARTING", "USED", "MIN IDLE", "MAX", "MESSAGE"],
            pools.map { pool in
                [
                    pool.instancePoolID, pool.instancePoolName, "\(pool.idleCount)", "\(pool.pendingIdleCount)",
                    "\(pool.usedCount)", "\(pool.minIdleInstances)", pool.maxCapacity.map { "\($0)" } ?? "-",
                    pool.message ?? "",
                ]
            })
    }

    private static func list(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(ClusterAPI.listPools, .init())
        setting.terminal.answer(list)
        show(list.instancePools, setting.terminal)
    }

    private static func create(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let name = invocation.word("name")
        var spec = ClusterSpec(clusterName: name, backend: invocation.value("backend"))
        try ClusterSpecFlags.applyShape(invocation, to: &spec)
        let wish = CreatePool(
            instancePoolName: name, minIdleInstances: try invocation.integer("min-idle", in: 0...100),
            maxCapacity: try invocation.integer("max-capacity", in: 1...10_000),
            idleInstanceAutoterminationMinutes: try invocation.integer("idle-minutes", in: 0...10_000), spec: spec)
        let pool = try await PublicAPI(setting).call(ClusterAPI.createPool, .init(body: wish))
        setting.terminal.answer(pool)
        show([pool], setting.terminal)
    }

    private static func edit(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let id = invocation.word("pool")
        let now = try await api.call(ClusterAPI.getPool, .init(instancePoolID: id))
        let wish = EditPool(
            instancePoolName: now.instancePoolName,
            minIdleInstances: try invocation.integer("min-idle", in: 0...100) ?? now.minIdleInstances,
            maxCapacity: try invocation.integer("max-capacity", in: 1...10_000) ?? now.maxCapacity,
            idleInstanceAutoterminationMinutes: try invocation.integer("idle-minutes", in: 0...10_000)
                ?? now.idleInstanceAutoterminationMinutes)
        let pool = try await api.call(ClusterAPI.editPool, .init(instancePoolID: id, body: wish))
        setting.terminal.answer(pool)
        show([pool], setting.terminal)
    }

    private static func delete(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let id = invocation.word("pool")
        setting.terminal.answer(
            try await PublicAPI(setting).call(ClusterAPI.deletePool, .init(instancePoolID: id)))
        setting.terminal.say("The pool \(id) is gone.")
    }
}
