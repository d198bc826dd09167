internal import Core
internal import HarbourProtocol
internal import ServiceClients
internal import Synchronization

/// Who made the clusters, jobs and runs that other services keep. That never changes, so it is asked for once; only the
/// id of a cluster that is gone may be given to another.
final class UpstreamOwners: Sendable {
    struct Cluster: Sendable {
        let creator: String
        /// The run that it was made for.
        let runID: Int64?
    }

    struct Run: Sendable {
        let creator: String
        let jobID: Int64?
    }

    private struct Known {
        var clusters: [String: (cluster: Cluster, until: MonotonicTime)] = [:]
        var jobs: [Int64: String] = [:]
        var runs: [Int64: Run] = [:]
        var backfills: [Int64: Int64] = [:]
    }

    private static let limit = 20_000
    private static let clusterMemory = Duration.seconds(30)
    private static let patience = Duration.seconds(20)
    private let clusters: ServiceClient
    private let scheduler: ServiceClient
    private let known = Mutex(Known())

    init(clusters: ServiceClient, scheduler: ServiceClient) {
        self.clusters = clusters
        self.scheduler = scheduler
    }

    func cluster(_ id: String) async throws(HarbourError) -> Cluster {
        if let known = known.withLock({ $0.clusters[id] }), known.until > .now { return known.cluster }
        let info = try await clusters.call(
            ClusterAPI.getCluster, .init(clusterID: id), context: .within(UpstreamOwners.patience))
        let cluster = UpstreamOwners.cluster(creator: info.creatorUserName, owner: info.owner)
        // One text may name several: only the id itself is remembered.
        if info.clusterID == id { remember(cluster, id) }
        return cluster
    }

    static func cluster(creator: String, owner: String?) -> Cluster {
        Cluster(creator: creator, runID: run(ofOwner: owner))
    }

    /// The run that a cluster was made for, by what the cluster calls its owner.
    static func run(ofOwner owner: String?) -> Int64? {
        owner.flatMap { $0.hasPrefix("run/") ? Int64($0.dropFirst(4)) : nil }
    }

    func remember(_ cluster: Cluster, _ id: String) {
        known.withLock { known in
            if known.clusters.count >= UpstreamOwners.limit { known.clusters.removeAll() }
            known.clusters[id] = (cluster, .now + UpstreamOwners.clusterMemory)
        }
    }

    /// Forgets a cluster that is being deleted.
    func forget(cluster id: String) { known.withLock { $0.clusters[id] = nil } }

    /// Who made a job, also of a deleted one: it may be brought back, and its runs are still there.
    func job(_ id: Int64) async throws(HarbourError) -> String {
        if let creator = known.withLock({ $0.jobs[id] }) { return creator }
        let job = try await scheduler.call(
            SchedulerAPI.getJobOwner, .init(jobID: id), context: .within(UpstreamOwners.patience))
        remember(job.creatorUserName, job: id)
        return job.creatorUserName
    }

    /// How many are asked for at once.
    private static let jobsAtOnce = 1000

    /// Who made jobs, as far as they are still there.
    func jobs(_ ids: [Int64]) async throws(HarbourError) -> [Int64: String] {
        var found = known.withLock { known in
            Dictionary(uniqueKeysWithValues: Set(ids).compactMap { id in known.jobs[id].map { (id, $0) } })
        }
        let unknown = Set(ids).subtracting(found.keys).sorted()
        for start in stride(from: 0, to: unknown.count, by: UpstreamOwners.jobsAtOnce) {
            let some = Array(unknown[start..<min(start + UpstreamOwners.jobsAtOnce, unknown.count)])
            let answer = try await scheduler.call(
                SchedulerAPI.listJobOwners, .init(body: JobOwnersWish(jobIds: some)),
                context: .within(UpstreamOwners.patience))
            for job in answer.owners {
                found[job.jobID] = job.creatorUserName
                remember(job.creatorUserName, job: job.jobID)
            }
        }
        return found
    }

    func remember(_ creator: String, job id: Int64) {
        known.withLock { known in
            if known.jobs.count >= UpstreamOwners.limit { known.jobs.removeAll() }
            known.jobs[id] = creator
        }
    }

    func run(_ id: Int64) async throws(HarbourError) -> Run {
        if let run = known.withLock({ $0.runs[id] }) { return run }
        let answer = try await scheduler.call(
            SchedulerAPI.getRun, .init(runID: id), context: .within(UpstreamOwners.patience))
        let run = Run(creator: answer.creatorUserName, jobID: answer.jobID)
        known.withLock { known in
            if known.runs.count >= UpstreamOwners.limit { known.runs.removeAll() }
            known.runs[id] = run
        }
        return run
    }

    /// The job of a backfill.
    func backfill(_ id: Int64) async throws(HarbourError) -> Int64 {
        if let job = known.withLock({ $0.backfills[id] }) { return job }
        let backfill = try await scheduler.call(
            SchedulerAPI.getBackfill, .init(backfillID: id), context: .within(UpstreamOwners.patience))
        known.withLock { known in
            if known.backfills.count >= UpstreamOwners.limit { known.backfills.removeAll() }
            known.backfills[id] = backfill.jobID
        }
        return backfill.jobID
    }
}
