public import ClusterBackend
internal import Core
internal import EventLoop

extension RemoteBackend {
    /// What an operator may set.
    public static var settings: [BackendSetting] {
        [
            BackendSetting("url", help: "The other platform, such as https://harbour.example."),
            BackendSetting("kind", help: "What it is: dataharbour or databricks.", default: "dataharbour"),
            BackendSetting("token_file", help: "A file that holds the token for it; read again when it is refused."),
            BackendSetting(
                "ca_file", help: "The authorities its certificate must come from; the system's when absent."),
            BackendSetting(
                "patience_seconds", help: "How long a request may take, its repetitions included.", default: "30"),
            BackendSetting("backend", help: "dataharbour: the backend there; its first one when absent."),
            BackendSetting("spark_version", help: "databricks: the runtime, a key of clusters/spark-versions."),
            BackendSetting("node_type", help: "databricks: an id of clusters/list-node-types."),
            BackendSetting("driver_node_type", help: "databricks: that of the driver; node_type when absent."),
            BackendSetting(
                "idle_minutes",
                help: "Minutes after which an idle cluster ends there by itself; 0 leaves that to this platform.",
                default: "0"),
        ]
    }

    enum Making {
        case made(any FarSide)
        case missing(String)
    }

    static func makeSide(_ context: BackendContext, _ loop: EventLoop) throws(HarbourError) -> Making {
        let settings = context.settings
        guard let url = settings["url"] else {
            return .missing("no other platform is set: set HARBOUR_BACKEND_REMOTE_URL")
        }
        // A token must not travel in the open but within this machine.
        let isHere = ["http://127.0.0.1", "http://[::1]"].contains { here in
            url == here || url.hasPrefix("\(here):") || url.hasPrefix("\(here)/")
        }
        guard isHere || url.hasPrefix("https://") else {
            return .missing("HARBOUR_BACKEND_REMOTE_URL must begin with https://")
        }
        guard let file = settings["token_file"] else {
            return .missing("no token is set: set HARBOUR_BACKEND_REMOTE_TOKEN_FILE to a file that holds one")
        }
        guard let minutes = Int(settings["idle_minutes"] ?? "0"), (0...10_000).contains(minutes) else {
            return .missing("HARBOUR_BACKEND_REMOTE_IDLE_MINUTES must be 0 to 10000")
        }
        guard let patience = Int(settings["patience_seconds"] ?? "30"), (1...600).contains(patience) else {
            return .missing("HARBOUR_BACKEND_REMOTE_PATIENCE_SECONDS must be 1 to 600")
        }
        let client = try FarClient(
            url: url, token: RemoteToken(file: file), authorities: settings["ca_file"], patience: .seconds(patience),
            loop: loop)
        switch settings["kind"] ?? "dataharbour" {
        case "dataharbour":
            return .made(HarbourSide(client: client, backend: settings["backend"], idleMinutes: minutes))
        case "databricks":
            guard let version = settings["spark_version"], let node = settings["node_type"] else {
                return .missing(
                    "Databricks needs HARBOUR_BACKEND_REMOTE_SPARK_VERSION and HARBOUR_BACKEND_REMOTE_NODE_TYPE")
            }
            return .made(
                DatabricksSide(
                    client: DatabricksClient(far: client), sparkVersion: version, nodeType: node,
                    driverNodeType: settings["driver_node_type"], idleMinutes: minutes))
        case let kind:
            return .missing("HARBOUR_BACKEND_REMOTE_KIND is \(kind.prefix(40)), and must be dataharbour or databricks")
        }
    }
}
