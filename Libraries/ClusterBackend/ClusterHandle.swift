/// All a backend needs to find a cluster again. The service stores it and hands it back; nobody else looks inside.
///
/// It holds no secret. A newer version of a backend reads the payloads of its older ones.
public struct ClusterHandle: Sendable, Hashable {
    /// The backend that made it.
    public var backend: String
    /// The version of the payload's form, counted by the backend.
    public var version: Int
    /// The cluster.
    public var cluster: ClusterIdentifier
    /// The backend's own; 64 KiB at most.
    public var payload: [UInt8]

    /// Makes a handle.
    public init(backend: String, version: Int, cluster: ClusterIdentifier, payload: [UInt8]) {
        self.backend = backend
        self.version = version
        self.cluster = cluster
        self.payload = payload
    }
}

/// Where a driver listens, as a base URL.
public struct DriverAddress: Sendable, Hashable, CustomStringConvertible {
    /// `unix:/path`, `http://host:port` or `https://host:port`.
    public let url: String

    private init(url: String) { self.url = url }

    /// A unix socket.
    public static func unix(path: String) -> DriverAddress { DriverAddress(url: "unix:\(path)") }

    /// A TCP port without TLS; only within one machine or a private network. An IPv6 address comes in brackets.
    public static func http(host: String, port: Int) -> DriverAddress { DriverAddress(url: "http://\(host):\(port)") }

    /// A TCP port with TLS.
    public static func https(host: String, port: Int) -> DriverAddress { DriverAddress(url: "https://\(host):\(port)") }

    /// The address of that URL, or nil when it is none of the three forms.
    public init?(parsing url: String) {
        if url.hasPrefix("unix:/") {
            self.url = url
            return
        }
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.hasSuffix(":"), !url.hasSuffix("//") else {
            return nil
        }
        self.url = url
    }

    /// The path of a unix socket, or nil for the other forms.
    public var unixPath: String? { url.hasPrefix("unix:") ? String(url.dropFirst(5)) : nil }

    /// The URL.
    public var description: String { url }
}

/// A cluster that has been brought up, as far as its backend sees.
public struct ProvisionedCluster: Sendable, Hashable {
    /// What finds it again.
    public var handle: ClusterHandle
    /// Where its driver listens or is about to, as seen from the service.
    public var driver: DriverAddress
    /// The driver's size, with nothing left open.
    public var driverSize: NodeSize
    /// Each worker's size, with nothing left open.
    public var workerSize: NodeSize
    /// How many workers have been started.
    public var workers: Int
    /// What the user should know, such as a limit that is advisory here.
    public var notes: [String]

    /// Makes an answer.
    public init(
        handle: ClusterHandle, driver: DriverAddress, driverSize: NodeSize, workerSize: NodeSize, workers: Int,
        notes: [String] = []
    ) {
        self.handle = handle
        self.driver = driver
        self.driverSize = driverSize
        self.workerSize = workerSize
        self.workers = workers
        self.notes = notes
    }
}

/// A cluster the service knows of, for `recover`.
public struct RecoveryEntry: Sendable, Hashable {
    /// Its name.
    public var id: ClusterIdentifier
    /// The newest handle stored; nil when the service died before it received one.
    public var handle: ClusterHandle?

    /// Makes an entry.
    public init(id: ClusterIdentifier, handle: ClusterHandle?) {
        self.id = id
        self.handle = handle
    }
}

/// What became of one cluster while the service was away.
public enum RecoveredCluster: Sendable, Hashable {
    /// It runs, and is being looked after again.
    case running(ProvisionedCluster)
    /// Its start had begun. `provision` goes on with it, `terminate` ends it.
    case incomplete
    /// It has ended; traces may be left for `logs`, until `terminate`.
    case ended(ClusterEnd)
    /// There is no trace of it.
    case absent
}

/// The answer of `recover`.
public struct RecoveryReport: Sendable, Hashable {
    /// One answer for each id that was asked for.
    public var clusters: [ClusterIdentifier: RecoveredCluster]
    /// The orphans that were ended, by id.
    public var swept: [ClusterIdentifier]

    /// Makes a report.
    public init(clusters: [ClusterIdentifier: RecoveredCluster], swept: [ClusterIdentifier]) {
        self.clusters = clusters
        self.swept = swept
    }
}
