internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The search of the tree: by names, then by contents.
struct SearchHandlers: Sendable {
    let tree: WorkspaceTree
    let gate: AccessGate
    /// Of the connections to the database a few; everything else needs one too.
    let turns = Turns(
        limit: 3, queue: 12,
        refusal: "Too many searches are under way at the moment. Try again soon; words of three letters and more, and "
            + "a folder to search in, make a search fast.")

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.searchWorkspace) { [self] input, context in
            let folder = try input.path.map { text throws(HarbourError) in try WorkspacePath(text) }
            if let folder { _ = try await tree.object(folder) }
            let wish = SearchStore.Wish(
                query: try SearchQuery(input.query), folder: folder, kind: input.kind,
                sight: try await gate.sight(context.caller, at: folder ?? .root))
            let start = try input.pageToken.map { text throws(HarbourError) in try SearchStart(text) }
            return try await turns.run { try await tree.search(wish, from: start, count: input.pageSize ?? 20) }
        }
    }
}
