// swift-tools-version: 6.2
import PackageDescription

// The graph of DataHarbour. Arrows go down only: C doors, core, wire, contract, domain, plugins, services.
// Tests/Architecture checks that the sources import exactly what is declared here.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

func library(_ name: String, _ dependencies: [String] = [], path: String? = nil, exclude: [String] = []) -> Target {
    .target(
        name: name, dependencies: dependencies.map { .byName(name: $0) }, path: path ?? "Libraries/\(name)",
        exclude: exclude, swiftSettings: settings)
}

func plugin(_ name: String, _ dependencies: [String]) -> Target {
    library(name, dependencies, path: "Plugins/\(name)")
}

/// A service is a library, which tests start on port 0, and an executable of one file.
func service(
    _ name: String, executable: String, _ dependencies: [String], main: [String] = [], isServed: Bool = true,
    exclude: [String] = []
) -> [Target] {
    let library = "\(name)Service"
    return [
        .target(
            name: library, dependencies: dependencies.map { .byName(name: $0) }, path: "Services/\(name)",
            exclude: ["Main"] + exclude, swiftSettings: settings),
        .executableTarget(
            name: executable,
            dependencies: ([library, "CAllocator"] + (isServed ? ["ServiceKit"] : []) + main).map { .byName(name: $0) },
            path: "Services/\(name)/Main", swiftSettings: settings),
    ]
}

func tests(_ name: String, _ dependencies: [String], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: (dependencies + ["TestSupport"]).map { .byName(name: $0) },
        path: "Tests/\(name)", exclude: exclude, swiftSettings: settings)
}

/// A C library behind a shim header: macros and variadic functions made callable, nothing else.
func shim(_ name: String, links: [String] = []) -> Target {
    .target(name: name, path: "Libraries/\(name)", linkerSettings: links.map { .linkedLibrary($0) })
}

let doors: [Target] = [
    shim("CPlatform"),
    shim("CContract"),
    shim("CNghttp2", links: ["nghttp2"]),
    shim("CCurl", links: ["curl"]),
    shim("CPostgres", links: ["pq"]),
    shim("CLZ4", links: ["lz4"]),
    shim("CArchive", links: ["archive"]),
    shim("COpenSSL", links: ["ssl", "crypto"]),
    shim("CZeroMQ", links: ["zmq"]),
    shim("CYAML", links: ["yaml"]),
    shim("CAllocator", links: ["jemalloc"]),
]

let core: [Target] = [
    library("Core"),
    library("EventLoop", ["Core", "CPlatform"]),
    library("Configuration", ["Core"]),
    library("Metrics"),
    library("Lifecycle", ["Core", "EventLoop"]),
]

let wire: [Target] = [
    library("HTTPMessage", ["Core"]),
    library("HTTP2", ["Core", "HTTPMessage", "CNghttp2"]),
    library("HTTP1", ["Core", "HTTPMessage"]),
    library("WebSocket", ["Core", "HTTPMessage", "Cryptography"]),
    library("Cryptography", ["Core", "COpenSSL"]),
    library("Transport", ["Core", "EventLoop", "Cryptography"]),
    library(
        "HTTPServer",
        [
            "Core", "EventLoop", "HTTPMessage", "HTTP2", "HTTP1", "WebSocket", "Cryptography", "Transport",
        ]),
    library("HTTPClient", ["Core", "EventLoop", "HTTPMessage", "HTTP2", "Cryptography", "Transport"]),
    library("WebClient", ["Core", "EventLoop", "HTTPMessage", "Cryptography", "CCurl"]),
    library("ObjectStorage", ["Core", "EventLoop", "HTTPMessage", "Cryptography", "WebClient"]),
    library("Compression", ["Core", "CLZ4"]),
    library("Archive", ["Core", "CArchive"]),
    library("Postgres", ["Core", "EventLoop", "Metrics", "CPostgres"]),
]

