internal import ClusterBackend
internal import Core
internal import Cryptography
internal import Glibc
internal import HTTPMessage
internal import WebClient

/// What the operator has set, read once. The names are those of `HARBOUR_BACKEND_DOCKER_<NAME>`, in lower case.
struct DockerSettings: Sendable {
    /// How the service reaches a driver.
    enum Reach: String, Sendable {
        /// By a unix socket in a folder of ours that the driver's container mounts.
        case socket
        /// By its address in a network that the service's own container is in, too.
        case network
    }

    /// Where the engine listens.
    var endpoint: EngineEndpoint
    /// The image of clusters that name none.
    var image: String
    /// The interpreter, the driver and Java as the image has them.
    var python: String
    var driver: String
    var javaHome: String?
    /// More variables for every node, such as where a mounted Python runtime is.
    var runtimeFolder: String?
    /// Folders of the engine's machine that every node sees, read-only unless they say `rw`.
    var mounts: [String]
    /// `uid:gid` of the nodes' processes; nil follows from who we are and from the image.
    var user: String?
    /// nil looks whether the service runs in a container of that engine.
    var reach: Reach?
    /// A network that exists and that the service is in; drivers join it.
    var network: String?
    /// The service's own container, where it cannot be found by itself.
    var ownContainer: String?

    static let defaultImage = "dataharbour/cluster:latest"

    /// What the service reads for us and lists in its help.
    static let declared = [
        BackendSetting(
            "host", help: "Where the Docker engine listens: unix:///path or tcp://host:port.", aliases: ["DOCKER_HOST"],
            default: "unix:///var/run/docker.sock"),
        BackendSetting(
            "tls_folder", help: "The folder of ca.pem, cert.pem and key.pem for an engine that listens on TCP.",
            aliases: ["DOCKER_CERT_PATH"]),
        BackendSetting("image", help: "The image of clusters that name none.", default: defaultImage),
        BackendSetting(
            "reach",
            help: "How drivers are reached: socket (a folder of ours that they mount) or network (their addresses). "
                + "Without it, socket, and network when this service runs in a container itself."),
        BackendSetting("network", help: "A network that exists and that this service is in; drivers join it."),
        BackendSetting("own_container", help: "This service's container, where its id cannot be found out."),
        BackendSetting(
            "mounts",
            help: "Folders of the engine's machine that clusters see: /from:/to[:ro|:rw], with commas between."),
        BackendSetting(
            "user", help: "As whom clusters' processes run: uid:gid. Without it, as this service or the image."),
        BackendSetting("image_python", help: "The interpreter of the clusters' Python inside the image."),
        BackendSetting("image_driver", help: "The driver's program inside the image."),
        BackendSetting("image_java_home", help: "Where Java is inside the image; looked for when absent."),
        BackendSetting(
            "image_runtime_folder",
            help: "The folder inside the image that has the package harbour_runtime, where Python does not find it."),
    ]

    /// - Throws: `INVALID_PARAMETER_VALUE`, naming the setting that cannot be used.
    init(_ values: [String: String]) throws(HarbourError) {
        let values = values.filter { !$0.value.isEmpty }
        endpoint = try EngineEndpoint(values["host"] ?? "unix:///var/run/docker.sock", folder: values["tls_folder"])
        image = values["image"] ?? DockerSettings.defaultImage
        python = values["image_python"] ?? "/opt/harbour/runtime/bin/python"
        driver = values["image_driver"] ?? "/opt/harbour/bin/driver"
        javaHome = values["image_java_home"]
        runtimeFolder = values["image_runtime_folder"]
        mounts = try DockerSettings.mounts(values["mounts"] ?? "")
        user = values["user"]
        network = values["network"]
        ownContainer = values["own_container"]
        if let word = values["reach"] {
            guard let known = Reach(rawValue: word) else {
                throw DockerSettings.invalid("REACH", "must be socket or network")
            }
            reach = known
        } else {
            reach = network == nil ? nil : .network
        }
        if let user, !user.split(separator: ":").allSatisfy({ UInt32($0) != nil }) {
            throw DockerSettings.invalid("USER", "must be numbers, such as 1000:1000")
        }
    }

    static func invalid(_ name: String, _ message: String) -> HarbourError {
        HarbourError(.invalidParameter, "The setting HARBOUR_BACKEND_DOCKER_\(name) \(message).")
    }

    private static func mounts(_ text: String) throws(HarbourError) -> [String] {
        var binds: [String] = []
        for word in text.split(separator: ",") {
            let parts = word.split(separator: ":", omittingEmptySubsequences: false)
            let paths = parts.prefix(2)
            guard (2...3).contains(parts.count), paths.allSatisfy({ $0.hasPrefix("/") }),
                parts.count == 2 || parts[2] == "ro" || parts[2] == "rw"
            else {
                throw invalid("MOUNTS", "must be /from:/to, /from:/to:ro or /from:/to:rw, with commas between them")
            }
            binds.append(parts.count == 2 ? "\(word):ro" : String(word))
        }
        return binds
    }
}

/// Where an engine listens, and how it is spoken to.
struct EngineEndpoint: Sendable, Hashable {
    /// As the operator wrote it.
    let text: String
    /// The path of its unix socket; nil for TCP.
    let socket: String?
    /// What URLs begin with.
    let base: String
    /// The folder of ca.pem, cert.pem and key.pem.
    let certificates: String?

    /// - Throws: `INVALID_PARAMETER_VALUE`.
    init(_ text: String, folder: String?) throws(HarbourError) {
        self.text = text
        certificates = folder
        if text.hasPrefix("unix://") {
            socket = String(text.dropFirst("unix://".count))
            base = "http://docker"
        } else if let scheme = ["tcp://", "https://", "http://"].first(where: text.hasPrefix) {
            socket = nil
            let authority = text.dropFirst(scheme.count)
            guard !authority.isEmpty, !authority.contains("/") else {
                throw DockerSettings.invalid("HOST", "must name a host and a port after \(scheme)")
            }
            base = (folder != nil || scheme == "https://" ? "https://" : "http://") + authority
        } else {
            throw DockerSettings.invalid("HOST", "must begin with unix:// or tcp://; other ways are not spoken")
        }
    }

    /// Whether everything said to it can be read on the way.
    var isOpen: Bool { socket == nil && base.hasPrefix("http://") }

    /// A client's configuration for it.
    func configuration() -> WebClientConfiguration {
        var configuration = WebClientConfiguration()
        configuration.proxy = .none
        configuration.connectTimeout = .seconds(5)
        // A followed log or statistic holds a connection for as long as its cluster lives.
        configuration.connectionsPerHost = 1024
        configuration.connections = 1024
        if let certificates {
            configuration.trust = .authorityFile("\(certificates)/ca.pem")
            if access("\(certificates)/cert.pem", F_OK) == 0 {
                configuration.certificate = TLSCertificateFiles(
                    chainFile: "\(certificates)/cert.pem", privateKeyFile: "\(certificates)/key.pem")
            }
        }
        return configuration
    }
}
