import Testing

@Suite struct LayerTests {
    let graph = PackageGraph.shared

    @Test func theManifestCanBeRead() {
        #expect(graph.targets.count > 50)
    }

    @Test func everyImportIsDeclaredAndEveryDeclarationIsUsed() {
        for target in graph.targets.values where !target.name.hasPrefix("C") || graph.files(of: target).count > 0 {
            let files = graph.files(of: target)
            let imported = files.reduce(into: Set<String>()) { $0.formUnion($1.imports) }
            let ours = imported.intersection(graph.targets.keys).subtracting([target.name])
            let undeclared = ours.subtracting(target.dependencies)
            #expect(undeclared.isEmpty, "\(target.name) imports what it does not declare: \(undeclared.sorted())")
            // A linked allocator is there without being imported.
            // Suites share one list of what tests of services need.
            if target.type == "test" { continue }
            let unused = target.dependencies.subtracting(ours).subtracting(["CAllocator"])
            #expect(unused.isEmpty, "\(target.name) declares what it does not import: \(unused.sorted())")
        }
    }

    @Test func foreignModulesAreTheToolchainsOwn() {
        let allowed: Set<String> = ["Glibc", "Synchronization", "Testing", "PackageDescription", "_Concurrency"]
        for file in SourceTree.shared.files where !file.path.hasPrefix("Tests/Benchmarks/") {
            let foreign = file.imports.subtracting(graph.targets.keys).subtracting(allowed)
            #expect(foreign.isEmpty, "\(file.path) imports \(foreign.sorted())")
        }
    }

    @Test func eachCLibraryHasOneDoorAndOneUser() {
        let doors = graph.targets.values.filter { $0.path.hasPrefix("Libraries/C") && isDoor($0) }
        #expect(doors.count >= 7)
        for door in doors where door.name != "CAllocator" {
            let users = graph.targets.values.filter { $0.dependencies.contains(door.name) }.map(\.name)
            #expect(users.count <= 1, "\(door.name) is used by \(users.sorted())")
        }
    }

    @Test func librariesPluginsAndServicesOnlyPointDownwards() {
        for target in graph.targets.values {
            for name in target.dependencies {
                guard let dependency = graph.targets[name] else { continue }
                let reason = "\(target.name) -> \(name)"
                switch layer(of: target) {
                case .library: #expect(layer(of: dependency) == .library, "\(reason)")
                case .plugin: #expect(layer(of: dependency) == .library, "\(reason)")
                case .service:
                    let inside = dependency.path == target.path || target.path.hasPrefix(dependency.path + "/")
                    let registers = target.name == "cluster" && layer(of: dependency) == .plugin
                    #expect(layer(of: dependency) == .library || inside || registers, "\(reason)")
                case .test: break
                }
            }
        }
    }

    /// What is for tests alone is in no program that is released.
    @Test func noProgramCarriesTheSimulatedBackendOrTheTestKits() {
        let inside: Set<String> = ["SimulatedBackend", "ClusterBackendConformance", "TestSupport", "ServiceTestKit"]
        let programs = graph.targets.values.filter { $0.type == "executable" && $0.path.hasPrefix("Services/") }
        #expect(programs.count >= 6)
        for program in programs {
            var reached: Set<String> = []
            var open = [program.name]
            while let name = open.popLast() {
                if reached.insert(name).inserted { open += graph.targets[name]?.dependencies ?? [] }
            }
            #expect(
                reached.isDisjoint(with: inside), "\(program.name) carries \(reached.intersection(inside).sorted())")
        }
    }

    @Test func theGraphHasNoCycle() {
        var done: Set<String> = []
        func visit(_ name: String, _ path: [String]) {
            if done.contains(name) { return }
            guard !path.contains(name) else {
                Issue.record("a cycle: \((path + [name]).joined(separator: " -> "))")
                return
            }
            for next in graph.targets[name]?.dependencies ?? [] { visit(next, path + [name]) }
            done.insert(name)
        }
        for name in graph.targets.keys { visit(name, []) }
    }

    /// Who calls whose API. A new edge is a decision: it is an upgrade barrier between two services.
    @Test func servicesCallEachOtherAsDrawn() {
        let drawn: [String: Set<String>] = [
            "Workspace": ["SchedulerAPI", "ClusterAPI", "MonitoringAPI"], "Scheduler": ["ClusterAPI", "WorkspaceAPI"],
            "Cluster": ["DriverAPI", "WorkspaceAPI"],
            "Monitoring": ["ClusterAPI"], "Driver": [],
            "Harbour": ["WorkspaceAPI", "SchedulerAPI", "ClusterAPI", "MonitoringAPI"],
        ]
        for (service, allowed) in drawn {
            let own = "\(service)API"
            for file in SourceTree.shared.files where file.path.hasPrefix("Services/\(service)/") {
                for api in ["WorkspaceAPI", "SchedulerAPI", "ClusterAPI", "DriverAPI", "MonitoringAPI"]
                where api != own && file.text.contains("\(api).") {
                    #expect(allowed.contains(api), "\(file.path) calls \(api)")
                }
            }
        }
    }

    private enum Layer { case library, plugin, service, test }

    private func layer(of target: PackageGraph.Target) -> Layer {
        switch target.path.prefix(while: { $0 != "/" }) {
        case "Libraries": .library
        case "Plugins": .plugin
        case "Services": .service
        default: .test
        }
    }

    private func isDoor(_ target: PackageGraph.Target) -> Bool {
        graph.files(of: target).isEmpty && target.name.dropFirst().first?.isUppercase == true
    }
}