let contract: [Target] = [
    .executableTarget(
        name: "ContractGenerator", dependencies: ["Core"], path: "Libraries/ContractGenerator",
        swiftSettings: settings),
    library("HarbourProtocol", ["Core", "HTTPMessage", "CContract"]),
    library("ServiceClients", ["Core", "EventLoop", "HTTPMessage", "HTTPClient", "HarbourProtocol"]),
    library(
        "ServiceKit",
        [
            "Core", "EventLoop", "Configuration", "Metrics", "Lifecycle", "HTTPMessage", "HTTPServer", "Cryptography",
            "Postgres", "HarbourProtocol",
        ]),
]

let domain: [Target] = [
    library("NotebookFormats", ["Core"]),
    library("CronSchedule", ["Core"]),
    library("YAML", ["Core", "CYAML"]),
    library("JupyterKernel", ["Core", "EventLoop", "Cryptography", "CZeroMQ"]),
    library("ClusterBackend", ["Core"], exclude: ["README.md"]),
    library("CommandJournals", ["Core"]),
    library("DriverProcesses", ["Core", "EventLoop", "ClusterBackend"]),
    library("CellExecution", ["Core", "EventLoop", "HarbourProtocol", "NotebookFormats", "ServiceClients"]),
]

let testKits: [Target] = [
    library("TestSupport", ["Core", "EventLoop"]),
    library(
        "ServiceTestKit", ["EventLoop", "HTTPClient", "ServiceClients", "ServiceKit", "TestSupport"]),
    library("StorageTestKit", ["Core", "EventLoop", "HTTPMessage", "WebClient", "TestSupport"]),
    library("ClusterBackendConformance", ["Core", "ClusterBackend"]),
]

let plugins: [Target] = [
    plugin("LocalBackend", ["Core", "EventLoop", "ClusterBackend", "DriverProcesses"]),
    library(
        "DockerBackend", ["Core", "EventLoop", "HTTPMessage", "Cryptography", "WebClient", "ClusterBackend"],
        path: "Plugins/DockerBackend", exclude: ["README.md"]),
    plugin("SimulatedBackend", ["Core", "ClusterBackend"]),
    plugin(
        "RemoteBackend",
        [
            "Core", "EventLoop", "ClusterBackend", "Cryptography", "DriverProcesses", "HTTPMessage", "HTTPServer",
            "HarbourProtocol", "ServiceKit", "WebClient",
        ]),
    plugin("SparkBackend", ["Core", "EventLoop", "ClusterBackend", "DriverProcesses", "WebClient"]),
]

/// The backends of the cluster service's executable.
let releasedBackends = [
    "LocalBackend",
    "RemoteBackend",
    "DockerBackend",
    "SparkBackend",
]

/// What every service with a database is made of.
let serviceBase = [
    "Core", "EventLoop", "Configuration", "Lifecycle", "HarbourProtocol", "HTTPClient", "ServiceKit", "Postgres",
]
let services: [Target] =
    service(
        "Workspace", executable: "workspace",
        serviceBase + [
            "HTTPMessage", "HTTPServer", "WebSocket", "Compression", "Cryptography", "NotebookFormats",
            "CellExecution", "ServiceClients", "ObjectStorage", "WebClient", "Archive",
        ], exclude: ["Page"])
    + service(
        "Scheduler", executable: "scheduler",
        serviceBase + [
            "ServiceClients", "CellExecution", "Compression", "CronSchedule", "NotebookFormats", "HTTPMessage",
            "Cryptography", "WebClient", "ObjectStorage", "YAML",
        ])
    + service(
        "Cluster", executable: "cluster",
        serviceBase + [
            "ServiceClients", "Metrics", "ClusterBackend", "CommandJournals", "HTTPMessage", "HTTPServer",
            "Compression", "WebClient",
        ],
        main: releasedBackends)
    + service(
        "Monitoring", executable: "monitoring",
        serviceBase + ["ServiceClients", "HTTPMessage", "HTTPServer", "WebClient", "Compression", "Metrics"])
    + service(
        "Driver", executable: "driver",
        [
            "Core", "EventLoop", "Configuration", "Metrics", "Lifecycle", "HarbourProtocol", "ServiceKit",
            "CommandJournals", "Cryptography", "JupyterKernel", "HTTPMessage", "HTTPServer", "WebClient",
        ])
    + service(
        "Harbour", executable: "harbour",
        [
            "Core", "EventLoop", "Lifecycle", "HTTPMessage", "HTTPServer", "HTTPClient", "HarbourProtocol",
            "ServiceClients", "YAML", "Cryptography",
        ], isServed: false)

