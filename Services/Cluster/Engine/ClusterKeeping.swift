internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Who can tell of a command now.
enum CommandWitness: Sendable {
    /// The driver that runs it.
    case driver(DriverLink)
    /// Nobody yet: the driver is being found again, or what it has put out is being kept.
    case soon
    /// What is kept of it, if anything is.
    case kept
}

// How the outputs of commands outlive the cluster.
extension ClusterController {
    func witness(of command: CommandRow) -> CommandWitness {
        if let link, link.generation == command.generation { return .driver(link) }
        if command.generation == record.generation, keptStart != record.generation {
            switch record.step {
            case .starting, .connecting, .running, .ending: return .soon
            case .stuck, .ended: break
            }
        }
        // Its cluster is just ending, and the row with it.
        return command.ended ? .kept : .soon
    }

    /// Keeps what the commands of this start have put out and nobody has read, before the driver is taken away. What cannot
    /// be kept within the limits is lost, and its readers are told so.
    ///
    /// Whatever it is killed at, it can be done again.
    func keepOutputs() async {
        let start = record.generation
        guard keptStart != start else { return }
        let limits = context.limits
        do {
            let comeback: Timestamp = .now + (.zero - limits.keepingComeback)
            let unread = try await context.outputs.persistently { [context, id] in
                try await context.outputs.store.unread(
                    of: id.text, start: start, readBefore: comeback, limit: limits.keeping.commands)
            }
            var commands = unread.commands
            let budget = KeepingBudget(limits.keeping, now: .now, hasFolder: hasFolder)
            if !commands.isEmpty { commands = await keepFromDriver(commands, start, budget) }
            if !commands.isEmpty { commands = await keepFromFolder(commands, start, budget) }
            if Task.isCancelled { return }
            if !commands.isEmpty || unread.beyond > 0 {
                logger.warning(
                    "the outputs of commands are lost with their driver",
                    ["commands": commands.count + unread.beyond, "beyond_limit": unread.beyond])
                try await context.outputs.persistently { [context, id] in
                    try await context.outputs.store.lost(of: id.text, start: start, readBefore: comeback)
                }
            }
            await context.outputs.sweep()
        } catch {
            if Task.isCancelled { return }
            logger.error("the outputs of commands are not kept", ["error": HarbourError.describe(error)])
        }
        keptStart = start
        publish()
    }

    /// Reads what the commands have put out: first of those that have ended, and of all in contexts that have, because the
    /// driver forgets contexts that ended long ago when others end; then it ends all contexts, so that the other commands
    /// come to their ends too.
    private func keepFromDriver(
        _ commands: [CommandInfo], _ start: Int64, _ budget: KeepingBudget
    ) async -> [CommandInfo] {
        guard let address = record.address else { return commands }
        var left = commands
        do {
            let link = try DriverLink(address, token: row.driverToken, generation: start, loop: context.loop)
            let source = OutputSource.driver(link, silence: context.limits.keepingAnswer)
            let answer = await livingContexts(link)
            if answer == nil, hasFolder {
                // It hangs, or is gone: each command would only be waited for, and the folder has them all.
                await link.close()
                return commands
            }
            let living = answer ?? []
            let open = commands.filter { !$0.hasEnded && living.contains($0.contextID) }
            let first = commands.filter { $0.hasEnded || !living.contains($0.contextID) }
            left = await context.outputs.keep(first, start: start, from: source, budget)
            await endContexts(living, link, budget)
            left += await context.outputs.keep(open, start: start, from: source, budget)
            await link.close()
        } catch {
            logger.debug("the driver cannot be asked", ["error": HarbourError.describe(error)])
        }
        return left
    }

    /// Whether there is a folder with what the driver has written down.
    private var hasFolder: Bool { backend.capabilities.has(.scratch) && record.handle != nil }

    /// Reads the journals that the driver has left. It is ended before, because one that only hangs goes on writing.
    private func keepFromFolder(
        _ commands: [CommandInfo], _ start: Int64, _ budget: KeepingBudget
    ) async -> [CommandInfo] {
        budget.beginFolder()
        guard hasFolder, let handle = record.handle, budget.hasRoom(forEnded: false, now: .now) else {
            return commands
        }
        var isFinal = false
        do {
            try await backend.halt(handle, grace: context.limits.grace)
            isFinal = true
        } catch {
            if Task.isCancelled { return commands }
            logger.warning(
                "a driver could not be ended before its folder is read", ["error": HarbourError.describe(error)])
        }
        do {
            guard let folder = try await backend.scratch(of: handle) else { return commands }
            return await context.outputs.keep(
                commands, start: start, from: .folder(folder, isFinal: isFinal), budget)
        } catch {
            logger.warning("the folder of a cluster cannot be read", ["error": HarbourError.describe(error)])
            return commands
        }
    }

    /// The contexts that have not ended; nil when the driver does not answer.
    private func livingContexts(_ link: DriverLink) async -> Set<String>? {
        do {
            let answer = try await link.client.call(
                DriverAPI.listContexts, .init(), context: .within(context.limits.keepingAnswer))
            return Set(answer.contexts.map(\.contextID))
        } catch {
            logger.warning("the driver does not tell its contexts", ["error": HarbourError.describe(error)])
            return nil
        }
    }

    /// Ends these contexts, as far as the driver answers and the time lasts.
    private func endContexts(_ names: Set<String>, _ link: DriverLink, _ budget: KeepingBudget) async {
        do {
            for name in names {
                let deadline = min(budget.deadline, MonotonicTime.now + context.limits.keepingAnswer)
                do {
                    _ = try await link.client.call(
                        DriverAPI.deleteContext, .init(contextID: name), context: CallContext(deadline: deadline))
                } catch {
                    // One that went away in between needs no end.
                    guard error.code != .notFound else { continue }
                    throw error
                }
            }
        } catch {
            logger.warning("the driver does not end its contexts", ["error": HarbourError.describe(error)])
        }
    }
}
