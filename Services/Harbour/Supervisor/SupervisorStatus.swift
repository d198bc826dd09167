internal import Core

/// What `harbour status` shows, and what `harbour up` waits for.
struct SupervisorStatus: Sendable, Equatable {
    struct Program: Sendable, Equatable {
        var name: String
        var state: String
        var pid: Int32?
        var restarts: Int
        var lastExit: String?
    }

    var isReady: Bool
    var isStopping: Bool
    var programs: [Program]

    /// As the control socket sends it.
    var json: JSONValue {
        [
            "ready": .bool(isReady), "stopping": .bool(isStopping),
            "programs": .array(
                programs.map { program in
                    [
                        "name": .string(program.name), "state": .string(program.state),
                        "pid": program.pid.map { .integer($0) } ?? .null, "restarts": .integer(program.restarts),
                        "last_exit": program.lastExit.map { .string($0) } ?? .null,
                    ]
                }),
        ]
    }

    init(isReady: Bool, isStopping: Bool, programs: [Program]) {
        self.isReady = isReady
        self.isStopping = isStopping
        self.programs = programs
    }

    /// What the control socket sent, or nil when it is something else.
    init?(_ json: JSONValue) {
        guard let ready = json["ready"]?.bool, let stopping = json["stopping"]?.bool,
            let programs = json["programs"]?.array
        else { return nil }
        isReady = ready
        isStopping = stopping
        self.programs = programs.compactMap { program in
            guard let name = program["name"]?.string, let state = program["state"]?.string else { return nil }
            return Program(
                name: name, state: state, pid: program["pid"]?.int.map { Int32($0) },
                restarts: program["restarts"]?.int ?? 0, lastExit: program["last_exit"]?.string)
        }
    }
}
