internal import ClusterBackend
internal import Core
internal import EventLoop

extension DockerBackend {
    /// The start, which goes on with what an earlier one left.
    func start(_ request: ProvisionRequest, _ progress: Receiver<ProvisionEvent>) async throws -> ProvisionedCluster {
        let id = request.id
        try await progress(.phase(.prepare))
        let (settings, engine) = try configured.get()
        let ground = try await settle()
        let plan = DockerPlan(request.spec, processors: ground.machine.processors)
        try plan.problems(on: ground.machine).throwIfAny()
        let wish = Wish.digest(of: request.spec)
        let present = try await engine.containers(names.of(id))
        if let driver = present.first(where: { $0.isDriver && $0.isAlive }) {
            guard driver.labels[DockerNames.wish] == wish else {
                throw HarbourError(
                    .conflict,
                    "The cluster id is in use with another specification. End that cluster, or choose another id.")
            }
            try await progress(.handle(handle(id, driver)))
            try await join(id, ground)
            try await addWorkers(id, driver, upTo: request.spec.workers, progress)
            return try await answer(id, ground)
        }
        // What has ended, or was never started, holds nothing that is wanted: its log was readable until now.
        for container in present { try await engine.remove(container.id) }

        try await progress(.phase(.image))
        let image = try await fetch(request.spec.image ?? settings.image, progress)
        let user = try user(of: image, ground)
        let binds = try await makeFolder(id, ground) + settings.mounts
        try Task.checkCancellation()
        try await progress(.phase(.allocate))
        let labels = names.labels(id, at: .now)
        // From here on there is something that only its label tells of.
        try await progress(.handle(handle(id, nil)))
        if try await engine.networks(names.of(id)).isEmpty {
            _ = try await engine.createNetwork(names.network(id), labels: labels)
        }
        try await join(id, ground)

        try await progress(.phase(.driver))
        let driver = NodeSpecification(
            id: id, plan: plan, image: request.spec.image ?? settings.image, user: user,
            labels: labels.merging([
                DockerNames.role: "driver", DockerNames.wish: wish, DockerNames.plan: plan.label,
            ]) { $1 }, network: names.network(id), binds: binds,
            command: ["driver", settings.driver] + request.launch.arguments)
        let made = try await create(names.driver(id), driver)
        try await engine.put(files(request, plan, user, ground), into: made, at: "/")
        if let network = settings.network { try await engine.connect(made, to: network) }
        try Task.checkCancellation()
        try await engine.start(made)
        guard let started = try await engine.container(made) else {
            throw HarbourError(.launchFailed, "The driver's container was removed while it was started. Try again.")
        }
        try await progress(.handle(handle(id, started)))
        try await addWorkers(id, started, upTo: plan.workers, progress)
        return try await answer(id, ground)
    }

    /// Everything that goes into the driver's container.
    private func files(
        _ request: ProvisionRequest, _ plan: DockerPlan, _ user: NodeUser, _ ground: Ground
    ) throws -> [UInt8] {
        let settings = try settings
        var request = request
        let secret = NodeFiles.secret(request)
        request.spec.sparkConf.merge(plan.sparkConf(secret: secret)) { theirs, _ in theirs }
        // Paths of the service's machine mean nothing in the image.
        for name in ["PYTHON", "RUNTIME_FOLDER", "SPARK_ARCHIVE", "JAVA_HOME"] {
            request.launch.environment["HARBOUR_DRIVER_\(name)"] = nil
        }
        request.launch.environment["HARBOUR_DRIVER_PYTHON"] = settings.python
        request.launch.environment["HARBOUR_DRIVER_JAVA_HOME"] = settings.javaHome
        request.launch.environment["HARBOUR_DRIVER_RUNTIME_FOLDER"] = settings.runtimeFolder
        let listen: DriverAddress =
            ground.reach == .socket
            ? .unix(path: "\(NodeFiles.socketFolder)/driver.sock")
            : .http(host: "0.0.0.0", port: DockerPlan.driverPort)
        let place = DriverStart.Place(
            listen: listen, scratch: NodeFiles.scratch, sparkMaster: plan.sparkMaster, memoryMiB: plan.driverHeapMiB)
        var variables = ["HOME": NodeFiles.scratch, "LANG": "C.UTF-8"]
        variables.merge(request.spec.secretEnvironment.mapValues { $0.reveal() }) { $1 }
        variables.merge(
            DriverStart.environment(for: request, at: place, installation: context.installation)
        ) { $1 }
        return NodeFiles.driver(request, variables, secret: secret, user: user)
    }

    /// The image, fetched when the engine has it not.
    private func fetch(_ name: String, _ progress: Receiver<ProvisionEvent>) async throws -> EngineImage {
        let engine = try engine
        if let image = try await engine.image(name) { return image }
        log.info("fetching an image", ["image": name])
        try await engine.pull(name) { done, total in
            try await progress(.progress(done: done, total: total, unit: "bytes"))
        }
        guard let image = try await engine.image(name) else {
            throw HarbourError(.launchFailed, "The image \(name) was fetched, and is not there. Look at the engine.")
        }
        return image
    }

    /// The folder of the driver's socket, where drivers are reached by one: what the container is to mount.
    private func makeFolder(_ id: ClusterIdentifier, _ ground: Ground) async throws -> [String] {
        guard ground.reach == .socket else { return [] }
        let folder = folder(id)
        guard let path = ground.onEngine(folder.path) else {
            throw HarbourError(
                .launchFailed,
                "The folder \(context.folder) is inside the service's own container, where the engine does not see it. "
                    + "Mount a volume there, or leave HARBOUR_BACKEND_DOCKER_REACH out.")
        }
        try await BlockingPool.shared.run { try folder.make() }
        return ["\(path):\(NodeFiles.socketFolder):rw"]
    }

