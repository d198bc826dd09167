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

    /// Ends all contexts, so that every command comes to its end, and reads what they have put out.
    private func keepFromDriver(_ commands: [CommandInfo], _ start: Int64) async -> [CommandInfo] {
        guard let address = record.address else { return commands }
        var left = commands
        do {
            let link = try DriverLink(address, token: row.driverToken, generation: start, loop: context.loop)
            do {
                let first = CallContext.within(context.limits.keepingAnswer)
                for each in try await link.client.call(DriverAPI.listContexts, .init(), context: first).contexts {
                    _ = try await link.client.call(
                        DriverAPI.deleteContext, .init(contextID: each.contextID),
                        context: .within(context.limits.keepingAnswer))
                }
                left = await context.outputs.keep(
                    commands, start: start,
                    from: .driver(
                        link, deadline: .now + context.limits.keeping, silence: context.limits.keepingAnswer))
            } catch {
                logger.debug(
                    "the driver does not tell of its commands any more", ["error": HarbourError.describe(error)])
            }
            await link.close()
        } catch {
            logger.debug("the driver cannot be asked", ["error": HarbourError.describe(error)])
        }
        return left
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
