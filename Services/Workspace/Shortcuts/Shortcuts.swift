internal import HarbourProtocol
internal import ServiceKit

extension RunningNotebooks {
    /// Registers the routes that do with one plain request what takes several of the others.
    func registerShortcuts(on router: ServiceRouter, _ gate: AccessGate, _ files: FileReader) {
        NotebookShortcuts(
            tree: service.tree, gate: gate, execution: service,
            content: WorkspaceHandlers(
                tree: service.tree, gate: gate, execution: service, files: files,
                frozen: FrozenRevisions(pool: service.tree.pool))
        ).register(on: router)
        JobShortcuts(tree: service.tree, scheduler: parts.scheduler).register(on: router)
        DashboardHandlers(
            tree: service.tree, gate: gate, scheduler: parts.scheduler, clusters: parts.clusters
        ).register(on: router)
    }
}
