internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The search of the tree: by names, then by contents.
struct SearchHandlers: Sendable {
    let tree: WorkspaceTree
    let gate: AccessGate

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.searchWorkspace) { [self] input, context in
            let folder = try input.path.map { text throws(HarbourError) in try WorkspacePath(text) }
            if let folder { _ = try await tree.object(folder) }
            let wish = SearchStore.Wish(
                query: try SearchQuery(input.query), folder: folder, kind: input.kind,
                sight: try await gate.sight(context.caller, at: folder ?? .root))
            return try await tree.search(
                wish, from: try input.pageToken.map { text throws(HarbourError) in try SearchStart(text) },
                count: input.pageSize ?? 20)
        }
    }
}
