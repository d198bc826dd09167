internal import Core

/// The machine behind an engine.
struct EngineInfo: Sendable {
    var processors: Int
    var memoryMiB: Int
    var isRootless: Bool
    var isLinux: Bool
    var enforcesMemory: Bool
    var enforcesCores: Bool

    init(_ value: JSONValue) {
        processors = value["NCPU"]?.int ?? 1
        memoryMiB = Int((value["MemTotal"]?.int64 ?? 0) >> 20)
        isRootless = (value["SecurityOptions"]?.array ?? []).contains { $0.string?.hasPrefix("name=rootless") == true }
        isLinux = value["OSType"]?.string == "linux"
        enforcesMemory = value["MemoryLimit"]?.bool ?? false
        enforcesCores = value["CpuCfsQuota"]?.bool ?? value["CPUCfsQuota"]?.bool ?? false
    }
}

/// An image on the engine.
struct EngineImage: Sendable {
    var id: String
    /// As whom its processes run; empty for root.
    var user: String

    init(_ value: JSONValue) {
        id = value["Id"]?.string ?? ""
        user = value["Config"]?["User"]?.string ?? ""
    }
}

/// A network.
struct EngineNetwork: Sendable {
    var id: String
    var name: String
    var labels: [String: String]

    init?(_ value: JSONValue) {
        guard let id = value["Id"]?.string, let name = value["Name"]?.string else { return nil }
        self.id = id
        self.name = name
        labels = strings(value["Labels"])
    }
}

/// A container, as a list or a closer look shows it.
struct EngineContainer: Sendable {
    var id: String
    var labels: [String: String]
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    var state: String
    /// The rest is known after a closer look only.
    var exitStatus: Int32?
    var ranOutOfMemory = false
    var image = ""
    /// As whom its processes run.
    var user = ""
    /// Its address by the name of the network.
    var addresses: [String: String] = [:]
    /// When it was started the last time; tells two lives of one container apart.
    var startedAt = ""
    /// Folders and volumes that it sees: where from, and where to.
    var mounts: [(source: String, destination: String)] = []

    init?(listed value: JSONValue) {
        guard let id = value["Id"]?.string, let state = value["State"]?.string else { return nil }
        self.id = id
        self.state = state
        labels = strings(value["Labels"])
        addresses = EngineContainer.addresses(value["NetworkSettings"])
    }

    init?(inspected value: JSONValue) {
        guard let id = value["Id"]?.string, let state = value["State"]?["Status"]?.string else { return nil }
        self.id = id
        self.state = state
        labels = strings(value["Config"]?["Labels"])
        exitStatus = value["State"]?["ExitCode"]?.int.flatMap { Int32(exactly: $0) }
        ranOutOfMemory = value["State"]?["OOMKilled"]?.bool ?? false
        startedAt = value["State"]?["StartedAt"]?.string ?? ""
        image = value["Config"]?["Image"]?.string ?? ""
        user = value["Config"]?["User"]?.string ?? ""
        addresses = EngineContainer.addresses(value["NetworkSettings"])
        mounts = (value["Mounts"]?.array ?? []).compactMap { mount in
            guard let source = mount["Source"]?.string, let destination = mount["Destination"]?.string else {
                return nil
            }
            return (source, destination)
        }
    }

    private static func addresses(_ settings: JSONValue?) -> [String: String] {
        (settings?["Networks"]?.object ?? [:]).reduce(into: [:]) { addresses, network in
            if let address = network.value["IPAddress"]?.string, !address.isEmpty { addresses[network.key] = address }
        }
    }

    /// Whether its processes are there.
    var isAlive: Bool { state == "running" || state == "paused" || state == "restarting" }
    /// Made, but never started.
    var isUnused: Bool { state == "created" }
}

/// The use of one container.
struct EngineStats: Sendable {
    var cpuNanoseconds: Int64
    var memoryBytes: Int64
    var memoryLimit: Int64?
    var processes: Int

    /// nil when nothing was measured, as for a container that does not run.
    init?(_ value: JSONValue) {
        guard let memory = value["memory_stats"], let usage = memory["usage"]?.int64 else { return nil }
        // Pages of files that can be given back at any time are no use of memory, as `docker stats` counts too.
        let files = memory["stats"]?["total_inactive_file"]?.int64 ?? memory["stats"]?["inactive_file"]?.int64 ?? 0
        memoryBytes = files < usage ? usage - files : usage
        memoryLimit = memory["limit"]?.int64
        cpuNanoseconds = value["cpu_stats"]?["cpu_usage"]?["total_usage"]?.int64 ?? 0
        processes = value["pids_stats"]?["current"]?.int ?? 0
    }
}

private func strings(_ value: JSONValue?) -> [String: String] {
    (value?.object ?? [:]).reduce(into: [:]) { $0[$1.key] = $1.value.string }
}
