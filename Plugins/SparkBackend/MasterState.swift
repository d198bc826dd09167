internal import Core

/// What a standalone master says of itself at `/json/`, as far as it matters here. Untrusted: what is missing counts as
/// nothing.
struct MasterState: Sendable, Hashable {
    /// A worker that is alive.
    struct Worker: Sendable, Hashable {
        var id: String
        var cores: Int
        var coresFree: Int
        var memoryMiB: Int
        var memoryFreeMiB: Int
        /// The base URL of its page; empty when it has none.
        var page = ""
    }

    /// An application that has not ended.
    struct Application: Sendable, Hashable {
        var id: String
        var name: String
        /// Cores it has been given, over all its executors.
        var cores: Int
        /// Milliseconds since it came.
        var age: Int64
    }

    /// `ALIVE`, `STANDBY`, `RECOVERING`, `COMPLETING_RECOVERY`.
    var status: String
    var workers: [Worker]
    var applications: [Application]

    /// Nil when it is not a master's answer.
    init?(_ bytes: [UInt8]) {
        guard let value = try? JSONValue(json: bytes), let status = value["status"]?.string,
            let workers = value["workers"]?.array, let applications = value["activeapps"]?.array
        else { return nil }
        self.status = status
        self.workers = workers.compactMap { worker in
            guard worker["state"]?.string == "ALIVE", let id = worker["id"]?.string else { return nil }
            return Worker(
                id: id, cores: worker["cores"]?.int ?? 0, coresFree: worker["coresfree"]?.int ?? 0,
                memoryMiB: worker["memory"]?.int ?? 0, memoryFreeMiB: worker["memoryfree"]?.int ?? 0,
                page: worker["webuiaddress"]?.string ?? "")
        }
        self.applications = applications.compactMap { application in
            guard let id = application["id"]?.string, let name = application["name"]?.string else { return nil }
            return Application(
                id: id, name: name, cores: application["cores"]?.int ?? 0, age: application["duration"]?.int64 ?? 0)
        }
    }

    var isAlive: Bool { status == "ALIVE" }
    var cores: Int { workers.reduce(0) { $0 + max(0, $1.cores) } }
    var coresFree: Int { workers.reduce(0) { $0 + max(0, $1.coresFree) } }
    var memoryFreeMiB: Int { workers.reduce(0) { $0 + max(0, $1.memoryFreeMiB) } }

    /// How many executors of that size the workers could hold, and how many they can take now.
    func room(cores: Int, memoryMiB: Int) -> (total: Int, free: Int) {
        let (cores, memoryMiB) = (max(1, cores), max(1, memoryMiB))
        return workers.reduce(into: (total: 0, free: 0)) { room, worker in
            room.total += max(0, min(worker.cores / cores, worker.memoryMiB / memoryMiB))
            room.free += max(0, min(worker.coresFree / cores, worker.memoryFreeMiB / memoryMiB))
        }
    }
}

/// A look at the master.
enum MasterView: Sendable, Hashable {
    /// The active one answered.
    case alive(MasterState)
    /// One answered, but none is active: a standby, or one that is taking over.
    case inactive(status: String)
    /// Nobody answered; a sentence says why.
    case unreachable(String)
}
