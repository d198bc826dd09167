internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients
internal import ServiceKit

/// The routes of contexts and commands.
struct ContextHandlers: Sendable {
    let engine: ClusterEngine

    func register(on router: ServiceRouter) {
        registerContexts(router)
        registerQuestions(router)
        registerCommands(router)
    }

    private func registerContexts(_ router: ServiceRouter) {
        router.on(ClusterAPI.createContext) { [engine] input, context in
            try await engine.controller(input.clusterID).createContext(input.body, context.call())
        }
        router.on(ClusterAPI.listContexts) { [engine] input, context in
            try await engine.controller(input.clusterID).listContexts(context.call())
        }
        router.on(ClusterAPI.getContext) { [engine] input, context in
            try await engine.controller(input.clusterID).getContext(input.contextID, context.call())
        }
        router.on(ClusterAPI.deleteContext) { [engine] input, context in
            try await engine.controller(input.clusterID).deleteContext(input.contextID, context.call())
            return Empty()
        }
    }

    /// About code that is being written. Somebody waits at the keyboard: a driver that does not answer is not waited for.
    private func registerQuestions(_ router: ServiceRouter) {
        router.on(ClusterAPI.completeCode) { [engine] input, context in
            try await engine.controller(input.clusterID).runningLink().client.call(
                DriverAPI.completeCode, .init(contextID: input.contextID, body: input.body),
                context: context.call(within: .seconds(10)))
        }
        router.on(ClusterAPI.inspectCode) { [engine] input, context in
            try await engine.controller(input.clusterID).runningLink().client.call(
                DriverAPI.inspectCode, .init(contextID: input.contextID, body: input.body),
                context: context.call(within: .seconds(10)))
        }
    }

    private func registerCommands(_ router: ServiceRouter) {
        router.on(ClusterAPI.executeCommand) { [engine] input, context in
            try await engine.controller(input.clusterID).execute(input.contextID, input.body, context.call())
        }
        router.on(ClusterAPI.getCommand) { [engine] input, context in
            try await engine.controller(input.clusterID).command(
                input.contextID, input.commandID, context.call(within: .seconds(5)))
        }
        router.on(ClusterAPI.cancelCommand) { [engine] input, context in
            try await engine.controller(input.clusterID).cancel(input.contextID, input.commandID, context.call())
        }
        router.on(ClusterAPI.readCommandOverflow) { [engine] input, context in
            let link = try await engine.controller(input.clusterID).runningLink()
            return try await link.client.call(
                DriverAPI.readCommandOverflow,
                .init(contextID: input.contextID, commandID: input.commandID, offset: input.offset),
                context: context.call(within: .seconds(30)))
        }
        registerEvents(router)
    }

    private func registerEvents(_ router: ServiceRouter) {
        router.on(ClusterAPI.streamCommandEvents) { [self] input, context, send in
            let place = CommandPlace(
                clusterID: input.clusterID, contextID: input.contextID, commandID: input.commandID)
            let pass: CommandRelay.Send = { event throws(HarbourError) in try await send(event) }
            try await relay(place, after: input.after ?? 0, pass) { relay, send in
                try await relay.listen(after: input.after ?? 0, context.call(), send)
            }
        }
        router.on(ClusterAPI.runCommand) { [self] input, context, send in
            let place = CommandPlace(
                clusterID: input.clusterID, contextID: input.contextID, commandID: input.commandID)
            let pass: CommandRelay.Send = { event throws(HarbourError) in try await send(event) }
            try await relay(place, after: input.body.after ?? 0, pass) { relay, send in
                var relay = relay
                relay.confirms = input.body.confirms ?? false
                try await relay.run(input.body, context.call(), send: send)
            }
        }
        router.on(ClusterAPI.confirmCommands) { [engine] input, _ in
            try await engine.context.outputs.store.confirm(input.body.commands)
            return Empty()
        }
    }

    /// Passes events on: those of a cluster that is there, or what is kept of one that was deleted.
    private func relay(
        _ command: CommandPlace, after sequence: Int64, _ send: @escaping CommandRelay.Send,
        _ body: (CommandRelay, @escaping CommandRelay.Send) async throws -> Void
    ) async throws {
        let controller: ClusterController
        do {
            controller = try await engine.controller(command.clusterID)
        } catch let error as HarbourError where error.code == .notFound {
            let kept = KeptRelay(store: engine.context.outputs.store)
            if try await kept.passRemains(of: command, after: sequence, send) { return }
            throw error
        }
        try await body(
            CommandRelay(controller: controller, contextID: command.contextID, commandID: command.commandID), send)
    }
}
