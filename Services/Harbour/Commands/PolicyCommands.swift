internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// `harbour clusters node-types`, `policies` and `quotas`.
enum PolicyCommands {
    private static let policy = Argument(name: "policy", help: "the id of the policy")
    private static let user = Argument(name: "user", help: "the user's name; * is everybody without one of their own")

    static let all: [Command] = [
        Command(name: "node-types", summary: "List the named sizes of nodes.", run: nodeTypes),
        Command(
            name: "policies", summary: "Policies: what clusters may be.",
            subcommands: [
                Command(name: "list", summary: "List the policies.", run: listPolicies),
                Command(
                    name: "set", summary: "Make or change a policy from a file of JSON rules.",
                    arguments: [policy, Argument(name: "file", help: "the rules by attribute")],
                    flags: [
                        .value("name", "NAME", "A name for people; the id when absent"),
                        .value("clusters-per-user", "N", "How many clusters one user may have under it"),
                    ], run: setPolicy),
                Command(name: "delete", summary: "Delete a policy.", arguments: [policy], run: deletePolicy),
            ]),
        Command(
            name: "quotas", summary: "Quotas: how much each user may have at a time.",
            subcommands: [
                Command(name: "list", summary: "List the quotas that have been set.", run: listQuotas),
                Command(name: "show", summary: "Show a user's quota and use.", arguments: [user], run: showQuota),
                Command(
                    name: "set", summary: "Set what a user may have; what is left out has no limit.",
                    arguments: [user],
                    flags: [
                        .value("clusters", "N", "Clusters"), .value("workers", "N", "Workers of all together"),
                        .value("cores", "N", "Cores of all together"),
                    ], run: setQuota),
                Command(name: "delete", summary: "Lift a user's quota.", arguments: [user], run: deleteQuota),
            ]),
    ]

    private static func nodeTypes(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(ClusterAPI.listNodeTypes, .init())
        setting.terminal.answer(list)
        setting.terminal.table(
            ["NODE TYPE", "CORES", "MEMORY"],
            list.nodeTypes.map { [$0.nodeTypeID, "\($0.numCores)", "\($0.memoryMB) MiB"] })
    }

    private static func listPolicies(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(ClusterAPI.listPolicies, .init())
        setting.terminal.answer(list)
        setting.terminal.table(
            ["POLICY", "NAME", "CLUSTERS EACH", "DESCRIPTION"],
            list.policies.map { policy in
                [
                    policy.policyID, policy.name, policy.maxClustersPerUser.map { "\($0)" } ?? "-",
                    policy.description ?? "",
                ]
            })
    }

    private static func setPolicy(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let id = invocation.word("policy")
        let text = String(decoding: try Files.read(invocation.word("file")), as: UTF8.self)
        let wish = SetPolicy(
            name: invocation.value("name") ?? id, definition: text,
            maxClustersPerUser: try invocation.integer("clusters-per-user", in: 1...10_000))
        let policy = try await PublicAPI(setting).call(ClusterAPI.putPolicy, .init(policyID: id, body: wish))
        setting.terminal.answer(policy)
        setting.terminal.say("The policy \(policy.name) is kept.")
    }

    private static func deletePolicy(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let id = invocation.word("policy")
        setting.terminal.answer(
            try await PublicAPI(setting).call(ClusterAPI.deletePolicy, .init(policyID: id)))
        setting.terminal.say("The policy \(id) is gone.")
    }

    private static func show(_ quotas: [ClusterQuota], _ terminal: Terminal) {
        func share(_ used: Int, _ limit: Int?) -> String { limit.map { "\(used) of \($0)" } ?? "\(used)" }
        terminal.table(
            ["USER", "CLUSTERS", "WORKERS", "CORES"],
            quotas.map { quota in
                [
                    quota.userName, share(quota.usedClusters, quota.maxClusters),
                    share(quota.usedWorkers, quota.maxWorkers), share(quota.usedCores, quota.maxCores),
                ]
            })
    }

    private static func listQuotas(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(ClusterAPI.listQuotas, .init())
        setting.terminal.answer(list)
        show(list.quotas, setting.terminal)
    }

    private static func showQuota(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let quota = try await PublicAPI(setting).call(
            ClusterAPI.getQuota, .init(userName: invocation.word("user")))
        setting.terminal.answer(quota)
        show([quota], setting.terminal)
    }

    private static func setQuota(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let wish = SetQuota(
            maxClusters: try invocation.integer("clusters", in: 0...100_000),
            maxWorkers: try invocation.integer("workers", in: 0...1_000_000),
            maxCores: try invocation.integer("cores", in: 0...1_000_000))
        let quota = try await PublicAPI(setting).call(
            ClusterAPI.putQuota, .init(userName: invocation.word("user"), body: wish))
        setting.terminal.answer(quota)
        show([quota], setting.terminal)
    }

    private static func deleteQuota(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let user = invocation.word("user")
        setting.terminal.answer(try await PublicAPI(setting).call(ClusterAPI.deleteQuota, .init(userName: user)))
        setting.terminal.say("The quota of \(user) is lifted.")
    }
}
