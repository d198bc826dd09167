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

    /// Keeps what the commands of this start have put out and nobody has confirmed, before the driver is taken away.
    ///
    /// Whatever it is killed at, it can be done again.
    func keepOutputs() async {
        let start = record.generation
        guard keptStart != start else { return }
        do {
            var commands = try await context.outputs.persistently { [context, id] in
                try await context.outputs.store.unconfirmed(of: id.text, start: start)
            }
            if !commands.isEmpty { commands = await keepFromDriver(commands, start) }
            if !commands.isEmpty, let folder = await scratchFolder() {
                commands = await context.outputs.keep(commands, start: start, from: .folder(folder))
            }
            if Task.isCancelled { return }
            if !commands.isEmpty {
                logger.warning("the outputs of commands are lost with their driver", ["commands": commands.count])
            }
            await context.outputs.sweep()
        } catch {
            if Task.isCancelled { return }
            logger.error("the outputs of commands are not kept", ["error": HarbourError.describe(error)])
        }
        keptStart = start
        publish()
    }

    /// Reads what the commands have put out: first of those that have ended, because the driver forgets contexts that ended
    /// long ago when others end; then it ends all contexts, so that the other commands come to their ends too.
    private func keepFromDriver(_ commands: [CommandInfo], _ start: Int64) async -> [CommandInfo] {
        guard let address = record.address else { return commands }
        var left = commands
        do {
            let link = try DriverLink(address, token: row.driverToken, generation: start, loop: context.loop)
            let source = OutputSource.driver(
                link, deadline: .now + context.limits.keeping, silence: context.limits.keepingAnswer)
            // What has a last number has ended.
            let open = commands.filter { $0.lastSequence == 0 }
            left = await context.outputs.keep(commands.filter { $0.lastSequence != 0 }, start: start, from: source)
            await endContexts(link)
            left += await context.outputs.keep(open, start: start, from: source)
            await link.close()
        } catch {
            logger.debug("the driver cannot be asked", ["error": HarbourError.describe(error)])
        }
        return left
    }

    /// Ends all contexts of the driver, as far as it answers.
    private func endContexts(_ link: DriverLink) async {
        let patience = context.limits.keepingAnswer
        do {
            let answer = try await link.client.call(DriverAPI.listContexts, .init(), context: .within(patience))
            for each in answer.contexts {
                do {
                    _ = try await link.client.call(
                        DriverAPI.deleteContext, .init(contextID: each.contextID), context: .within(patience))
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

    private func scratchFolder() async -> String? {
        guard backend.capabilities.has(.scratch), let handle = record.handle else { return nil }
        do {
            return try await backend.scratch(of: handle)
        } catch {
            logger.warning("the folder of a cluster cannot be read", ["error": HarbourError.describe(error)])
            return nil
        }
    }
}
