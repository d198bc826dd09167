internal import ClusterBackend
internal import Core
internal import EventLoop
internal import Glibc

extension ProcessHost {
    /// Ends everything of a cluster.
    func end(_ id: ClusterIdentifier, grace: Duration) async throws {
        let place = ProcessPlace(root: context.folder, id)
        let state = try await state(of: id)
        var session: Int32?
        if let state {
            if let process = try await process(of: id, state) {
                // Only a driver that is known to be the one gives its number's meaning to the session.
                session = process.pid
                try await endDriver(process, grace: grace)
            }
        } else if try await belongsToAnother(place, id) {
            return
        }
        // A service that died while it made the process has written no number down, and the process may not have come to
        // its own environment yet.
        let isCertain = state.map { $0.stage != .spawning || session != nil } ?? true
        try await killMarked(id, session: session, looks: isCertain ? 1 : 2)
        if let groups {
            // A process that was just killed may still be leaving it. One that has hidden its mark is found here.
            let name = groupName(id)
            for _ in 0..<50 {
                if try await BlockingPool.shared.run({ groups.remove(name) }) { break }
                for pid in try await BlockingPool.shared.run({ groups.members(of: name) }) { kill(pid, SIGKILL) }
                try await loop.sleep(for: .milliseconds(10))
            }
        }
        try await BlockingPool.shared.run { try Files.remove(place.folder) }
        processes[id] = nil
        ends[id] = nil
    }

    /// A folder with the readable state of another installation or cluster is not ours to touch.
    func belongsToAnother(_ place: ProcessPlace, _ id: ClusterIdentifier) async throws -> Bool {
        let installation = context.installation
        return try await BlockingPool.shared.run {
            guard let state = Files.read(place.stateFile).flatMap({ ProcessState($0) }) else { return false }
            return state.installation != installation || state.cluster != id
        }
    }

    /// The driver ends its children in order when it is asked to; the rest is killed after the grace.
    func endDriver(_ process: RunningProcess, grace: Duration) async throws {
        process.send(signal: SIGTERM)
        // A stopped process would sleep through the grace.
        process.send(signal: SIGCONT)
        let timer = loop.schedule(after: grace) { process.kill() }
        defer { timer.cancel() }
        _ = try await process.wait()
    }

    /// Kills all that carries the cluster's mark, again until so many looks in a row, a little apart, find none: a process
    /// may fork while it is killed.
    func killMarked(_ id: ClusterIdentifier, session: Int32?, looks: Int = 1) async throws {
        let installation = context.installation
        var clean = 0
        for _ in 0..<50 {
            let entries = try await BlockingPool.shared.run {
                ProcessTable.entries(of: id, installation: installation, session: session)
            }
            if entries.isEmpty {
                clean += 1
                if clean >= looks { return }
                try await loop.sleep(for: .milliseconds(50))
                continue
            }
            clean = 0
            for entry in entries {
                guard let process = try await AdoptedProcess.adopt(entry.identity, loop: loop) else { continue }
                process.send(signal: SIGKILL)
                try await waitBriefly(for: process)
            }
        }
        throw HarbourError(
            .backendUnavailable,
            "Processes of the cluster could not be ended yet. It is tried again; if this stays, look at the machine.")
    }

    /// A process in uninterruptible sleep ends only when its device answers.
    private func waitBriefly(for process: RunningProcess) async throws {
        let loop = loop
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await process.wait() }
            group.addTask { try await loop.sleep(for: .seconds(5)) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Looks at every folder and every marked process once.
    func findAll(_ known: Set<ClusterIdentifier>, asOf time: Timestamp) async throws -> RecoveryReport {
        let (root, installation) = (context.folder, context.installation)
        let (states, marked) = try await BlockingPool.shared.run {
            let states = Files.names(in: root).compactMap { name -> ProcessState? in
                let state = Files.read("\(root)/\(name)/\(ProcessState.fileName)").flatMap { ProcessState($0) }
                // A copy that somebody made is not the cluster.
                guard let state, ProcessPlace(root: root, state.cluster).folder == "\(root)/\(name)" else { return nil }
                return state
            }
            return (
                states.filter { $0.installation == installation }, ProcessTable.clusters(of: installation, below: root)
            )
        }
        var orphans = Set(states.filter { $0.created < time }.map(\.cluster)).subtracting(known)
        // A process without a folder: somebody removed the folder. When it was made nobody knows; that it lives shows.
        orphans.formUnion(marked.subtracting(known).subtracting(states.map(\.cluster)))
        for id in orphans.sorted() {
            log.warning("ending a cluster that nobody knows", ["cluster": id])
            try await end(id, grace: .seconds(5))
        }
        var clusters: [ClusterIdentifier: RecoveredCluster] = [:]
        for id in known {
            clusters[id] = try await found(id, states.first { $0.cluster == id }, isMarked: marked.contains(id))
        }
        return RecoveryReport(clusters: clusters, swept: orphans.sorted())
    }

    private func found(
        _ id: ClusterIdentifier, _ state: ProcessState?, isMarked: Bool
    ) async throws -> RecoveredCluster {
        guard var state else { return isMarked ? .incomplete : .absent }
        let place = ProcessPlace(root: context.folder, id)
        if let process = try await process(of: id, state) {
            state.stage = .started
            state.process = process.identity
            return .running(answer(state, place))
        }
        return state.stage == .started ? .ended(end(of: id, state)) : .incomplete
    }
}
