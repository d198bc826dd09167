import ClusterBackend
import Core
import HarbourProtocol
import TestSupport
import Testing

@testable import ClusterService

/// What policies, node types and quotas decide, without a service.
@Suite struct PolicyDefinitionTests {
    private func apply(_ policy: String, _ spec: ClusterSpec) throws -> (ClusterSpec, [String]) {
        let (spec, problems) = try PolicyDefinition(policy).apply(to: spec)
        return (spec, problems.map(\.description))
    }

    @Test func whatIsFixedAndWhatHasADefaultIsFilledIn() throws {
        let policy = """
            {"spark_conf.spark.speculation": {"type": "fixed", "value": true},
             "num_workers": {"type": "range", "maxValue": 4, "defaultValue": 2},
             "node_type_id": {"type": "allowlist", "values": ["small", "medium"], "defaultValue": "small"},
             "autotermination_minutes": {"type": "unlimited", "defaultValue": 10},
             "custom_tags.team": {"type": "unlimited"}}
            """
        let (spec, problems) = try apply(policy, ClusterSpec(clusterName: "a", sparkConf: ["spark.x": "1"]))
        #expect(problems.isEmpty)
        #expect(spec.sparkConf == ["spark.x": "1", "spark.speculation": "true"])
        #expect(spec.numWorkers == 2)
        #expect(spec.nodeTypeID == "small")
        #expect(spec.autoterminationMinutes == 10)
        #expect(spec.customTags == nil)
        let again = try apply(policy, spec)
        #expect(again.0 == spec)
        #expect(again.1.isEmpty)
    }

