internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of running notebooks: decode, ask the service, encode.
struct ExecutionHandlers: Sendable {
    let service: ExecutionService
    let saving: NotebookSaving
    let topics: NotebookTopics
    let access: NotebookAccess
    let questions: NotebookQuestions

    func register(on router: ServiceRouter) {
        registerQuestions(on: router)
        router.on(WorkspaceAPI.saveNotebook) { [saving] input, context in
            try await saving.save(input.body, input.notebookID, by: context.userName)
        }
        router.on(WorkspaceAPI.runCells) { [service, access] input, context in
            let attached = try await service.store.session(input.notebookID, on: service.store.pool).session.clusterID
            if let cluster = input.body.clusterID ?? attached { try await access.use(context.caller, cluster) }
            return try await service.run(input.body, input.notebookID, by: context.userName)
        }
        router.on(WorkspaceAPI.getNotebookExecution) { [service] input, _ in
            try await service.checkExists(input.notebookID)
            return try await service.store.execution(input.notebookID)
        }
        router.on(WorkspaceAPI.attachNotebook) { [service, access] input, context in
            try await service.checkExists(input.notebookID)
            try await access.use(context.caller, input.body.clusterID)
            return try await service.store.attach(input.notebookID, to: input.body.clusterID)
        }
        router.on(WorkspaceAPI.interruptNotebook) { [service] input, _ in
            try await service.checkExists(input.notebookID)
            return try await service.store.interrupt(input.notebookID, only: input.body.commandIds)
        }
        router.on(WorkspaceAPI.restartKernel) { [service] input, _ in
            try await service.checkExists(input.notebookID)
            return try await service.store.restart(input.notebookID)
        }
        router.on(WorkspaceAPI.changeWidgets) { [service] input, context in
            try await service.checkExists(input.notebookID)
            return try await service.store.changeWidgets(input.notebookID, input.body, by: context.userName)
        }
        router.on(WorkspaceAPI.getCellOutputs) { [service] input, _ in
            let opening = CellOpening(tree: service.tree, notebookID: input.notebookID, cellID: input.cellID)
            return try await opening.outputs(limit: input.outputLimit, total: input.outputTotal)
        }
        router.on(WorkspaceAPI.streamNotebookEvents) { [service, topics] input, _, send in
            try await service.checkExists(input.notebookID)
            try await send.open()
            try await topics.followEvents(input.notebookID, after: input.after ?? 0) { lines throws(HarbourError) in
                try await send.encoded(lines)
            }
        }
    }

    private func registerQuestions(on router: ServiceRouter) {
        router.on(WorkspaceAPI.completeInNotebook) { [self] input, context in
            let place = try await place(input.notebookID, context)
            return try await questions.complete(input.body, at: place, context.call())
        }
        router.on(WorkspaceAPI.inspectInNotebook) { [self] input, context in
            let place = try await place(input.notebookID, context)
            return try await questions.inspect(input.body, at: place, context.call())
        }
    }

    /// Where the notebook's kernel is. Who asks looks into what others have on that cluster, so both permissions are
    /// needed, as for running.
    private func place(
        _ notebookID: Int64, _ context: RequestContext
    ) async throws(HarbourError) -> NotebookQuestions.Place? {
        try await service.checkExists(notebookID)
        let place = try await questions.place(notebookID)
        if let place { try await access.use(context.caller, place.clusterID) }
        return place
    }
}
