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
        let levels = try await given(elements, principal, gate)
        var visible: [JSONValue] = []
        for element in elements where try await isVisible(element, principal, gate, levels) { visible.append(element) }
        return visible
    }

    /// What was given on all of them, asked for at once.
    private func given(
        _ elements: [JSONValue], _ principal: Principal, _ gate: AccessGate
    ) async throws(HarbourError) -> [String: AccessLevel] {
        switch kind {
        case .clusters:
            return try await gate.permissions.levels(
                principal, on: elements.compactMap { $0["cluster_id"]?.string }, .cluster)
        case .jobs, .deletedJobs, .runs:
            let ids = Set(elements.compactMap { $0["job_id"]?.int64 })
            return try await gate.permissions.levels(principal, on: ids.map { "\($0)" }, .job)
        }
    }

    private func isVisible(
        _ element: JSONValue, _ principal: Principal, _ gate: AccessGate, _ levels: [String: AccessLevel]
    ) async throws(HarbourError) -> Bool {
        // Without a name of its maker an element is nobody's.
        guard let creator = element["creator_user_name"]?.string else { return false }
        // Nobody brings back what they may only look at.
        if case .deletedJobs = kind, principal.role == .viewer { return false }
        if creator == principal.userName { return true }
        switch kind {
        case .clusters:
            guard let id = element["cluster_id"]?.string else { return false }
            let cluster = UpstreamOwners.cluster(creator: creator, owner: element["owner"]?.string)
            return try await gate.level(principal, of: cluster, given: levels[id]) >= .view
        case .jobs:
            guard let id = element["job_id"]?.int64 else { return false }
            return levels["\(id)"] != nil
        case .deletedJobs:
            guard let id = element["job_id"]?.int64, let level = levels["\(id)"] else { return false }
            return level >= .manage
        case .runs:
            guard let id = element["job_id"]?.int64 else { return false }
            if levels["\(id)"] != nil { return true }
            return try await gate.level(principal, of: .init(creator: creator, jobID: id)) >= .view
        }
    }
}
