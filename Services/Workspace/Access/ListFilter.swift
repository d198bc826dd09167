internal import Core
internal import HarbourProtocol

/// Leaves in the lists of other services only what the caller may see. A page may come out shorter than was asked for;
/// its token still leads on.
struct ListFilter: Sendable {
    private enum Kind: Sendable {
        case clusters
        case jobs
        /// Shown to whoever may bring them back.
        case deletedJobs
        case runs
    }

    /// The field of the answer that has the list.
    let field: String
    private let kind: Kind

    /// The filter of an operation; nil when its answer is not such a list.
    init?(of route: EndpointRoute) {
        switch "\(route.service).\(route.operationID)" {
        case "cluster.listClusters": (field, kind) = ("clusters", .clusters)
        case "scheduler.listJobs": (field, kind) = ("jobs", .jobs)
        case "scheduler.listDeletedJobs": (field, kind) = ("jobs", .deletedJobs)
        case "scheduler.listRuns": (field, kind) = ("runs", .runs)
        default: return nil
        }
    }

    /// The elements that the user may see.
    func visible(
        _ elements: [JSONValue], to principal: Principal, _ gate: AccessGate
    ) async throws(HarbourError) -> [JSONValue] {
        let known = try await known(of: elements, principal, gate)
        return elements.filter { isVisible($0, principal, known) }
    }

    /// What decides on the elements, asked for at once and not for each of them.
    private struct Known {
        /// What was given on the clusters, and on the jobs that elements are, or are runs of.
        var clusters: [String: AccessLevel] = [:]
        var jobs: [String: AccessLevel] = [:]
        /// The runs that clusters were made for.
        var runs: [Int64: UpstreamOwners.Run] = [:]
        /// Who made the jobs on which nothing was given.
        var owners: [Int64: String] = [:]
    }

    private func known(
        of elements: [JSONValue], _ principal: Principal, _ gate: AccessGate
    ) async throws(HarbourError) -> Known {
        var known = Known()
        let others = elements.filter { kind == .runs || $0["creator_user_name"]?.string != principal.userName }
        var jobs = Set(others.compactMap { $0["job_id"]?.int64 })
        if case .clusters = kind {
            known.clusters = try await gate.permissions.levels(
                principal, on: others.compactMap { $0["cluster_id"]?.string }, .cluster)
            for cluster in others where known.clusters[cluster["cluster_id"]?.string ?? ""] == nil {
                guard let id = UpstreamOwners.run(ofOwner: cluster["owner"]?.string) else { continue }
                do throws(HarbourError) { known.runs[id] = try await gate.owners.run(id) } catch {
                    guard error.code == .notFound else { throw error }
                }
            }
            jobs = Set(known.runs.values.compactMap(\.jobID))
        }
        known.jobs = try await gate.permissions.levels(principal, on: jobs.map { "\($0)" }, .job)
        switch kind {
        case .clusters, .runs:
            known.owners = try await gate.owners.jobs(jobs.filter { known.jobs["\($0)"] == nil })
        case .jobs, .deletedJobs: break
        }
        return known
    }

    private func isVisible(_ element: JSONValue, _ principal: Principal, _ known: Known) -> Bool {
        // Without a name of its maker an element is nobody's.
        guard let creator = element["creator_user_name"]?.string else { return false }
        // Nobody brings back what they may only look at.
        if case .deletedJobs = kind, principal.role == .viewer { return false }
        // A right that was taken away does not live on in what was begun with it: for runs their jobs decide.
        if creator == principal.userName, kind != .runs { return true }
        let job = element["job_id"]?.int64
        switch kind {
        case .clusters:
            guard let id = element["cluster_id"]?.string else { return false }
            if known.clusters[id] != nil { return true }
            // Who may see a run may see the cluster that was made for it.
            guard let run = UpstreamOwners.run(ofOwner: element["owner"]?.string).flatMap({ known.runs[$0] }) else {
                return false
            }
            return maySeeRuns(of: run.jobID, by: run.creator, principal, known)
        case .jobs: return job.map { known.jobs["\($0)"] != nil } ?? false
        case .deletedJobs: return job.flatMap { known.jobs["\($0)"] }.map { $0 >= .manage } ?? false
        case .runs: return maySeeRuns(of: job, by: creator, principal, known)
        }
    }

    private func maySeeRuns(of job: Int64?, by creator: String, _ principal: Principal, _ known: Known) -> Bool {
        // A run without a job, or of one that was deleted for long, is its creator's alone.
        guard let job else { return creator == principal.userName }
        if known.jobs["\(job)"] != nil { return true }
        return (known.owners[job] ?? creator) == principal.userName
    }
}
