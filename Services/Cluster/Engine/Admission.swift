internal import ClusterBackend
internal import Core
internal import HarbourProtocol

// Whether a wish is granted: policies, all problems at once, quotas.
extension ClusterEngine {
    /// A specification that may be used.
    struct Admitted: Sendable {
        /// With what its policy fills in.
        var spec: ClusterSpec
        var backend: any ClusterBackend
        var policy: ClusterPolicy?
    }

    /// What a specification comes to, and all that is wrong with it. Nothing is made.
    func examine(_ wish: ClusterSpec) async throws -> (admitted: Admitted?, spec: ClusterSpec, problems: [SpecProblem])
    {
        var spec = wish
        var problems: [SpecProblem] = []
        var policy: ClusterPolicy?
        if let id = spec.instancePoolID {
            if let pool = pools[id] {
                spec = try wish.filled(from: pool.row.spec)
            } else {
                problems.append(SpecProblem("instance_pool_id", "must name a pool, and there is no \(id)"))
            }
        }
        if let id = spec.policyID {
            policy = try await context.policies.policy(id)
            if let policy {
                let outcome = try PolicyDefinition(policy.definition).apply(to: spec)
                spec = outcome.spec
                problems += outcome.problems
            } else {
                problems.append(SpecProblem("policy_id", "must name a policy, and there is no \(id)"))
            }
        }
        let name = spec.backend ?? backends.first?.name
        let backend = backends.first { $0.name == name }
        let check = SpecCheck(
            types: context.nodeTypes, sizes: context.limits.sizes, backend: backend,
            backendNames: backends.map(\.name))
        problems += check.problems(of: spec).filter { !problems.contains($0) }
        guard let backend, problems.isEmpty else { return (nil, spec, problems) }
        return (Admitted(spec: spec, backend: backend, policy: policy), spec, [])
    }

    /// The specification as it may be used.
    /// - Throws: all that is wrong with it, as one error.
    func admit(_ wish: ClusterSpec) async throws -> Admitted {
        let (admitted, _, problems) = try await examine(wish)
        try problems.throwIfAny()
        guard let admitted else { throw HarbourError(.unavailable, "No backend is configured for clusters.") }
        return admitted
    }

    /// Runs the body, which writes down that a cluster of that user takes so much, if the user may have that much more.
    ///
    /// One after the other, so that two wishes at once do not both find room for one. Another instance of the service
    /// decides nothing while this one does.
    func withinQuota<Value: Sendable>(
        of user: String, _ id: ClusterIdentifier, _ admitted: Admitted,
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        await enterAdmission()
        defer { leaveAdmission() }
        if let quota = try await context.policies.quota(of: user) {
            let use = try await context.policies.use(of: user, besides: id)
            try quota.check(use + ClusterDemand(admitted.spec, context.nodeTypes))
        }
        if let policy = admitted.policy, let most = policy.maxClustersPerUser {
            let count = try await context.policies.count(of: user, under: policy.policyID, besides: id)
            guard count < most else {
                throw HarbourError(
                    .resourceExhausted,
                    "The policy \(policy.name) allows \(most) clusters for each user. Terminate one of yours.")
            }
        }
        return try await body()
    }

    /// Starts a cluster that has ended, if its creator may have one more.
    func start(_ name: String) async throws -> ClusterInfo {
        let controller = try await controller(name)
        let row = await controller.row
        guard row.record.step == .ended, row.poolID == nil else { return try await controller.request(.start) }
        // A policy that was changed since holds for new clusters; its count holds for all.
        var policy: ClusterPolicy?
        if let id = row.spec.policyID { policy = try await context.policies.policy(id) }
        let admitted = Admitted(spec: row.spec, backend: controller.backend, policy: policy)
        return try await withinQuota(of: row.creator, row.id, admitted) {
            if let ready = try await self.startOnReady(controller, row) { return ready }
            return try await controller.request(.start)
        }
    }
}

// What users set.
extension ClusterEngine {
    func setQuota(of user: String, _ wish: SetQuota) async throws -> ClusterQuota {
        let limits = Quota(clusters: wish.maxClusters, workers: wish.maxWorkers, cores: wish.maxCores)
        try await context.policies.put(limits, of: user)
        return try await info(user, limits)
    }

    func quota(of user: String) async throws -> ClusterQuota {
        try await info(user, try await context.policies.quota(of: user) ?? Quota())
    }

    func quotas() async throws -> ClusterQuotaList {
        var infos: [ClusterQuota] = []
        for (user, quota) in try await context.policies.quotas() { infos.append(try await info(user, quota)) }
        return ClusterQuotaList(quotas: infos)
    }

    private func info(_ user: String, _ quota: Quota) async throws -> ClusterQuota {
        let use = try await context.policies.use(of: user, besides: nil)
        return ClusterQuota(
            userName: user, maxClusters: quota.clusters, maxWorkers: quota.workers, maxCores: quota.cores,
            usedClusters: use.clusters, usedWorkers: use.workers, usedCores: use.cores)
    }

    func deleteQuota(of user: String) async throws {
        guard try await context.policies.deleteQuota(of: user) else {
            throw HarbourError(.notFound, "No quota has been set for \(user.prefix(64)).")
        }
    }

    /// Makes or changes a policy.
    func setPolicy(_ id: String, _ wish: SetPolicy, creator: String) async throws -> ClusterPolicy {
        guard ClusterIdentifier(id) != nil else {
            throw HarbourError(
                .invalidParameter,
                "A policy's id must have 1 to 64 letters, digits, dashes and underscores, and no dash in front.")
        }
        _ = try PolicyDefinition(wish.definition)
        return try await context.policies.put(id, wish, creator: creator, now: .now)
    }

    func policy(_ id: String) async throws -> ClusterPolicy {
        guard let policy = try await context.policies.policy(id) else { throw ClusterEngine.missingPolicy(id) }
        return policy
    }

    func deletePolicy(_ id: String) async throws {
        guard try await context.policies.deletePolicy(id) else { throw ClusterEngine.missingPolicy(id) }
    }

    private static func missingPolicy(_ id: String) -> HarbourError {
        HarbourError(.notFound, "There is no policy \(id.prefix(64)).")
    }
}