/// What tests of services may need.
let common =
    serviceBase + ["Metrics", "HTTPMessage", "HTTPServer", "ServiceClients", "Compression", "Cryptography"]
let suites: [Target] = [
    tests("Core", ["Core"]),
    tests("EventLoop", ["Core", "EventLoop"]),
    tests("Configuration", ["Core", "Configuration"]),
    tests("Metrics", ["Core", "Metrics"]),
    tests("Lifecycle", ["Core", "EventLoop", "Lifecycle"]),
    tests("HTTPMessage", ["Core", "HTTPMessage"]),
    tests("HTTP2", ["Core", "HTTPMessage", "HTTP2"]),
    tests("HTTP1", ["Core", "HTTPMessage", "HTTP1"], exclude: ["h11_peer.py"]),
    tests("WebSocket", ["Core", "HTTPMessage", "WebSocket"]),
    tests("Cryptography", ["Core", "Cryptography"]),
    tests(
        "HTTPServer",
        [
            "Core", "EventLoop", "HTTPMessage", "HTTP2", "HTTPServer", "HTTPClient", "Transport", "Cryptography",
            "WebSocket",
        ], exclude: ["websockets_peer.py"]),
    tests("HTTPClient", ["Core", "EventLoop", "HTTPMessage", "HTTPServer", "HTTPClient", "Transport"]),
    tests(
        "WebClient", ["Core", "EventLoop", "HTTPMessage", "Cryptography", "WebClient"],
        exclude: ["peer.py", "smtp_peer.py"]),
    tests(
        "ObjectStorage",
        ["Core", "EventLoop", "HTTPMessage", "Cryptography", "WebClient", "ObjectStorage", "StorageTestKit"]),
    tests("Compression", ["Core", "Compression"]),
    tests("Archive", ["Core", "Archive"], exclude: ["zip_peer.py"]),
    tests("Postgres", ["Core", "EventLoop", "Postgres", "Metrics"]),
    tests("HarbourProtocol", ["Core", "HTTPMessage", "HarbourProtocol", "ContractGenerator"]),
    tests(
        "ServiceKit",
        [
            "Core", "EventLoop", "Configuration", "Metrics", "Lifecycle", "HTTPMessage", "HTTPServer", "HTTPClient",
            "HarbourProtocol", "ServiceClients", "ServiceKit", "Postgres", "Cryptography",
        ]),
    tests("NotebookFormats", ["Core", "NotebookFormats"], exclude: ["Corpus"]),
    tests("CronSchedule", ["Core", "CronSchedule"], exclude: ["croniter_peer.py"]),
    tests("YAML", ["Core", "YAML"]),
    tests("JupyterKernel", ["Core", "EventLoop", "Cryptography", "JupyterKernel"]),
    tests(
        "Conformance",
        [
            "Core", "EventLoop", "ClusterBackend", "ClusterBackendConformance", "DriverProcesses", "LocalBackend",
            "SimulatedBackend", "DockerBackend", "SparkBackend", "HTTPMessage", "HTTPServer",
        ], exclude: ["stand_in_driver.py", "spark_driver.py"]),
    tests(
        "Remote",
        [
            "RemoteBackend", "ClusterBackend", "ClusterBackendConformance", "ClusterService", "WorkspaceService",
            "SimulatedBackend", "ServiceTestKit",
        ] + common),
    tests(
        "DockerBackend",
        [
            "Core", "EventLoop", "Cryptography", "WebClient", "ClusterBackend", "DockerBackend", "HTTPClient",
            "HarbourProtocol", "ServiceClients",
        ], exclude: ["hungry_driver.py"]),
    // The programs are not imported: the tests start and kill them.
    tests(
        "Workspace",
        [
            "WorkspaceService", "ServiceTestKit", "StorageTestKit", "NotebookFormats", "CellExecution", "Transport",
            "WebSocket", "ObjectStorage", "WebClient", "workspace", "harbour",
        ] + common),
    tests(
        "Scheduler",
        [
            "SchedulerService", "ServiceTestKit", "StorageTestKit", "CronSchedule", "WebClient", "scheduler",
            "harbour",
        ] + common),
    tests(
        "Cluster",
        [
            "ClusterService", "ServiceTestKit", "ClusterBackend", "CellExecution", "CommandJournals",
            "SimulatedBackend",
        ] + common),
    tests("Monitoring", ["MonitoringService", "ServiceTestKit"] + common),
    tests(
        "Driver",
        [
            "DriverService", "CommandJournals", "Core", "EventLoop", "HTTPMessage", "HTTPClient", "HarbourProtocol",
            "ServiceClients", "ServiceKit", "JupyterKernel",
        ]),
    tests(
        "Harbour",
        ["HarbourService", "Core", "EventLoop", "HTTPMessage", "HTTPServer", "HarbourProtocol", "ServiceClients"]),
    tests(
        "Integration",
        // The programs are not imported: the tests start them.
        ["ServiceTestKit", "harbour", "workspace", "scheduler", "cluster", "monitoring", "driver"]
            + common, exclude: ["fake_runtime"]),
    tests("Architecture", ["Core", "EventLoop"]),
]

