internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Names a command within its cluster.
struct CommandKey: Sendable, Hashable {
    var context: String
    var command: String

    init(_ info: CommandInfo) {
        context = info.contextID
        command = info.commandID
    }
}

/// An open command and the task that follows it to its end.
struct CommandFollower: Sendable {
    var row: CommandRow
    var task: Task<Void, Never>
}

/// A command that has been written down, or was before.
struct BegunCommand: Sendable {
    /// As it is written down.
    var row: CommandRow
    /// Whether nobody has asked for it before.
    var isNew: Bool
    /// The driver to ask; nil when the one that had it is gone.
    var link: DriverLink?

    /// Whether the driver's answer means that there is no such command. One that was there before stays.
    func isRefused(by error: HarbourError) -> Bool {
        isNew && (400..<500).contains(error.code.status) && error.code != .cancelled
    }
}

// Contexts and commands: passed on to the driver, with a record of each command that outlives the driver.
extension ClusterController {
    // MARK: Contexts

    /// Makes a context, or finds the one of that id.
    func createContext(_ spec: ContextSpec, _ call: CallContext) async throws -> ContextInfo {
        let link = try runningLink()
        var spec = spec
        spec.contextID = spec.contextID ?? Identifier.make()
        let info = try await link.client.call(DriverAPI.createContext, .init(body: spec), context: call)
        used(at: .now)
        if try await !context.clusters.touch(id, at: .now) { try await writeAgainIfLost() }
        return named(info)
    }

    /// The driver's contexts; none when the cluster does not run.
    func listContexts(_ call: CallContext) async throws -> ContextList {
        guard record.step == .running, let link else { return ContextList(contexts: []) }
        let list = try await link.client.call(DriverAPI.listContexts, .init(), context: call)
        return ContextList(contexts: list.contexts.map(named))
    }

    func getContext(_ name: String, _ call: CallContext) async throws -> ContextInfo {
        named(
            try await runningLink().client.call(DriverAPI.getContext, .init(contextID: name), context: call))
    }

    /// A driver that was made for a pool knows the cluster by another name.
    private func named(_ info: ContextInfo) -> ContextInfo {
        var info = info
        info.clusterID = id.text
        return info
    }

    private func named(_ info: CommandInfo) -> CommandInfo {
        var info = info
        info.clusterID = id.text
        return info
    }

    /// Ends a context. On a cluster that does not run there is none, so it has ended.
    func deleteContext(_ name: String, _ call: CallContext) async throws {
        guard record.step == .running, let link else { return }
        do throws(HarbourError) {
            _ = try await link.client.call(DriverAPI.deleteContext, .init(contextID: name), context: call)
        } catch {
            if error.code.status != 404 { throw error }
        }
    }

    /// The driver's connection.
    /// - Throws: `INVALID_STATE` when the cluster does not run.
    func runningLink() throws(HarbourError) -> DriverLink {
        if record.step == .running {
            if let link { return link }
            throw HarbourError(
                .unavailable, "Cluster \(id) is being found again after a restart. Try again in a few seconds.")
        }
        let advice =
            switch record.state {
            case .pending, .restarting, .resizing: "Wait until it is RUNNING."
            default: "Start it first."
            }
        throw HarbourError(.invalidState, "Cluster \(id) is \(record.state.rawValue). \(advice)")
    }

    // MARK: Commands

    /// Queues a command, or finds the one of that id.
    func execute(_ contextID: String, _ spec: CommandSpec, _ call: CallContext) async throws -> CommandInfo {
        let begun = try await begin(
            contextID, spec.commandID ?? Identifier.make(), spec.language, confirms: false, call)
        guard let link = begun.link else { return begun.row.info }
        var spec = spec
        spec.commandID = begun.row.info.commandID
        do throws(HarbourError) {
            return named(
                try await link.client.call(
                    DriverAPI.executeCommand, .init(contextID: contextID, body: spec), context: call))
        } catch {
            if begun.isRefused(by: error) { await refused(begun.row.info) }
            throw error
        }
    }

    /// Writes a command down, or finds it.
    func begin(
        _ contextID: String, _ commandID: String, _ language: String?, confirms: Bool, _ call: CallContext
    ) async throws -> BegunCommand {
        if record.step != .running || link == nil,
            let known = try await context.commands.get(id.text, contextID, commandID), known.ended
        {
            // What was asked for before the cluster ended can still be asked after.
            return BegunCommand(row: known, isNew: false, link: nil)
        }
        let link = try runningLink()
        let info = CommandInfo(
            commandID: commandID, contextID: contextID, clusterID: id.text, language: language ?? "",
            state: .queued, submittedTime: .now, lastSequence: 0)
        // Busy from here on: it must not be ended for idleness while the row is being written.
        idle?.commandBegan(at: .now)
        defer { idle?.commandEnded(at: .now) }
        let (row, isNew) = try await writeDown(info, link.generation, call.user, confirms: confirms)
        if !isNew && (row.ended || row.generation != link.generation) {
            // The driver that had the command still has its journal; that of an earlier start does not.
            return BegunCommand(row: row, isNew: false, link: row.generation == link.generation ? link : nil)
        }
        guard self.link?.generation == link.generation else {
            // The cluster ended in between. If its end did not take this command with it, nobody will run it.
            if isNew { try await context.commands.drop(info) }
            _ = try runningLink()
            throw HarbourError(.unavailable, "Cluster \(id) is being connected to. Try again.")
        }
        follow(row, link)
        return BegunCommand(row: row, isNew: isNew, link: link)
    }

