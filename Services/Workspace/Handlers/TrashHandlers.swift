internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of the trash: decode, ask, encode.
struct TrashHandlers: Sendable {
    let trash: WorkspaceTrash
    let emptier: TrashEmptier
    let gate: AccessGate
    /// How long things stay in the trash; 0 is for ever.
    let days: Int

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.listTrash) { [self] input, context in
            let size = input.pageSize ?? 50
            let viewer = try await gate.restorer(context.caller)
            let before = try input.pageToken.map { text throws(HarbourError) in
                try PageToken(text, count: 1).int64(0)
            }
            var found = try await trash.list(before: before, count: size + 1, visibleTo: viewer)
            guard found.count > size else { return TrashList(deletions: found, retentionDays: days) }
            found.removeLast(found.count - size)
            return TrashList(
                deletions: found, retentionDays: days,
                nextPageToken: found.last.map { PageToken(.integer($0.deletionID)).text })
        }
        router.on(WorkspaceAPI.restoreDeletion) { [trash] input, context in
            let path = try input.body.path.map { text throws(HarbourError) in try WorkspacePath(text) }
            return try await trash.restore(input.deletionID, to: path, by: context.userName)
        }
        router.on(WorkspaceAPI.purgeDeletion) { [trash, emptier] input, _ in
            try await trash.purge(input.deletionID)
            emptier.wake()
            return Empty()
        }
    }
}
