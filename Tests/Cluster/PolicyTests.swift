import ClusterBackend
import Core
import HarbourProtocol
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// Validation, policies and quotas, through the service's own API.
@Suite struct PolicyTests {
    private func create(
        _ client: ServiceClient, _ spec: ClusterSpec, _ id: String, user: String = "ada"
    ) async throws -> ClusterInfo {
        try await client.call(
            ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)),
            context: CallContext(user: user))
    }

    @Test func allProblemsOfAWishAreToldAtOnceWithoutMakingIt() async throws {
        try await withService { fixture, client in
            let spec = ClusterSpec(
                clusterName: "a", numWorkers: 500, driverCores: 1000, sparkConf: ["spark.eventLog.dir": "/tmp"],
                sparkEnvVars: ["HARBOUR_X": "y"],
                autoscale: AutoScale(minWorkers: 4, maxWorkers: 2), nodeTypeID: "huge", policyID: "none")
            let answer = try await client.call(
                ClusterAPI.validateCluster, .init(body: EditCluster(spec: spec)))
            let fields = Set(answer.problems.map(\.field))
            #expect(
                fields.isSuperset(of: [
                    "num_workers", "driver_cores", "spark_conf", "spark_env_vars", "autoscale", "node_type_id",
                    "policy_id",
                ]), "\(fields)")
            await expectCode(.invalidParameter) { try await create(client, spec, "c1") }
            let good = try await client.call(
                ClusterAPI.validateCluster, .init(body: EditCluster(spec: ClusterSpec(clusterName: "a"))))
            #expect(good.problems.isEmpty)
            #expect(fixture.world.clusters.isEmpty)
            let types = try await client.call(ClusterAPI.listNodeTypes, .init()).nodeTypes
            #expect(types.map(\.nodeTypeID) == ["small", "medium", "large", "xlarge"])
        }
    }

    /// Goal: what is larger than the platform allows is refused also where the backend has nothing against it, with one
    /// sentence of each field; and who fills a form in is told the same limits.
    @Test func whatIsTooLargeForThePlatformIsRefused() async throws {
        let sizes = ["--most-workers", "5", "--most-cores", "6", "--most-memory", "4096"]
        try await withService(arguments: sizes) { fixture, client in
            func problems(_ spec: ClusterSpec) async throws -> [String] {
                try await client.call(ClusterAPI.validateCluster, .init(body: EditCluster(spec: spec))).problems
                    .map { "\($0.field) \($0.message)" }
            }
            let large = ClusterSpec(
                clusterName: "a", numWorkers: 6, driverCores: 999, driverMemoryMB: 9999, workerCores: 7,
                workerMemoryMB: 4097)
            #expect(
                try await problems(large) == [
                    // The backend's own.
                    "driver_cores must be 64 or less on this backend", "num_workers must be 5 or less on this platform",
                    "worker_cores must be 6 or less on this platform",
                    "driver_memory_mb must be 4096 or less on this platform",
                    "worker_memory_mb must be 4096 or less on this platform",
                ])
            await expectCode(.invalidParameter) { try await create(client, large, "c1") }
            #expect(fixture.world.clusters.isEmpty)
            let growing = ClusterSpec(clusterName: "a", autoscale: AutoScale(minWorkers: 1, maxWorkers: 6))
            #expect(try await problems(growing) == ["num_workers must be 5 or less on this platform"])
            // By the name of a size as by its numbers.
            #expect(
                try await problems(ClusterSpec(clusterName: "a", numWorkers: 1, nodeTypeID: "xlarge")).count == 4)
            let fitting = ClusterSpec(
                clusterName: "a", numWorkers: 5, driverCores: 6, driverMemoryMB: 4096, workerCores: 6,
                workerMemoryMB: 4096)
            #expect(try await problems(fitting).isEmpty)
            let backend = try #require(try await client.call(ClusterAPI.listBackends, .init()).backends.first)
            #expect(backend.maximumWorkers == 5 && backend.maximumCores == 6 && backend.maximumMemoryMB == 4096)
        }
    }

    @Test func aPolicyFillsInAndLimits() async throws {
        try await withService { fixture, client in
            let rules = """
                {"num_workers": {"type": "range", "maxValue": 4, "defaultValue": 2},
                 "node_type_id": {"type": "fixed", "value": "small"},
                 "spark_conf.spark.x": {"type": "fixed", "value": "1"}}
                """
            let policy = SetPolicy(name: "Small ones", definition: rules, maxClustersPerUser: 2)
            let put = try await client.call(
                ClusterAPI.putPolicy, .init(policyID: "p1", body: policy), context: ServiceFixture.context)
            #expect(put.creatorUserName == "ada")
            await expectCode(.invalidParameter) {
                try await client.call(
                    ClusterAPI.putPolicy, .init(policyID: "p2", body: SetPolicy(name: "b", definition: "[]")))
            }
            await expectCode(.alreadyExists) {
                try await client.call(
                    ClusterAPI.putPolicy, .init(policyID: "p2", body: SetPolicy(name: "Small ones", definition: "{}")))
            }
            let wish = ClusterSpec(clusterName: "a", policyID: "p1")
            let made = try await create(client, wish, "c1")
            #expect(made.spec.numWorkers == 2)
            #expect(made.spec.sparkConf == ["spark.x": "1"])
            _ = try await fixture.wait("c1", for: .running)
            #expect(fixture.world.started.last?.request.spec.worker == NodeSize(cores: 1, memoryMiB: 1024))
            #expect(try await create(client, wish, "c1").startTime == made.startTime, "asking twice makes one")
            await expectCode(.invalidParameter) {
                try await create(client, ClusterSpec(clusterName: "a", numWorkers: 5, policyID: "p1"), "c2")
            }
            await expectCode(.invalidParameter) {
                try await client.call(
                    ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 5)))
            }
            _ = try await create(client, wish, "c2")
            await expectCode(.resourceExhausted) { try await create(client, wish, "c3") }
            _ = try await create(client, wish, "c3", user: "eve")
            let list = try await client.call(ClusterAPI.listPolicies, .init()).policies
            #expect(list.map(\.policyID) == ["p1"])
            _ = try await client.call(ClusterAPI.deletePolicy, .init(policyID: "p1"))
            await expectCode(.notFound) { try await client.call(ClusterAPI.getPolicy, .init(policyID: "p1")) }
            await expectCode(.invalidParameter) { try await create(client, wish, "c4") }
        }
    }

    @Test func quotasHoldForParallelWishesAndForStarts() async throws {
        try await withService { fixture, client in
            _ = try await client.call(
                ClusterAPI.putQuota, .init(userName: "*", body: SetQuota(maxClusters: 3, maxWorkers: 4)))
            _ = try await client.call(
                ClusterAPI.putQuota, .init(userName: "eve", body: SetQuota(maxCores: 2)))
            let made = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<10 {
                    group.addTask {
                        (try? await create(client, ClusterSpec(clusterName: "a"), "c\(number)")) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(made == 3)
            let use = try await client.call(ClusterAPI.getQuota, .init(userName: "ada"))
            #expect(use.usedClusters == 3)
            #expect(use.maxClusters == 3)
            let page = try await client.call(ClusterAPI.listClusters, .init())
            let first = try #require(page.clusters.first?.clusterID)
            _ = try await fixture.wait(first, for: .running)
            await expectCode(.resourceExhausted) {
                try await client.call(
                    ClusterAPI.resizeCluster, .init(clusterID: first, body: ResizeCluster(numWorkers: 5)))
            }
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: first, body: TerminateCluster()))
            _ = try await fixture.wait(first, for: .terminated)
            _ = try await create(client, ClusterSpec(clusterName: "a", numWorkers: 4), "more")
            await expectCode(.resourceExhausted) {
                try await client.call(ClusterAPI.startCluster, .init(clusterID: first))
            }
            await expectCode(.resourceExhausted) {
                try await create(client, ClusterSpec(clusterName: "e", nodeTypeID: "large"), "e1", user: "eve")
            }
            _ = try await create(client, ClusterSpec(clusterName: "e", nodeTypeID: "medium"), "e2", user: "eve")
            let quotas = try await client.call(ClusterAPI.listQuotas, .init()).quotas
            #expect(quotas.map(\.userName) == ["*", "eve"])
            #expect(quotas.last?.usedCores == 2)
            _ = try await client.call(ClusterAPI.deleteQuota, .init(userName: "*"))
            _ = try await client.call(ClusterAPI.startCluster, .init(clusterID: first))
            await expectCode(.notFound) { try await client.call(ClusterAPI.deleteQuota, .init(userName: "*")) }
        }
    }
}
