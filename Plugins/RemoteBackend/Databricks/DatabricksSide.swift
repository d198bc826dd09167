internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Databricks by its REST API: clusters 2.1 and command execution 1.2. The shapes are in `schemas/databricks`.
struct DatabricksSide: FarSide {
    /// How often a cluster that is followed is asked for: the API tells nothing by itself.
    private static let interval = Duration.seconds(2)

    let client: DatabricksClient
    /// A key of `clusters/spark-versions`.
    let sparkVersion: String
    /// An id of `clusters/list-node-types`, which decides cores and memory.
    let nodeType: String
    let driverNodeType: String?
    let idleMinutes: Int

    /// Neither logs nor stats: the API has none.
    let capabilities = Capabilities([.workers, .resize, .recovery], maximumWorkers: 1000)

    func problems(_ spec: BackendSpec) -> [SpecProblem] {
        var problems: [SpecProblem] = []
        let sizes = [
            ("driver_cores", spec.driver.cores), ("driver_memory_mb", spec.driver.memoryMiB),
            ("worker_cores", spec.worker.cores), ("worker_memory_mb", spec.worker.memoryMiB),
        ]
        for (field, size) in sizes where size != nil {
            problems.append(SpecProblem(field, "must be absent: the node type \(nodeType) decides it on Databricks"))
        }
        if !spec.secretEnvironment.isEmpty {
            problems.append(
                SpecProblem(
                    "spark_env_vars",
                    "cannot hold secrets of this platform, which everybody could read there: keep them in Databricks"))
        }
        if spec.tags.count > 40 { problems.append(SpecProblem("custom_tags", "must be 40 or less on Databricks")) }
        return problems
    }

    func checks() async -> [PreflightReport.Check] {
        let name = "Databricks"
        do {
            let soon = MonotonicTime.now + .seconds(5)
            let versions = try await client.get("/api/2.1/clusters/spark-versions", until: soon)
            let types = try await client.get("/api/2.1/clusters/list-node-types", until: soon)
            return [
                PreflightReport.Check(name, passed: true, message: "Databricks answers and takes the token."),
                DatabricksSide.check(
                    "Runtime version", sparkVersion, versions["versions"]?.array?.compactMap { $0["key"]?.string },
                    "HARBOUR_BACKEND_REMOTE_SPARK_VERSION"),
                DatabricksSide.check(
                    "Node type", nodeType, types["node_types"]?.array?.compactMap { $0["node_type_id"]?.string },
                    "HARBOUR_BACKEND_REMOTE_NODE_TYPE"),
            ]
        } catch {
            return [PreflightReport.Check(name, passed: false, message: HarbourError.wrap(error).message)]
        }
    }

    private static func check(
        _ name: String, _ wanted: String, _ offered: [String]?, _ setting: String
    ) -> PreflightReport.Check {
        if offered?.contains(wanted) == true {
            return PreflightReport.Check(name, passed: true, message: "\(wanted) is offered.")
        }
        let some = (offered ?? []).prefix(5).joined(separator: ", ")
        return PreflightReport.Check(
            name, passed: false, message: "\(wanted) is not offered. Set \(setting) to one that is, such as \(some).")
    }

    // MARK: Finding

    func find(_ mark: FarMark, farID: String?) async throws -> FarCluster? {
        if let farID, let cluster = try await get(farID), cluster.cluster == mark.cluster,
            cluster.installation == mark.installation
        {
            return cluster
        }
        // The last one made is the one that counts, should the making of another have gone unheard.
        return try await list(installation: mark.installation).filter { $0.cluster == mark.cluster }
            .max { $0.startTime < $1.startTime }
    }

    private func get(_ farID: String) async throws -> FarCluster? {
        do throws(HarbourError) {
            return DatabricksSide.cluster(
                try await client.get("/api/2.1/clusters/get", ["cluster_id": farID]))
        } catch {
            // A cluster that does not exist is an invalid parameter there.
            if error.code.status == 404 || error.code == .invalidParameter { return nil }
            throw error
        }
    }

