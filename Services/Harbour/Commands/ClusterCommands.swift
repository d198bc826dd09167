internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// `harbour clusters`.
enum ClusterCommands {
    private static let cluster = Argument(name: "cluster", help: "the id of the cluster, or its name")

    static let group = Command(
        name: "clusters", summary: "Clusters: where notebooks and jobs run.",
        subcommands: [
            Command(name: "list", summary: "List the clusters, newest first.", run: list),
            Command(
                name: "create", summary: "Make a cluster and start it.",
                arguments: [Argument(name: "name", help: "a name for people")],
                flags: ClusterSpecFlags.all + [
                    .value("backend", "NAME", "Where it runs; the first backend of the platform when absent"),
                    .toggle("wait", "Wait until it runs"),
                ], run: create),
            Command(name: "show", summary: "Show a cluster.", arguments: [cluster], run: show),
            Command(name: "start", summary: "Start a cluster that has ended.", arguments: [cluster], run: start),
            Command(
                name: "restart", summary: "Restart a running cluster.", arguments: [cluster],
                run: { try await ClusterChanges.call($0, ClusterAPI.restartCluster) { .init(clusterID: $0) } }),
            Command(
                name: "resize", summary: "Change the number of workers of a running cluster.", arguments: [cluster],
                flags: [
                    .value("workers", "N", "That many workers"),
                    .value("autoscale", "MIN-MAX", "Between so many workers, by the work that waits"),
                ], run: ClusterChanges.resize),
            Command(
                name: "edit", summary: "Change what a cluster is; one that runs is restarted.",
                arguments: [cluster],
                flags: ClusterSpecFlags.all + [.value("name", "NAME", "A name for people")],
                run: ClusterChanges.edit),
            Command(
                name: "pin", summary: "Keep a cluster until it is unpinned.", arguments: [cluster],
                run: { try await ClusterChanges.call($0, ClusterAPI.pinCluster) { .init(clusterID: $0) } }),
            Command(
                name: "unpin", summary: "Let a cluster be deleted.", arguments: [cluster],
                run: { try await ClusterChanges.call($0, ClusterAPI.unpinCluster) { .init(clusterID: $0) } }),
            Command(
                name: "terminate", summary: "End a cluster; it can be started again.", arguments: [cluster],
                run: terminate),
            Command(name: "delete", summary: "End a cluster and forget it.", arguments: [cluster], run: delete),
            Command(name: "events", summary: "Show what happened to a cluster.", arguments: [cluster], run: events),
        ] + ClusterLogCommands.all + [LibraryCommands.command] + PolicyCommands.all + [PoolCommands.group])

    private static func list(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(ClusterAPI.listClusters, .init(pageSize: 500))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["CLUSTER", "NAME", "STATE", "BACKEND", "WORKERS", "LAST USED (UTC)", "MESSAGE"],
            list.clusters.map { cluster in
                [
                    cluster.clusterID, cluster.spec.clusterName, cluster.state.rawValue, cluster.backend,
                    "\(cluster.spec.numWorkers ?? 0)", Show.time(cluster.lastActivityTime), cluster.stateMessage,
                ]
            })
    }

    private static func create(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        var spec = ClusterSpec(clusterName: invocation.word("name"), backend: invocation.value("backend"))
        try ClusterSpecFlags.apply(invocation, to: &spec)
        var info = try await api.call(ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec)))
        setting.terminal.say("Cluster \(info.clusterID) is being started.")
        if invocation.has("wait") { info = try await awaitRunning(info, api, setting.terminal) }
        setting.terminal.answer(info)
    }

    private static func awaitRunning(_ info: ClusterInfo, _ api: PublicAPI, _ terminal: Terminal) async throws
        -> ClusterInfo
    {
        let states = try await api.client.stream(
            ClusterAPI.watchCluster, .init(clusterID: info.clusterID), context: CallContext())
        for try await state in states {
            terminal.progress("\(state.state.rawValue) \(state.stateMessage)")
            switch state.state {
            case .running: return state
            case .terminated, .error:
                throw HarbourError(
                    ErrorCode("CLUSTER_START_FAILED", status: 503),
                    "The cluster did not come up: \(state.stateMessage)")
            default: continue
            }
        }
        throw HarbourError(.unavailable, "The cluster service stopped telling about \(info.clusterID).")
    }

    private static func show(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let id = try await api.clusterID(invocation.word("cluster"))
        show(try await api.call(ClusterAPI.getCluster, .init(clusterID: id)), setting.terminal)
    }

    static func show(_ info: ClusterInfo, _ terminal: Terminal) {
        terminal.answer(info)
        terminal.say("\(info.clusterID), \(info.spec.clusterName): \(info.state.rawValue) \(info.stateMessage)")
        if let reason = info.terminationReason {
            terminal.say("It ended because of \(reason.code) (\(reason.type.rawValue)).")
        }
        if let spark = info.spark {
            terminal.say("Spark \(spark.version), \(spark.applicationID), \(spark.uiURL ?? "")")
        }
        if let workers = info.workers, workers > 0 { terminal.say("It has \(workers) workers.") }
        if let idle = info.autoTermination {
            if !idle.busyWith.isEmpty {
                terminal.say("It is busy with \(idle.busyWith.joined(separator: ", ")).")
            }
            if let rest = idle.remainingMs {
                terminal.say("It ends in \(Terminal.duration(milliseconds: rest)) unless it is used.")
            }
        }
        if info.pinned == true { terminal.say("It is pinned.") }
        for note in info.notes ?? [] { terminal.say(note) }
        for phase in info.phases ?? [] {
            terminal.say("  \(phase.name): \(Terminal.duration(milliseconds: phase.milliseconds))")
        }
    }

    private static func start(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let id = try await api.clusterID(invocation.word("cluster"))
        let info = try await api.call(ClusterAPI.startCluster, .init(clusterID: id))
        show(info, setting.terminal)
    }

    private static func terminate(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let id = try await api.clusterID(invocation.word("cluster"))
        let info = try await api.call(
            ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
        show(info, setting.terminal)
    }

    private static func delete(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let id = try await api.clusterID(invocation.word("cluster"))
        let answer = try await api.call(ClusterAPI.deleteCluster, .init(clusterID: id))
        setting.terminal.say("Cluster \(id) is gone.")
        setting.terminal.answer(answer)
    }

    private static func events(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let id = try await api.clusterID(invocation.word("cluster"))
        let list = try await api.call(ClusterAPI.listClusterEvents, .init(clusterID: id, pageSize: 200))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["TIME (UTC)", "EVENT", "MESSAGE"],
            list.events.reversed().map { [Show.time($0.timestamp), $0.type, $0.message ?? ""] })
    }
}
