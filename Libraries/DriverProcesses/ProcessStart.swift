internal import ClusterBackend
internal import Core
internal import EventLoop
internal import Glibc

extension ProcessHost {
    /// The start, which goes on with what an earlier one left.
    func start(
        _ request: ProvisionRequest, _ plan: ProcessPlan, _ progress: Receiver<ProvisionEvent>
    ) async throws -> ProvisionedCluster {
        let place = ProcessPlace(root: context.folder, request.id)
        guard place.fits else {
            throw HarbourError(
                .launchFailed,
                "The data folder's path is too long for a unix socket. Choose one of at most "
                    + "\(107 - place.socket.utf8.count + context.folder.utf8.count) characters.",
                detail: place.socket)
        }
        let digest = SpecDigest.of(request.spec)
        if let state = try await state(of: request.id) {
            if let running = try await goOn(with: state, request, digest, place, progress) { return running }
        } else if try await belongsToAnother(place, request.id) {
            throw HarbourError(
                .conflict, "The cluster id is in use by another installation on this machine. Choose another id.")
        }
        try await progress(.phase(.prepare))
        var state = ProcessState(
            cluster: request.id, installation: context.installation, digest: digest, created: .now,
            plan: plan, memoryKills: ProcessTable.memoryKills)
        var launch = request
        launch.spec.sparkConf.merge(plan.sparkConf) { $1 }
        let files = DriverStart.files(for: launch)
        try await BlockingPool.shared.run { [state] in
            try Files.makeFolder(place.folder)
            try Files.write(state.encoded(), to: place.stateFile)
            for file in files { try Files.write(file.content, to: "\(place.folder)/\(file.name)") }
        }
        try await progress(.handle(handle(state, place)))
        try await progress(.phase(.driver))
        state.stage = .spawning
        try await store(state, place)
        // From here on a process may exist that only its mark tells of.
        let process = try await spawn(request, state.plan, place)
        await limit(process.pid, request.id, state.plan)
        state.stage = .started
        state.process = process.identity
        adopt(process, request.id, state)
        try await store(state, place)
        try Task.checkCancellation()
        return answer(state, place)
    }

    /// What is there already of this id: running, refused, or ended and to be made anew (nil).
    private func goOn(
        with state: ProcessState, _ request: ProvisionRequest, _ digest: String, _ place: ProcessPlace,
        _ progress: Receiver<ProvisionEvent>
    ) async throws -> ProvisionedCluster? {
        if let process = try await process(of: request.id, state) {
            guard state.digest == digest else {
                throw HarbourError(
                    .conflict,
                    "The cluster id is in use with another specification. End that cluster, or choose another id.")
            }
            if state.stage == .spawning { await limit(process.pid, request.id, state.plan) }
            var found = state
            found.stage = .started
            found.process = process.identity
            if found != state { try await store(found, place) }
            try await progress(.handle(handle(found, place)))
            return answer(found, place)
        }
        // An earlier driver has ended; what it started must not meet the new one.
        try await killMarked(request.id, session: nil, looks: state.stage == .spawning ? 2 : 1)
        ends[request.id] = nil
        try await BlockingPool.shared.run { try Files.remove(place.socket) }
        return nil
    }

    /// Holds a process, and what it starts from now on, to the cluster's cores and memory.
    private func limit(_ pid: Int32, _ id: ClusterIdentifier, _ plan: ProcessPlan) async {
        guard let groups else { return }
        let name = groupName(id)
        do {
            let isLimited = try await BlockingPool.shared.run {
                groups.make(name, plan.limits) && groups.add(pid, to: name)
            }
            if isLimited { return }
            log.warning("a cluster has no limits, because its control group could not be made", ["cluster": id])
        } catch {
            log.debug("a start was given up before its limits were set", ["cluster": id])
        }
    }

    /// What a user should know about the limits of a cluster.
    private func limitNotes(_ plan: ProcessPlan) -> [String] {
        guard wantsLimits else { return [] }
        guard groups != nil else {
            return ["Cores and memory are advisory: Spark keeps to them, and control groups are not permitted here."]
        }
        let limits = plan.limits
        return [
            "The cluster as a whole is held to \(limits.cores) cores and \(limits.memoryBytes >> 20) MiB, Python included."
        ]
    }

    nonisolated func groupName(_ id: ClusterIdentifier) -> String { "harbour-\(context.installation)-\(id.text)" }

