internal import ClusterBackend
internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of what clusters may be: validation, node types, policies and quotas.
struct PolicyHandlers: Sendable {
    let engine: ClusterEngine

    func register(on router: ServiceRouter) {
        router.on(ClusterAPI.validateCluster) { [engine] input, _ in
            let (_, spec, problems) = try await engine.examine(input.body.spec)
            return ClusterValidation(
                problems: problems.map { ClusterProblem(field: $0.field, message: $0.message) }, spec: spec)
        }
        router.on(ClusterAPI.listNodeTypes) { [engine] _, _ in NodeTypeList(nodeTypes: engine.context.nodeTypes.all) }
        registerPolicies(router)
        registerQuotas(router)
    }

    private func registerPolicies(_ router: ServiceRouter) {
        router.on(ClusterAPI.listPolicies) { [engine] _, _ in
            ClusterPolicyList(policies: try await engine.context.policies.policies())
        }
        router.on(ClusterAPI.getPolicy) { [engine] input, _ in try await engine.policy(input.policyID) }
        router.on(ClusterAPI.putPolicy) { [engine] input, context in
            try await engine.setPolicy(input.policyID, input.body, creator: context.userName)
        }
        router.on(ClusterAPI.deletePolicy) { [engine] input, _ in
            try await engine.deletePolicy(input.policyID)
            return Empty()
        }
    }

    private func registerQuotas(_ router: ServiceRouter) {
        router.on(ClusterAPI.listQuotas) { [engine] _, _ in try await engine.quotas() }
        router.on(ClusterAPI.getQuota) { [engine] input, _ in try await engine.quota(of: input.userName) }
        router.on(ClusterAPI.putQuota) { [engine] input, _ in
            try await engine.setQuota(of: input.userName, input.body)
        }
        router.on(ClusterAPI.deleteQuota) { [engine] input, _ in
            try await engine.deleteQuota(of: input.userName)
            return Empty()
        }
    }
}