    func list(installation: String) async throws -> [FarCluster] {
        var found: [FarCluster] = []
        var page: String?
        repeat {
            var query = ["page_size": "100"]
            query["page_token"] = page
            let list = try await client.get("/api/2.1/clusters/list", query)
            found += (list["clusters"]?.array ?? []).compactMap(DatabricksSide.cluster)
            page = list["next_page_token"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        } while page != nil
        return found.filter { $0.installation == installation }
    }

    // MARK: Making and ending

    func create(_ wish: FarWish) async throws -> FarCluster {
        let spec = wish.spec
        guard wish.setup.isEmpty else {
            throw HarbourError(
                .unsupported,
                "Init scripts and libraries of this platform cannot be handed to Databricks. Leave them out, and set "
                    + "them up there, in a policy or in the notebook by %pip.")
        }
        var body: JSONObject = [
            "cluster_name": .string(spec.displayName.isEmpty ? wish.mark.name : spec.displayName),
            "spark_version": .string(sparkVersion), "node_type_id": .string(nodeType),
            "num_workers": .integer(spec.workers), "autotermination_minutes": .integer(idleMinutes),
            "custom_tags": DatabricksSide.object(wish.tags),
        ]
        if let driverNodeType { body["driver_node_type_id"] = .string(driverNodeType) }
        var conf = spec.sparkConf
        if spec.workers == 0 {
            // What Databricks calls a single node: Spark inside the driver.
            conf["spark.databricks.cluster.profile"] = "singleNode"
            conf["spark.master"] = "local[*]"
        }
        if !conf.isEmpty { body["spark_conf"] = DatabricksSide.object(conf) }
        if !spec.environment.isEmpty { body["spark_env_vars"] = DatabricksSide.object(spec.environment) }
        do throws(HarbourError) {
            let answer = try await client.post("/api/2.1/clusters/create", body, isRepeatable: false)
            guard let farID = answer["cluster_id"]?.string else {
                throw HarbourError(.badGateway, "Databricks made a cluster without saying its name.")
            }
            return made(wish, farID)
        } catch {
            guard error.code == .remoteAnswerLost else { throw error }
            // It is not made a second time; if it was made, its labels tell.
            if let cluster = try await find(wish.mark, farID: nil) { return cluster }
            throw error
        }
    }

    private func made(_ wish: FarWish, _ farID: String) -> FarCluster {
        FarCluster(
            farID: farID, cluster: wish.mark.cluster, installation: wish.mark.installation, wish: wish.digest,
            created: wish.created, state: .starting, startTime: .now, workers: wish.spec.workers)
    }

    func resize(_ mark: FarMark, farID: String, workers: Int) async throws -> FarCluster {
        guard try await get(farID) != nil else { throw RemoteBackend.lost }
        _ = try await client.post(
            "/api/2.1/clusters/resize", ["cluster_id": .string(farID), "num_workers": .integer(workers)],
            isRepeatable: true)
        return try await waitForResize(mark, farID: farID, workers: workers, loop: client.loop)
    }

    func remove(_ mark: FarMark, farID: String) async throws {
        let end = MonotonicTime.now + .seconds(180)
        var pause = Duration.milliseconds(100)
        while try await get(farID) != nil {
            do throws(HarbourError) {
                _ = try await client.post(
                    "/api/2.1/clusters/permanent-delete", ["cluster_id": .string(farID)], isRepeatable: true)
            } catch {
                guard error.code.status == 404 || error.code == .invalidParameter else { throw error }
                return
            }
            guard MonotonicTime.now < end else {
                throw HarbourError(
                    .backendUnavailable,
                    "Databricks has not removed the cluster \(farID) yet. It is tried again; if this stays, look at it "
                        + "there.")
            }
            try await client.loop.sleep(for: pause)
            pause = min(pause * 2, .seconds(5))
        }
    }

    // MARK: Following

    func watch(_ mark: FarMark, farID: String, to receive: @escaping Receiver<FarCluster>) async throws {
        var last: FarCluster?
        while true {
            guard let cluster = try await get(farID) else {
                throw HarbourError(.notFound, "The cluster \(farID) is not on Databricks any more.")
            }
            if cluster != last { try await receive(cluster) }
            if case .ended = cluster.state { return }
            last = cluster
            try await client.loop.sleep(for: DatabricksSide.interval)
        }
    }

    func driver(_ mark: FarMark, farID: String, folder: String) -> any FarDriver {
        DatabricksDriver(client: client, cluster: mark.cluster, farID: farID, folder: folder)
    }

    // MARK: Shapes

    private static func object(_ values: [String: String]) -> JSONValue {
        .object(JSONObject(values.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }

    /// Nil when it is not one of ours.
    static func cluster(_ value: JSONValue) -> FarCluster? {
        let tags = (value["custom_tags"]?.object ?? [:]).reduce(into: [String: String]()) { tags, tag in
            tags[tag.key] = tag.value.string
        }
        guard let farID = value["cluster_id"]?.string, let labels = FarCluster.labels(tags) else { return nil }
        let message = value["state_message"]?.string ?? ""
        let state: FarCluster.State =
            switch value["state"]?.string {
            case "PENDING", "RESTARTING": .starting
            case "RUNNING", "RESIZING": .running
            case "TERMINATING": .stopping
            case "TERMINATED", "ERROR": .ended(end(value["termination_reason"], message))
            default: .starting
            }
        var cluster = FarCluster(
            farID: farID, cluster: labels.cluster, installation: labels.installation, wish: labels.wish,
            created: labels.created, state: state, message: message,
            startTime: Timestamp(milliseconds: value["start_time"]?.int64 ?? 0))
        cluster.workers = value["num_workers"]?.int ?? 0
        cluster.isResizing = value["state"]?.string == "RESIZING"
        cluster.executors = value["executors"]?.array?.count
        if let context = value["spark_context_id"]?.int64 {
            cluster.spark = SparkInfo(
                version: value["spark_version"]?.string ?? "", applicationID: String(context))
        }
        return cluster
    }

    private static func end(_ reason: JSONValue?, _ message: String) -> ClusterEnd {
        let code = reason?["code"]?.string ?? "an unknown reason"
        let kind: ClusterEnd.Kind =
            switch code {
            case "USER_REQUEST", "INACTIVITY", "JOB_FINISHED": .removed
            default: .exited
            }
        var told = message.isEmpty ? code : message
        if !told.hasSuffix(".") { told += "." }
        return ClusterEnd(kind, message: "The cluster ended on Databricks: \(told)")
    }
}