    private func spawn(_ request: ProvisionRequest, _ plan: ProcessPlan, _ place: ProcessPlace) async throws
        -> RunningProcess
    {
        let driverPlace = DriverStart.Place(
            listen: place.address, scratch: place.folder, sparkMaster: plan.sparkMaster,
            memoryMiB: plan.driverMemoryMiB)
        var variables = machine.baseEnvironment
        for (name, value) in request.spec.secretEnvironment { variables[name] = value.reveal() }
        variables.merge(
            DriverStart.environment(for: request, at: driverPlace, installation: context.installation)
        ) { $1 }
        var specification = ProcessSpecification(request.launch.executable, request.launch.arguments)
        // Nothing of the service's own environment is handed on: it may hold the database's password.
        specification.environment = .only(variables)
        specification.directory = place.folder
        specification.input = .null
        specification.output = .file(place.logFile)
        specification.errors = .sameAsOutput
        specification.group = .session
        specification.sweepsGroup = true
        do {
            return try await ChildProcess.start(specification, loop: loop)
        } catch let error as HarbourError {
            throw HarbourError(
                .launchFailed, "The driver could not be started: \(error.message) Check the installation.",
                detail: request.launch.executable, cause: error)
        }
    }

    private func store(_ state: ProcessState, _ place: ProcessPlace) async throws {
        try await BlockingPool.shared.run { try Files.write(state.encoded(), to: place.stateFile) }
    }

    // MARK: What is there

    /// The state of a cluster's folder; nil when there is none, or another installation's.
    func state(of id: ClusterIdentifier) async throws -> ProcessState? {
        let path = ProcessPlace(root: context.folder, id).stateFile
        let bytes = try await BlockingPool.shared.run { Files.read(path) }
        guard let state = bytes.flatMap({ ProcessState($0) }), state.installation == context.installation,
            state.cluster == id
        else { return nil }
        return state
    }

    /// The living driver of a cluster, watched; nil when it has ended or was never made.
    func process(of id: ClusterIdentifier, _ state: ProcessState) async throws -> RunningProcess? {
        if let process = processes[id] { return process.exit == nil ? process : nil }
        var identity = state.process
        if identity == nil && state.stage == .spawning {
            // The service died between making the process and writing its number down.
            let installation = context.installation
            identity = try await BlockingPool.shared.run {
                ProcessTable.entries(of: id, installation: installation, session: nil).first(where: \.leadsSession)?
                    .identity
            }
        }
        guard let identity, let process = try await AdoptedProcess.adopt(identity, loop: loop) else { return nil }
        if let process = processes[id] { return process.exit == nil ? process : nil }
        adopt(process, id, state)
        return process.exit == nil ? process : nil
    }

    /// Keeps a process and remembers how it ends.
    func adopt(_ process: RunningProcess, _ id: ClusterIdentifier, _ state: ProcessState) {
        processes[id] = process
        ends[id] = nil
        process.whenEnded { [weak self] exit in
            self?.assumeIsolated { backend in
                // Ended and started again: the new one's life is not touched.
                guard backend.processes[id] === process else { return }
                backend.ends[id] = ProcessHost.describe(exit, memoryKillsBefore: state.memoryKills)
            }
        }
    }

    /// How the cluster ended, as well as can be known.
    func end(of id: ClusterIdentifier, _ state: ProcessState) -> ClusterEnd {
        if let end = ends[id] { return end }
        if let process = state.process, process.bootID != machine.bootID {
            return ClusterEnd(
                .hostRestarted, message: "The machine was restarted, and the cluster ended with it. Start it again.")
        }
        return ProcessHost.describe(.unknown, memoryKillsBefore: state.memoryKills)
    }

    static func describe(_ exit: ProcessExit, memoryKillsBefore: Int64) -> ClusterEnd {
        switch exit {
        case .exited(let status):
            return ClusterEnd(
                .exited, status: status,
                message: "The driver ended by itself with status \(status). Its log has the reason.")
        case .signalled(SIGKILL) where ProcessTable.memoryKills > memoryKillsBefore:
            return ClusterEnd(
                .outOfMemory, status: SIGKILL,
                message: "The driver was killed, most likely because the machine ran out of memory. "
                    + "Give the cluster less memory, or the machine more.")
        case .signalled(let signal):
            return ClusterEnd(
                .killed, status: signal,
                message: "The driver was ended by signal \(signal). Start the cluster again.")
        case .unknown:
            return ClusterEnd(
                .exited,
                message:
                    "The driver ended. An earlier run of the cluster service had started it, so it is not known how. "
                    + "Start the cluster again.")
        }
    }

    func handle(_ state: ProcessState, _ place: ProcessPlace) -> ClusterHandle {
        ClusterHandle(backend: backend, version: ProcessState.version, cluster: state.cluster, payload: state.encoded())
    }

    func answer(_ state: ProcessState, _ place: ProcessPlace) -> ProvisionedCluster {
        ProvisionedCluster(
            handle: handle(state, place), driver: place.address,
            driverSize: NodeSize(cores: state.plan.driverCores, memoryMiB: state.plan.driverMemoryMiB),
            workerSize: NodeSize(cores: state.plan.workerCores, memoryMiB: state.plan.workerMemoryMiB),
            workers: state.plan.workers,
            notes: notes + limitNotes(state.plan))
    }
}