    @Test func allThatIsNotAllowedIsToldAtOnce() throws {
        let policy = """
            {"num_workers": {"type": "range", "minValue": 1, "maxValue": 4},
             "driver_memory_mb": {"type": "fixed", "value": 1024},
             "spark_conf.spark.x": {"type": "forbidden"},
             "backend": {"type": "blocklist", "values": ["docker"]},
             "cluster_name": {"type": "allowlist", "values": ["good"]},
             "node_type_id": {"type": "allowlist", "values": ["small"]},
             "driver_cores": {"type": "range", "maxValue": 2, "isOptional": true}}
            """
        let spec = ClusterSpec(
            clusterName: "bad", backend: "docker", numWorkers: 9, driverMemoryMB: 2048, sparkConf: ["spark.x": "1"])
        #expect(
            try apply(policy, spec).1 == [
                "num_workers must be 1 to 4, not 9 (policy)", "driver_memory_mb must be 1024, not 2048 (policy)",
                "spark_conf.spark.x must be absent, not 1 (policy)",
                "backend must be other than docker, not docker (policy)",
                "cluster_name must be one of good, not bad (policy)",
                "node_type_id must be said: one of small (policy)",
            ])
    }

    @Test func aRangeOfWorkersAndANumberOfThemExcludeEachOther() throws {
        let policy = """
            {"num_workers": {"type": "range", "maxValue": 4},
             "autoscale.min_workers": {"type": "range", "minValue": 1},
             "autoscale.max_workers": {"type": "range", "maxValue": 8}}
            """
        #expect(try apply(policy, ClusterSpec(clusterName: "a", numWorkers: 4)).1.isEmpty)
        let range = AutoScale(minWorkers: 1, maxWorkers: 8)
        #expect(try apply(policy, ClusterSpec(clusterName: "a", autoscale: range)).1.isEmpty)
        let wide = AutoScale(minWorkers: 0, maxWorkers: 9)
        #expect(try apply(policy, ClusterSpec(clusterName: "a", autoscale: wide)).1.count == 2)
    }

    @Test func aPolicyThatIsNoneSaysAllThatIsWrong() throws {
        let broken = """
            {"colour": {"type": "fixed", "value": "red"}, "num_workers": {"type": "fixed"},
             "backend": {"type": "regex", "pattern": "x"}, "driver_cores": 4, "worker_cores": {"type": "range"},
             "cluster_name": {"type": "allowlist", "values": ["a"], "defaultValue": "b"},
             "node_type_id": {"type": "unlimited", "surprise": 1}}
            """
        do {
            _ = try PolicyDefinition(broken)
            Issue.record("should be refused")
        } catch {
            #expect(error.code == .invalidParameter)
            for word in [
                "colour", "num_workers needs a `value`", "backend needs a `type`", "driver_cores must be an object",
                "worker_cores needs a `minValue`", "cluster_name has a `defaultValue`", "`surprise`",
            ] {
                #expect(error.message.contains(word), "\(word)")
            }
        }
        for text in ["", "[]", "{", "{\"a\": 1} x"] {
            #expect(throws: HarbourError.self) { try PolicyDefinition(text) }
        }
    }

    /// Whatever a policy fills in is what it allows.
    @Test(arguments: 0..<200) func whatAPolicyFillsInItAccepts(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let attributes = ["num_workers", "driver_cores", "cluster_name", "spark_conf.a.b", "autoscale.max_workers"]
        var members: [String] = []
        for attribute in attributes where Bool.random(using: &generator) {
            let low = Int.random(in: 1...5, using: &generator)
            let high = low + Int.random(in: 0...5, using: &generator)
            let rules = [
                "{\"type\": \"fixed\", \"value\": \(low)}",
                "{\"type\": \"range\", \"minValue\": \(low), \"maxValue\": \(high), \"defaultValue\": \(high)}",
                "{\"type\": \"allowlist\", \"values\": [\(low), \(high)], \"defaultValue\": \(low)}",
                "{\"type\": \"forbidden\"}", "{\"type\": \"unlimited\", \"defaultValue\": \(low)}",
            ]
            members.append("\"\(attribute)\": \(rules[Int.random(in: 0..<rules.count, using: &generator)])")
        }
        let policy = try PolicyDefinition("{\(members.joined(separator: ", "))}")
        let (filled, _) = try policy.apply(to: ClusterSpec(clusterName: "a"))
        let (again, problems) = try policy.apply(to: filled)
        #expect(again == filled)
        // Only the name, which every cluster has, can be wrong from the start; and a range of workers needs both ends.
        #expect(problems.allSatisfy { $0.field == "cluster_name" || $0.field == "policy_id" }, "\(problems)")
    }

    @Test func nodeTypesGiveSizes() throws {
        let types = try NodeTypes("big:8:8192,small:1:1024")
        #expect(types.all.map(\.nodeTypeID) == ["small", "big"])
        let spec = BackendSpec(ClusterSpec(clusterName: "a", nodeTypeID: "small", driverNodeTypeID: "big"), types)
        #expect(spec.driver == NodeSize(cores: 8, memoryMiB: 8192))
        #expect(spec.worker == NodeSize(cores: 1, memoryMiB: 1024))
        let wrong = ClusterSpec(
            clusterName: "a", driverCores: 2, workerMemoryMB: 512, nodeTypeID: "huge", driverNodeTypeID: "big")
        #expect(
            types.problems(of: wrong).map(\.field) == ["node_type_id", "node_type_id", "driver_node_type_id"])
        for text in ["a", "a:0:1024", "a:1:1", "a:1:1024,a:1:1024", ":1:1024"] {
            #expect(throws: HarbourError.self) { try NodeTypes(text) }
        }
    }

    @Test func quotasCountTheMostThatAClusterMayHave() throws {
        let types = try NodeTypes(NodeTypes.usual)
        let spec = ClusterSpec(
            clusterName: "a", autoscale: AutoScale(minWorkers: 1, maxWorkers: 3), nodeTypeID: "medium")
        let demand = ClusterDemand(spec, types)
        #expect(demand == ClusterDemand(clusters: 1, workers: 3, cores: 8))
        #expect(Quota(clusters: 1, workers: 3, cores: 8).broken(by: demand).isEmpty)
        #expect(Quota().broken(by: demand + demand).isEmpty)
        #expect(
            Quota(clusters: 1, workers: 5, cores: 8).broken(by: demand + demand) == [
                "2 clusters of 1", "6 workers of 5", "16 cores of 8",
            ])
    }
}