    private func writeDown(
        _ info: CommandInfo, _ generation: Int64, _ user: String?, confirms: Bool
    ) async throws -> (row: CommandRow, isNew: Bool) {
        do {
            return try await context.commands.begin(info, generation: generation, user: user, confirms: confirms)
        } catch let error as HarbourError where error.code == .conflict {
            try await writeAgainIfLost()
            return try await context.commands.begin(info, generation: generation, user: user, confirms: confirms)
        }
    }

    /// The last event of a command was passed on to somebody who cannot say that it is stored.
    func wasRead(_ contextID: String, _ commandID: String) async {
        do {
            try await context.commands.wasRead(id.text, contextID, commandID, at: .now)
        } catch {
            // It is kept without need.
            logger.debug("that a command was read is not known", ["error": HarbourError.describe(error)])
        }
    }

    /// Forgets a command that the driver does not have and will not take.
    func refused(_ info: CommandInfo) async {
        guard let follower = followers.removeValue(forKey: CommandKey(info)) else { return }
        follower.task.cancel()
        context.metrics.commandLeft()
        leave()
        do {
            try await context.uncancelled { [context] in try await context.commands.drop(info) }
        } catch {
            logger.warning(
                "a refused command is still written down", ["error": HarbourError.describe(error)])
        }
    }

    /// The newest that is known of a command.
    func command(_ contextID: String, _ commandID: String, _ call: CallContext) async throws -> CommandInfo {
        guard let row = try await known(contextID, commandID) else {
            throw ClusterController.missing(commandID)
        }
        guard !row.ended, let link, link.generation == row.generation else { return row.info }
        do throws(HarbourError) {
            return named(
                try await link.client.call(
                    DriverAPI.getCommand, .init(contextID: contextID, commandID: commandID), context: call))
        } catch {
            // What is written down is old news, but true.
            if error.code.status == 503 || error.code.status == 404 { return row.info }
            throw error
        }
    }

    /// Interrupts a command; one that has ended stays as it is.
    func cancel(_ contextID: String, _ commandID: String, _ call: CallContext) async throws -> CommandInfo {
        guard let row = try await known(contextID, commandID) else {
            throw ClusterController.missing(commandID)
        }
        if row.ended { return row.info }
        let link = try runningLink()
        return named(
            try await link.client.call(
                DriverAPI.cancelCommand, .init(contextID: contextID, commandID: commandID), context: call))
    }

    /// A command, as it is written down, or as it is remembered where the database has lost it in a crash.
    func known(_ contextID: String, _ commandID: String) async throws -> CommandRow? {
        if let row = try await context.commands.get(id.text, contextID, commandID) { return row }
        return followers.values.first { $0.row.info.contextID == contextID && $0.row.info.commandID == commandID }?.row
    }

    nonisolated static func missing(_ commandID: String) -> HarbourError {
        HarbourError(.notFound, "Command \(commandID) does not exist in this context.")
    }

    // MARK: To the end

    /// Follows a command until it has ended, and keeps how.
    func follow(_ row: CommandRow, _ link: DriverLink) {
        let key = CommandKey(row.info)
        guard followers[key] == nil else { return }
        idle?.commandBegan(at: .now)
        armIdleTimer()
        context.metrics.commandBegan()
        let task = context.loop.spawn { [self] in await followToEnd(row.info, link) }
        followers[key] = CommandFollower(row: row, task: task)
        publish()
    }

    private func followToEnd(_ info: CommandInfo, _ link: DriverLink) async {
        var pause = Pause()
        while !Task.isCancelled {
            do throws(HarbourError) {
                // Beyond all numbers, so that nothing comes but the end of the stream, which is the end of the command.
                let end = try await link.client.stream(
                    DriverAPI.streamCommandEvents,
                    .init(contextID: info.contextID, commandID: info.commandID, after: 1 << 52),
                    context: CallContext(), patience: .zero)
                for try await _ in end {}
                let now = named(
                    try await link.client.call(
                        DriverAPI.getCommand, .init(contextID: info.contextID, commandID: info.commandID)))
                if now.state.isEnd { return await ended(now) }
            } catch {
                if Task.isCancelled { return }
                // Not delivered yet, or never: it is known soon, for delivering comes right after writing down.
                if error.code.status == 404 && Timestamp.now - info.submittedTime > .seconds(30) {
                    return await refused(info)
                }
            }
            guard (try? await pause.wait(on: context.loop)) != nil else { return }
        }
    }

    private func ended(_ info: CommandInfo) async {
        guard let follower = followers.removeValue(forKey: CommandKey(info)) else { return }
        context.metrics.commandEnded(info.state)
        var pause = Pause(from: .milliseconds(100), to: .seconds(5))
        while true {
            do {
                try await context.uncancelled { [context] in
                    try await context.commands.end(info, generation: follower.row.generation)
                }
                break
            } catch {
                if isForgotten { return }
                // Without its cluster's row it would be tried for ever, and the cluster never be idle.
                var isWrittenAgain = false
                if HarbourError.wrap(error).code == .conflict {
                    isWrittenAgain = (try? await writeAgainIfLost()) != nil
                }
                if !isWrittenAgain {
                    logger.warning(
                        "the end of a command could not be stored yet", ["error": HarbourError.describe(error)])
                }
                guard (try? await pause.wait(on: context.loop)) != nil else { return }
            }
        }
        leave()
    }

    private func leave() {
        idle?.commandEnded(at: .now)
        used(at: .now)
        publish()
    }

    /// The cluster's end was stored together with the end of all its commands.
    func commandsFailed() {
        for follower in followers.values {
            follower.task.cancel()
            context.metrics.commandEnded(.error)
        }
        followers = [:]
    }
}
