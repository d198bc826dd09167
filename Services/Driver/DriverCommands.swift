internal import CommandJournals
public import Core
internal import Cryptography
public import HarbourProtocol

extension Driver {
    /// Queues a command, or finds the one of that id: it never runs twice.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` for the context, `INVALID_STATE` when that has ended, `RESOURCE_CONFLICT`
    ///   for an id in use with another source, `NOT_SUPPORTED` for a language the context does not have,
    ///   `INVALID_PARAMETER_VALUE`, `RESOURCE_EXHAUSTED`.
    public func execute(_ spec: CommandSpec, in contextID: String) throws(HarbourError) -> CommandInfo {
        try submit(spec, in: contextID).info
    }

    func submit(_ spec: CommandSpec, in contextID: String) throws(HarbourError) -> DriverCommand {
        let context = try find(contextID)
        let id = spec.commandID ?? Identifier.make()
        guard ScratchFolder.isName(id) else { throw Driver.invalidName("command_id") }
        let language = spec.language.map(KernelChoice.canonical) ?? context.language
        let digest = Base64.encode(Digest.sha256("\(language)\n\(spec.source)"))
        if let known = context.commands[id] {
            guard known.journal.header.digest == digest else {
                throw HarbourError(.conflict, "The command id \(id) is in use with another source. Choose another id.")
            }
            return known
        }
        guard !context.isTerminated else {
            throw HarbourError(.invalidState, "The context \(contextID) has ended. Make a new one.")
        }
        try KernelChoice.check(language, context)
        guard context.busyCommands < configuration.queueLimit else {
            throw HarbourError(.resourceExhausted, "Too many commands wait in the context. Let some of them end.")
        }
        let header = CommandHeader(
            contextID: contextID, commandID: id, language: language, digest: digest, submitted: .now)
        try ScratchFolder.make("\(scratch.overflow)/\(contextID)")
        let command = DriverCommand(
            journal: try CommandJournal(folder: "\(scratch.journals)/\(contextID)", header: header),
            source: spec.source, timeoutSeconds: spec.timeoutSeconds ?? 0, widgets: spec.widgets,
            limiter: OutputLimiter(configuration, scratch, contextID, id), clusterID: configuration.clusterID,
            loop: loop)
        counts.submitted += 1
        context.submit(command)
        changed()
        return command
    }

    /// What became of a command.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST`.
    public func command(_ id: String, in contextID: String) throws(HarbourError) -> CommandInfo {
        try find(id, in: contextID).info
    }

    /// A piece of the output that did not fit into the command's events.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` for a command, or when nothing was cut.
    public func overflow(
        of id: String, in contextID: String, at offset: Int64
    ) throws(HarbourError) -> CommandOverflow {
        try find(id, in: contextID).overflow(at: offset)
    }

    /// Interrupts a command or takes it out of the queue; one that has ended stays as it is.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST`.
    public func cancel(_ id: String, in contextID: String) throws(HarbourError) -> CommandInfo {
        let command = try find(id, in: contextID)
        try find(contextID).cancel(command)
        return command.info
    }

    /// Gives the events of a command after that number, as JSON in batches, until its last one.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST`, `CancellationError`, and what `body` throws.
    public func follow(
        _ id: String, in contextID: String, after sequence: Int64, _ body: (_ events: [[UInt8]]) async throws -> Void
    ) async throws {
        counts.followers += 1
        defer { counts.followers -= 1 }
        try await find(id, in: contextID).follow(after: sequence, body)
    }

    /// Runs a command under that id, or goes on listening to it, until its last event.
    /// - Throws: as `execute` and `follow`.
    public func run(
        _ id: String, in contextID: String, _ run: CommandRun, _ body: (_ events: [[UInt8]]) async throws -> Void
    ) async throws {
        let spec = CommandSpec(
            commandID: id, language: run.language, source: run.source, timeoutSeconds: run.timeoutSeconds,
            widgets: run.widgets)
        _ = try submit(spec, in: contextID)
        try await follow(id, in: contextID, after: run.after ?? 0, body)
    }

    private func find(_ id: String, in contextID: String) throws(HarbourError) -> DriverCommand {
        guard let command = try find(contextID).commands[id] else {
            throw HarbourError(.notFound, "The context \(contextID) has no command \(id).")
        }
        return command
    }
}

extension OutputLimiter {
    init(_ configuration: DriverConfiguration, _ scratch: ScratchFolder, _ contextID: String, _ commandID: String) {
        self.init(
            byteLimit: configuration.outputLimit, eventLimit: configuration.eventLimit,
            overflow: OverflowFile(
                path: "\(scratch.overflow)/\(contextID)/\(commandID).txt", limit: configuration.overflowLimit),
            redactor: configuration.redactor)
    }
}

/// Counts for metrics. Touched on the driver's loop only.
final class DriverCounts: @unchecked Sendable {
    var submitted = 0
    var followers = 0
    private(set) var ended: [CommandState: Int] = [:]
    private(set) var outputBytes = 0

    func ended(_ command: DriverCommand) {
        ended[command.state, default: 0] += 1
        outputBytes += command.journal.byteCount
    }
}