let benchmarks: [Target] = [
    .executableTarget(
        name: "benchmarks",
        dependencies: [
            "Core", "EventLoop", "HTTPMessage", "HTTPServer", "HTTPClient", "Postgres", "HarbourProtocol",
            "ServiceClients", "CAllocator", "Configuration", "Lifecycle", "ServiceKit", "JupyterKernel",
        ], path: "Tests/Benchmarks/Runner", swiftSettings: settings)
]

/// Programs that libFuzzer drives (Tests/README.md). They have no main of their own and link with `--sanitize=fuzzer`
/// only, so they are built only when named.
func fuzzer(_ name: String, _ dependencies: [String]) -> Target {
    .executableTarget(
        name: "\(name)Fuzzer", dependencies: (["Core"] + dependencies).map { .byName(name: $0) },
        path: "Tests/Fuzzers/\(name)Fuzzer", swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
}
let fuzzers: [Target] =
    Context.environment["HARBOUR_TARGETS"]?.contains("Fuzzer") == true
    ? [
        fuzzer("HTTP1", ["HTTP1"]), fuzzer("HTTP2", ["HTTPMessage", "HTTP2"]), fuzzer("WebSocket", ["WebSocket"]),
        fuzzer("JSON", []), fuzzer("NotebookFormats", ["NotebookFormats"]), fuzzer("CronSchedule", ["CronSchedule"]),
        fuzzer("YAML", ["YAML"]), fuzzer("Archive", ["Archive"]),
    ] : []

var targets =
    doors + core + wire + contract + domain + testKits + plugins + services + suites + benchmarks + fuzzers

// `swift test` builds every test target whatever its filter says. HARBOUR_TARGETS=PostgresTests keeps only the named
// targets and what they need, so that work on one module costs the build of one module.
if let wanted = Context.environment["HARBOUR_TARGETS"] {
    let byName = Dictionary(uniqueKeysWithValues: targets.map { ($0.name, $0) })
    var kept: Set<String> = []
    var open = wanted.split(separator: ",").map(String.init)
    while let name = open.popLast() {
        guard kept.insert(name).inserted, let target = byName[name] else { continue }
        for case .byNameItem(let dependency, _) in target.dependencies { open.append(dependency) }
    }
    targets.removeAll { !kept.contains($0.name) }
}

let package = Package(name: "DataHarbour", targets: targets)
