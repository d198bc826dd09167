internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceKit

/// The routes of clusters: decodes, asks the engine, encodes.
struct ClusterHandlers: Sendable {
    let engine: ClusterEngine

    func register(on router: ServiceRouter) {
        registerClusters(router)
        registerChanges(router)
        registerHistory(router)
        PolicyHandlers(engine: engine).register(on: router)
        PoolHandlers(engine: engine).register(on: router)
        ContextHandlers(engine: engine).register(on: router)
    }

    private func registerClusters(_ router: ServiceRouter) {
        router.on(ClusterAPI.createCluster) { [engine] input, context in
            try await engine.create(input.body, creator: context.userName)
        }
        router.on(ClusterAPI.listClusters) { [engine] input, _ in
            let place = try input.pageToken.map { text throws(HarbourError) in
                let token = try PageToken(text, count: 2)
                return (time: Timestamp(milliseconds: try token.int64(0)), id: try token.string(1))
            }
            let state = try input.state.map { name throws(HarbourError) in
                guard let state = ClusterState(rawValue: name) else {
                    let known = ClusterState.allCases.map(\.rawValue).joined(separator: ", ")
                    throw HarbourError(.invalidParameter, "`state` must be one of \(known).")
                }
                return state
            }
            let (clusters, last) = try await engine.list(before: place, state: state, limit: input.pageSize ?? 50)
            let next = last.map { PageToken(.integer($0.createdAt.milliseconds), .string($0.id.text)).text }
            return ClusterList(clusters: clusters, nextPageToken: next)
        }
        router.on(ClusterAPI.getCluster) { [engine] input, _ in
            await (try engine.controller(input.clusterID)).info
        }
        router.on(ClusterAPI.startCluster) { [engine] input, _ in
            try await engine.start(input.clusterID)
        }
        router.on(ClusterAPI.terminateCluster) { [engine] input, _ in
            let reason = try ClusterHandlers.reason(input.body.reason)
            return try await engine.controller(input.clusterID).request(.terminate(reason))
        }
        router.on(ClusterAPI.deleteCluster) { [engine] input, _ in
            _ = try await engine.controller(input.clusterID).request(.delete)
            return Empty()
        }
        router.on(ClusterAPI.listBackends) { [engine] _, _ in await engine.listBackends() }
        router.on(ClusterAPI.streamClusterChanges) { [engine] _, _, send in
            // Whoever hears that it is open misses nothing from then on.
            try await engine.context.followChanges(begun: { try await send.open() }) { try await send($0) }
        }
        router.on(ClusterAPI.scrapeDrivers) { [engine] _, _ in await engine.scrapeDrivers() }
    }

    private func registerChanges(_ router: ServiceRouter) {
        router.on(ClusterAPI.restartCluster) { [engine] input, _ in try await engine.restart(input.clusterID) }
        router.on(ClusterAPI.editCluster) { [engine] input, _ in
            try await engine.edit(input.clusterID, input.body.spec)
        }
        router.on(ClusterAPI.resizeCluster) { [engine] input, _ in
            try await engine.resize(input.clusterID, input.body)
        }
        router.on(ClusterAPI.pinCluster) { [engine] input, _ in try await engine.pin(input.clusterID, true) }
        router.on(ClusterAPI.unpinCluster) { [engine] input, _ in try await engine.pin(input.clusterID, false) }
    }

    private func registerHistory(_ router: ServiceRouter) {
        router.on(ClusterAPI.watchCluster) { [engine] input, _, send in
            let controller = try await engine.controller(input.clusterID)
            var last: ClusterInfo?
            for await _ in await controller.changes() {
                let now = await controller.info
                if now.withoutCountdown == last { continue }
                last = now.withoutCountdown
                try await send(now)
            }
        }
        router.on(ClusterAPI.listClusterEvents) { [engine] input, _ in
            let id = try await engine.controller(input.clusterID).id
            let before = try input.pageToken.map { text throws(HarbourError) in
                try PageToken(text, count: 1).int64(0)
            }
            let limit = input.pageSize ?? 50
            let events = try await engine.context.clusters.events(of: id, before: before ?? .max, limit: limit)
            let next = events.count == limit ? events.last.map { PageToken(.integer($0.eventID)).text } : nil
            return ClusterEventList(events: events, nextPageToken: next)
        }
        router.on(ClusterAPI.listClusterLogs) { [engine] input, _ in
            try await engine.controller(input.clusterID).listLogs()
        }
        router.on(ClusterAPI.streamClusterLogs) { [engine] input, context, send in
            let question = LogQuestion(
                start: input.start, after: input.after ?? 0, follow: input.follow ?? false,
                filter: try LogFilter(
                    contains: input.contains, level: input.level, source: input.source, since: input.since,
                    until: input.until))
            try await engine.controller(input.clusterID).streamLogs(question, context.call()) { line in
                try await send(line)
            }
        }
    }

    /// A reason of the caller's, as programs write one.
    private static func reason(_ code: String?) throws(HarbourError) -> TerminationReason {
        guard let code else { return .userRequest }
        let isName = code.utf8.allSatisfy { byte in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "_")
        }
        guard isName, !code.isEmpty else {
            throw HarbourError(.invalidParameter, "`reason` must be capitals and underscores, such as JOB_FINISHED.")
        }
        return .asked(code)
    }
}
