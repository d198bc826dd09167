internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// `harbour clusters`.
enum ClusterCommands {
    private static let cluster = Argument(name: "cluster", help: "the id of the cluster")

    static let group = Command(
        name: "clusters", summary: "Clusters: where notebooks and jobs run.",
        subcommands: [
            Command(name: "list", summary: "List the clusters, newest first.", run: list),
            Command(
                name: "create", summary: "Make a cluster and start it.",
                arguments: [Argument(name: "name", help: "a name for people")],
                flags: [
                    .value("workers", "N", "Worker processes; 0 when absent, which runs Spark inside the driver"),
                    .value("backend", "NAME", "Where it runs; the first backend of the platform when absent"),
                    .value("driver-memory", "MIB", "Memory of the driver"),
                    .value("worker-memory", "MIB", "Memory of each worker"),
                    .value("worker-cores", "N", "Cores of each worker"),
                    .value("idle-minutes", "N", "Ends after that long without activity; 0 never; 60 when absent"),
                    .toggle("wait", "Wait until it runs"),
                ], run: create),
            Command(name: "show", summary: "Show a cluster.", arguments: [cluster], run: show),
            Command(name: "start", summary: "Start a cluster that has ended.", arguments: [cluster], run: start),
            Command(
                name: "terminate", summary: "End a cluster; it can be started again.", arguments: [cluster],
                run: terminate),
            Command(name: "delete", summary: "End a cluster and forget it.", arguments: [cluster], run: delete),
            Command(name: "events", summary: "Show what happened to a cluster.", arguments: [cluster], run: events),
            Command(
                name: "logs", summary: "Show the logs of a cluster.", arguments: [cluster],
                flags: [.toggle("follow", "Go on with what comes")], run: logs),
        ])

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
        let spec = ClusterSpec(
            clusterName: invocation.word("name"), backend: invocation.value("backend"),
            numWorkers: try invocation.integer("workers", in: 0...1000) ?? 0,
            driverMemoryMB: try invocation.integer("driver-memory", in: 512...16_777_216),
            workerCores: try invocation.integer("worker-cores", in: 1...1024),
            workerMemoryMB: try invocation.integer("worker-memory", in: 512...16_777_216),
            autoterminationMinutes: try invocation.integer("idle-minutes", in: 0...10_000))
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
        show(
            try await PublicAPI(setting).call(
                ClusterAPI.getCluster, .init(clusterID: invocation.word("cluster"))), setting.terminal)
    }

    private static func show(_ info: ClusterInfo, _ terminal: Terminal) {
        terminal.answer(info)
        terminal.say("\(info.clusterID), \(info.spec.clusterName): \(info.state.rawValue) \(info.stateMessage)")
        if let reason = info.terminationReason {
            terminal.say("It ended because of \(reason.code) (\(reason.type.rawValue)).")
        }
        if let spark = info.spark {
            terminal.say("Spark \(spark.version), \(spark.applicationID), \(spark.uiURL ?? "")")
        }
        for phase in info.phases ?? [] {
            terminal.say("  \(phase.name): \(Terminal.duration(milliseconds: phase.milliseconds))")
        }
    }

    private static func start(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let info = try await api.call(ClusterAPI.startCluster, .init(clusterID: invocation.word("cluster")))
        show(info, setting.terminal)
    }

    private static func terminate(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let info = try await PublicAPI(setting).call(
            ClusterAPI.terminateCluster, .init(clusterID: invocation.word("cluster"), body: TerminateCluster()))
        show(info, setting.terminal)
    }

    private static func delete(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let answer = try await PublicAPI(setting).call(
            ClusterAPI.deleteCluster, .init(clusterID: invocation.word("cluster")))
        setting.terminal.say("Cluster \(invocation.word("cluster")) is gone.")
        setting.terminal.answer(answer)
    }

    private static func events(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(
            ClusterAPI.listClusterEvents, .init(clusterID: invocation.word("cluster"), pageSize: 200))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["TIME (UTC)", "EVENT", "MESSAGE"],
            list.events.reversed().map { [Show.time($0.timestamp), $0.type, $0.message ?? ""] })
    }

    private static func logs(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let lines = try await PublicAPI(setting).client.stream(
            ClusterAPI.streamClusterLogs,
            .init(clusterID: invocation.word("cluster"), follow: invocation.has("follow")), context: CallContext())
        for try await line in lines {
            setting.terminal.answer(line)
            setting.terminal.say("\(Show.time(line.timestamp)) \(line.source): \(line.text)")
        }
    }
}
