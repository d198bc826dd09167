internal import Core
internal import Cryptography
internal import EventLoop
internal import HarbourProtocol
internal import Postgres

/// Makes the runs of jobs that wait for files.
///
/// Folders are watched by the kernel, and looked at every minute besides, because it does not hear of what other
/// machines do on a shared file system. Object storages tell nobody: they are listed at an interval, by one scheduler
/// of all. What becomes of a listing `FileArrivalStore` decides.
actor FileArrivals {
    private let context: EngineContext
    private let store: FileArrivalStore
    /// The folders that jobs wait at.
    private var watched: [Int64: String] = [:]
    private var folders: FolderWatch?
    private var timer: LoopTimer?
    private var isBusy = false
    private var isAskedAgain = false
    private var isStopped = false
    private var areJobsNew = true
    /// Jobs whose folders have changed.
    private var changed: Set<Int64> = []
    /// Jobs whose places are being looked at.
    private var underWay: Set<Int64> = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    init(context: EngineContext) {
        self.context = context
        store = FileArrivalStore(pool: context.pool, runs: RunStore(pool: context.pool))
    }

    /// Looks at what is due: at start, when time has passed, and when jobs have changed.
    func look(jobsHaveChanged: Bool = false) {
        guard !isStopped else { return }
        if jobsHaveChanged { areJobsNew = true }
        isAskedAgain = true
        guard !isBusy else { return }
        isBusy = true
        context.loop.spawn { [self] in await lookAll() }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        folders?.close()
        folders = nil
    }

    private func lookAll() async {
        while isAskedAgain && !isStopped {
            isAskedAgain = false
            do {
                try await context.persistently("looking for files") { [self] in try await lookOnce() }
            } catch {
                if isStopped { break }
                Logger("scheduler").error("files could not be looked for", ["error": HarbourError.describe(error)])
                arm(.seconds(60))
            }
        }
        isBusy = false
    }

    private func lookOnce() async throws {
        if areJobsNew {
            areJobsNew = false
            do { synchronize(try await store.synchronize()) } catch {
                areJobsNew = true
                throw error
            }
        }
        // Those that are being looked at are looked at again afterwards.
        let told = changed.subtracting(underWay)
        if !told.isEmpty {
            changed.subtract(told)
            do { try await store.take(Array(told)).forEach(begin) } catch {
                changed.formUnion(told)
                throw error
            }
        }
        while !isStopped {
            let due = try await store.takeDue()
            if due.isEmpty { break }
            due.forEach(begin)
        }
        arm(try await store.untilNext())
    }

    private func arm(_ delay: Duration?) {
        timer?.cancel()
        timer = nil
        guard let delay, !isStopped else { return }
        timer = context.loop.schedule(after: delay + .milliseconds(5)) { [self] in assumeIsolated { $0.look() } }
    }

    // MARK: Folders

    private func synchronize(_ wanted: [(jobID: Int64, url: String)]) {
        let urls = Dictionary(uniqueKeysWithValues: wanted.map { ($0.jobID, $0.url) })
        for (jobID, url) in watched where urls[jobID] != url {
            folders?.forget(jobID)
            watched[jobID] = nil
        }
        for (jobID, url) in wanted where watched[jobID] == nil && !url.hasPrefix("s3://") {
            watched[jobID] = url
            // Nobody has listed it in this process, and only what is listed is watched.
            changed.insert(jobID)
        }
        if folders == nil, !watched.isEmpty, !isStopped { folders = makeWatch() }
    }

    /// Without it folders are looked at every minute.
    private func makeWatch() -> FolderWatch? {
        do throws(HarbourError) {
            return try FolderWatch(loop: context.loop) { [weak self] jobIDs in
                self?.assumeIsolated { $0.haveChanged(jobIDs) }
            }
        } catch {
            Logger("scheduler").warning("folders are not watched", ["error": HarbourError.describe(error)])
            return nil
        }
    }

    private func haveChanged(_ jobIDs: Set<Int64>) {
        changed.formUnion(jobIDs)
        look()
    }

    /// Whether a folder is watched now that was not before.
    private func cover(_ found: [String], of watch: FileWatch) -> Bool {
        guard watched[watch.jobID] == watch.url, let folders else { return false }
        do throws(HarbourError) {
            return try folders.cover(found, for: watch.jobID)
        } catch {
            Logger("scheduler").warning(
                "a folder is looked at every minute only",
                ["job": Int(watch.jobID), "url": watch.url, "error": HarbourError.describe(error)])
            return false
        }
    }

    // MARK: One place

    /// Looks at a place without waiting for it: one that does not answer holds up no other.
    private func begin(_ watch: FileWatch) {
        guard underWay.insert(watch.jobID).inserted else { return }
        context.loop.spawn { [self] in
            await look(at: watch)
            await ended(watch.jobID)
        }
    }

    private func ended(_ jobID: Int64) {
        underWay.remove(jobID)
        look()
    }

    private func look(at watch: FileWatch) async {
        do {
            try await context.persistently("noting files") { [self] in
                var next: FileWatch? = watch
                while let now = next, await !isStopped {
                    next = try await lookOnce(at: now) == .stale ? store.take([now.jobID]).first : nil
                }
            }
        } catch {
            Logger("scheduler").warning(
                "a place of files could not be looked at",
                ["job": Int(watch.jobID), "url": watch.url, "error": HarbourError.describe(error)])
        }
    }

    private func lookOnce(at watch: FileWatch) async throws -> ArrivalOutcome {
        let files: [FoundFile]
        let root: String?
        do {
            let listing = try await list(watch)
            (files, root) = (listing.files.sorted { $0.path < $1.path }, listing.root)
        } catch {
            // The database is asked again while it is away; a place that cannot be listed is looked at later.
            let failure = HarbourError.wrap(error)
            if isStopped { return .gone }
            // Nothing tells of a folder that is not there yet.
            let pause = watch.url.hasPrefix("s3://") ? context.fileInterval : .seconds(5)
            try await store.fail(watch, message: failure.message, after: pause)
            return .gone
        }
        let interval = watch.url.hasPrefix("s3://") ? context.fileInterval : min(context.fileInterval, .seconds(60))
        let text = (root ?? "") + files.map { "\($0.path)\u{0}\($0.version)\u{0}" }.joined()
        let digest = hexadecimal(Digest.sha256(text))
        if digest == watch.digest {
            try await store.touch(watch, interval: interval)
            return .gone
        }
        let outcome = try await store.take(
            files, digest: digest, root: root, of: watch, interval: interval)
        if case .taken(let fired?, _) = outcome {
            Logger("scheduler").info("files have come", ["job": Int(watch.jobID), "run": Int(fired)])
        }
        return outcome
    }

    private func list(_ watch: FileWatch) async throws -> (files: [FoundFile], root: String?) {
        switch try FilePlace(watch.url) {
        case .folder(let folder):
            let known = try await store.known(watch.jobID)
            let roots = context.fileRoots
            while true {
                let result = try await BlockingPool.shared.run { () throws(HarbourError) in
                    try FolderRoots(roots).check(folder)
                    return try FolderListing(folder: folder).list(known: known)
                }
                // What came into a folder before it was watched is seen by another listing.
                guard cover(result.folders, of: watch) else {
                    return (result.files, result.root)
                }
            }
        case .objects(let bucket, let prefix):
            guard let objects = context.objects else {
                throw HarbourError(
                    .unsupported,
                    "The scheduler knows no object storage. Set HARBOUR_SCHEDULER_S3_ENDPOINT, "
                        + "HARBOUR_SCHEDULER_S3_ACCESS_KEY and HARBOUR_SCHEDULER_S3_SECRET_KEY.")
            }
            return (try await objects.list(bucket: bucket, prefix: prefix), nil)
        }
    }
}
