internal import ClusterBackend
internal import Core
internal import DriverProcesses
internal import EventLoop
internal import HarbourProtocol

/// A context, and what it is called on Databricks.
struct DatabricksContext: Sendable, Hashable {
    var id: String
    var farID: String
    var language: String
    var created: Timestamp
}

/// A command and what is certain about it.
struct DatabricksCommand: Sendable, Hashable {
    /// How far it is. Each stage is written down before what follows it is done.
    enum Stage: String, Sendable {
        /// It is being handed over: Databricks may or may not have it.
        case sending
        /// Databricks has it, under `farID`.
        case sent
        /// It has ended, and `events` is all there is.
        case done
    }

    var context: String
    var id: String
    var language: String
    /// Tells two sources apart.
    var digest: String
    var submitted: Timestamp
    var timeoutSeconds = 0
    var stage = Stage.sending
    var farID: String?
    var state = CommandState.running
    var ended: Timestamp?
    var error: CommandError?
    var events: [CommandEvent] = []

    /// It was handed over, and nobody knows whether it arrived. It is never sent again.
    static let lost = CommandError(
        code: "COMMAND_LOST", name: "CommandLost",
        message:
            "The connection to Databricks broke while the command was handed over, so it may or may not run there. "
            + "It is not sent again: look at what it should have done, then run it anew.")

    /// Databricks has forgotten it.
    static let forgotten = CommandError(
        code: "COMMAND_LOST", name: "CommandLost",
        message: "Databricks does not know the command any more; its context or cluster has ended. Run it anew.")

    /// It has begun: the first event, whatever follows.
    mutating func begin() {
        events = [CommandEvent(sequence: 1, timestamp: submitted, type: .state, state: .running)]
    }

    /// Ends it.
    mutating func end(_ state: CommandState, _ outputs: [CommandEvent], _ error: CommandError?, at time: Timestamp) {
        stage = .done
        self.state = state
        self.error = error
        ended = time
        events += outputs
        events.append(
            CommandEvent(
                sequence: Int64(events.count) + 1, timestamp: time, type: .state, state: state, error: error))
    }

    /// Ends it with an error that Databricks has not told of.
    mutating func fail(_ error: CommandError, at time: Timestamp) {
        let sequence = Int64(events.count) + 1
        end(.error, [CommandEvent(sequence: sequence, timestamp: time, type: .error, error: error)], error, at: time)
    }

    func info(cluster: String) -> CommandInfo {
        CommandInfo(
            commandID: id, contextID: context, clusterID: cluster, language: language, state: state,
            submittedTime: submitted, startTime: submitted, endTime: ended, error: error,
            lastSequence: Int64(events.count))
    }

    func encoded() -> [UInt8] {
        var value: JSONObject = [
            "context": .string(context), "command": .string(id), "language": .string(language),
            "digest": .string(digest), "submitted": .integer(submitted.milliseconds), "stage": .string(stage.rawValue),
            "timeout_seconds": .integer(timeoutSeconds), "state": .string(state.rawValue),
        ]
        if let farID { value["far_id"] = .string(farID) }
        if let ended { value["ended"] = .integer(ended.milliseconds) }
        let events = events.compactMap { try? JSONValue(json: $0.encodedJSON()) }
        value["events"] = .array(events)
        return JSONValue.object(value).encodedJSON()
    }

    init(
        context: String, id: String, language: String, source: String, submitted: Timestamp, timeoutSeconds: Int
    ) {
        self.context = context
        self.id = id
        self.language = language
        self.submitted = submitted
        self.timeoutSeconds = timeoutSeconds
        var digest = SpecDigest()
        digest.add(language)
        digest.add(source)
        self.digest = digest.text
    }

    init?(_ bytes: [UInt8]) {
        guard let value = try? JSONValue(json: bytes), let context = value["context"]?.string,
            let id = value["command"]?.string, let language = value["language"]?.string,
            let digest = value["digest"]?.string, let submitted = value["submitted"]?.int64,
            let stage = value["stage"]?.string.flatMap(Stage.init),
            let state = value["state"]?.string.flatMap(CommandState.init), let events = value["events"]?.array
        else { return nil }
        self.context = context
        self.id = id
        self.language = language
        self.digest = digest
        self.submitted = Timestamp(milliseconds: submitted)
        self.stage = stage
        self.state = state
        timeoutSeconds = value["timeout_seconds"]?.int ?? 0
        farID = value["far_id"]?.string
        ended = value["ended"]?.int64.map(Timestamp.init(milliseconds:))
        self.events = events.compactMap { try? CommandEvent(json: $0.encodedJSON()) }
        error = self.events.last?.error
    }
}

/// Contexts and commands of one cluster as files of its folder: what must not be forgotten with the service.
struct DatabricksFiles: Sendable {
    let folder: String

    /// Whether a caller's name can be a file's: as the driver has it.
    static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: ".")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: ":"):
                    true
                default: false
                }
            }
    }

    func contexts() async throws -> [DatabricksContext] {
        let folder = "\(folder)/contexts"
        return try await BlockingPool.shared.run {
            Files.names(in: folder).compactMap { name in
                guard let bytes = Files.read("\(folder)/\(name)"), let value = try? JSONValue(json: bytes),
                    let id = value["context"]?.string, let farID = value["far_id"]?.string,
                    let language = value["language"]?.string, let created = value["created"]?.int64
                else { return nil }
                return DatabricksContext(
                    id: id, farID: farID, language: language, created: Timestamp(milliseconds: created))
            }
        }
    }

    func store(_ context: DatabricksContext) async throws {
        let value: JSONObject = [
            "context": .string(context.id), "far_id": .string(context.farID), "language": .string(context.language),
            "created": .integer(context.created.milliseconds),
        ]
        try await write(JSONValue.object(value).encodedJSON(), "contexts", context.id)
    }

    func remove(context: String) async throws {
        let paths = ["\(folder)/contexts/\(context)", "\(folder)/commands/\(context)"]
        try await BlockingPool.shared.run { for path in paths { try Files.remove(path) } }
    }

    func command(_ id: String, in context: String) async throws -> DatabricksCommand? {
        let path = "\(folder)/commands/\(context)/\(id)"
        return try await BlockingPool.shared.run { Files.read(path, limit: 64 << 20).flatMap { DatabricksCommand($0) } }
    }

    func store(_ command: DatabricksCommand) async throws {
        try await write(command.encoded(), "commands/\(command.context)", command.id)
    }

    func remove(command: DatabricksCommand) async throws {
        let path = "\(folder)/commands/\(command.context)/\(command.id)"
        try await BlockingPool.shared.run { try Files.remove(path) }
    }

    private func write(_ bytes: [UInt8], _ kind: String, _ name: String) async throws {
        let (root, below) = (folder, "\(folder)/\(kind)")
        try await BlockingPool.shared.run {
            // A cluster that has been ended in between must not get its folder back.
            guard Files.exists(root) else { throw HarbourError(.clusterLost, "The cluster has been ended.") }
            try Files.makeFolder(below)
            try Files.write(bytes, to: "\(below)/\(name)")
        }
    }
}
