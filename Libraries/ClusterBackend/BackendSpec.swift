/// The size of one node. What is nil the backend decides, and says in `ProvisionedCluster`.
public struct NodeSize: Sendable, Hashable {
    /// Processor cores.
    public var cores: Int?
    /// Memory in MiB.
    public var memoryMiB: Int?

    /// Makes a size.
    public init(cores: Int? = nil, memoryMiB: Int? = nil) {
        self.cores = cores
        self.memoryMiB = memoryMiB
    }
}

/// What a cluster shall be, in terms of the place where it runs.
public struct BackendSpec: Sendable, Hashable {
    /// A name for people; labels may show it.
    public var displayName: String
    /// The node of the driver.
    public var driver: NodeSize
    /// Each worker's node.
    public var worker: NodeSize
    /// How many workers; 0 runs Spark inside the driver.
    public var workers: Int
    /// Spark properties, on top of what the backend sets.
    public var sparkConf: [String: String]
    /// Environment of the driver, its kernels and the workers.
    public var environment: [String: String]
    /// More of it, of which the values are secret.
    public var secretEnvironment: [String: Secret]
    /// The image to run in; nil takes the backend's own.
    public var image: String?
    /// For finding and counting; put on whatever can carry labels.
    public var tags: [String: String]

    /// Makes a specification.
    public init(
        displayName: String = "", driver: NodeSize = NodeSize(), worker: NodeSize = NodeSize(), workers: Int = 0,
        sparkConf: [String: String] = [:], environment: [String: String] = [:],
        secretEnvironment: [String: Secret] = [:], image: String? = nil, tags: [String: String] = [:]
    ) {
        self.displayName = displayName
        self.driver = driver
        self.worker = worker
        self.workers = workers
        self.sparkConf = sparkConf
        self.environment = environment
        self.secretEnvironment = secretEnvironment
        self.image = image
        self.tags = tags
    }
}

/// A file the driver needs beside its program.
public struct LaunchFile: Sendable, Hashable {
    /// Its name inside the driver's scratch folder: one path segment.
    public var name: String
    /// What is in it.
    public var content: [UInt8]

    /// Makes a file; it is written readable by the driver's user only.
    public init(name: String, content: [UInt8]) {
        self.name = name
        self.content = content
    }
}

/// How the driver's process is started. See `DriverStart` for what a backend adds to the environment.
public struct DriverLaunch: Sendable, Hashable {
    /// The program, as a path where the service runs. A backend with images may use the one inside the image instead.
    public var executable: String
    /// Its arguments, without its name. Never secret: anybody may list them.
    public var arguments: [String]
    /// The platform's own variables for it, such as where the Python runtime is.
    public var environment: [String: String]
    /// Files put into its scratch folder before it starts.
    public var files: [LaunchFile]
    /// What callers of the driver must show; handed over in a file.
    public var token: Secret

    /// Makes a launch.
    public init(
        executable: String, arguments: [String] = [], environment: [String: String] = [:], files: [LaunchFile] = [],
        token: Secret
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.files = files
        self.token = token
    }
}

/// A wish for a cluster, complete.
public struct ProvisionRequest: Sendable, Hashable {
    /// The name under which asking twice makes one.
    public var id: ClusterIdentifier
    /// What it shall be.
    public var spec: BackendSpec
    /// What runs as its driver.
    public var launch: DriverLaunch

    /// Makes a request.
    public init(id: ClusterIdentifier, spec: BackendSpec, launch: DriverLaunch) {
        self.id = id
        self.spec = spec
        self.launch = launch
    }
}