    /// Where drivers are reached by their network, the service's own container joins it.
    func join(_ id: ClusterIdentifier, _ ground: Ground) async throws {
        guard ground.reach == .network, try settings.network == nil, let own = ground.own else { return }
        try await engine.connect(own.id, to: names.network(id))
    }

    // MARK: Workers

    /// Makes and starts the workers that are missing, all at once, and returns how many there are then.
    func addWorkers(
        _ id: ClusterIdentifier, _ driver: EngineContainer, upTo count: Int, _ progress: Receiver<ProvisionEvent>
    ) async throws {
        guard count > 0 else { return }
        let engine = try engine
        var present: [Int: EngineContainer] = [:]
        for container in try await engine.containers(names.of(id)) {
            if let index = container.workerIndex { present[index] = container }
        }
        let missing = (0..<count).filter { present[$0]?.isAlive != true }
        guard !missing.isEmpty, let known = try await engine.container(driver.id), let plan = known.plan else { return }
        try await progress(.phase(.workers))
        let user = try await user(of: known)
        let files = try await engine.archive(of: known.id, at: "\(NodeFiles.root)/node")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in missing {
                let leftover = present[index]
                group.addTask { [self] in
                    if let leftover { try await engine.remove(leftover.id) }
                    let specification = try workerSpecification(id, index, plan, known, user)
                    let made = try await create(names.worker(id, index), specification)
                    try await engine.put(NodeFiles.worker(user: user), into: made, at: "/")
                    try await engine.put(files, into: made, at: NodeFiles.root)
                    try await engine.start(made)
                }
            }
            try await group.waitForAll()
        }
    }

    /// Makes a container. One of that name which was never started was made by a request whose answer was not heard.
    private nonisolated func create(_ name: String, _ node: NodeSpecification) async throws -> String {
        let engine = try engine
        do throws(HarbourError) {
            return try await engine.create(name, node.json)
        } catch {
            guard error.code == .conflict, let found = try await engine.container(name), found.isUnused,
                found.labels[DockerNames.installation] == context.installation, found.labels.cluster == node.id
            else { throw error }
            try await engine.remove(found.id)
            return try await engine.create(name, node.json)
        }
    }

    /// As whom the driver's container runs; its workers do, too.
    private func user(of driver: EngineContainer) async throws -> NodeUser {
        guard let user = NodeUser(driver.user) else {
            throw HarbourError(.launchFailed, "The driver's container was changed by others. Start the cluster again.")
        }
        return user
    }

    private nonisolated func workerSpecification(
        _ id: ClusterIdentifier, _ index: Int, _ plan: DockerPlan, _ driver: EngineContainer, _ user: NodeUser
    ) throws -> NodeSpecification {
        NodeSpecification(
            id: id, worker: index, plan: plan, image: driver.image, user: user,
            labels: names.labels(id, at: .now).merging([DockerNames.role: "worker", DockerNames.worker: "\(index)"]) {
                $1
            }, network: names.network(id), binds: try settings.mounts,
            command: ["worker", "--cores", "\(plan.workerCores)", "--memory-mb", "\(plan.executorHeapMiB)"])
    }

    /// Brings the number of workers up or down.
    func changeWorkers(
        _ handle: ClusterHandle, to count: Int, _ progress: Receiver<ProvisionEvent>
    ) async throws -> ProvisionedCluster {
        let (id, engine) = (handle.cluster, try engine)
        let ground = try await settle()
        guard let driver = try await look(at: handle).driver, driver.isAlive, let plan = driver.plan else {
            throw HarbourError(.clusterLost, "The cluster has ended. Start it again.")
        }
        guard plan.workers > 0 else {
            throw HarbourError(
                .invalidState,
                "The cluster was started without workers, so its Spark runs in the driver. Start it again with workers."
            )
        }
        try await addWorkers(id, driver, upTo: count, progress)
        let rest = try await engine.containers(names.of(id)).filter { ($0.workerIndex ?? -1) >= count }
        for worker in rest {
            // Spark's worker ends its executors in order when it is asked to.
            dismissed.insert(worker.id)
            try await engine.stop(worker.id, grace: .seconds(5))
            try await engine.remove(worker.id)
            revivals[worker.id] = nil
            dismissed.remove(worker.id)
        }
        notify(id)
        return try await answer(id, ground)
    }

    // MARK: Answers

    func handle(_ id: ClusterIdentifier, _ driver: EngineContainer?) -> ClusterHandle {
        var payload = JSONObject()
        if let driver { payload["driver"] = .string(driver.id) }
        return ClusterHandle(
            backend: name, version: 1, cluster: id, payload: JSONValue.object(payload).encodedJSON())
    }

    /// What the service is told of a cluster whose driver runs.
    func answer(_ id: ClusterIdentifier, _ ground: Ground) async throws -> ProvisionedCluster {
        let all = try await engine.containers(names.of(id))
        guard let driver = all.first(where: { $0.isDriver }), let plan = driver.plan else {
            throw HarbourError(.launchFailed, "The cluster's containers were removed by others. Start it again.")
        }
        var notes: [String] = []
        if !ground.machine.enforcesMemory || !ground.machine.enforcesCores {
            notes.append("The engine's kernel does not enforce all limits; they are advisory there.")
        }
        return ProvisionedCluster(
            handle: handle(id, driver), driver: try address(of: driver, id, ground),
            driverSize: NodeSize(cores: plan.driverCores, memoryMiB: plan.driverMemoryMiB),
            workerSize: NodeSize(cores: plan.workerCores, memoryMiB: plan.workerMemoryMiB),
            workers: all.count { $0.workerIndex != nil && $0.isAlive }, notes: notes)
    }
}
