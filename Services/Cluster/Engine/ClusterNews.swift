internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol

extension EngineContext {
    /// How long changes are gathered before the next ones are told.
    private static let gathering = Duration.milliseconds(250)

    /// Tells which clusters have changed, all together.
    func followChanges(
        begun: () async throws -> Void, isolation: isolated (any Actor)? = #isolation,
        _ send: (ClusterChange) async throws -> Void
    ) async throws {
        try await news.follow(begun: begun) { changes in
            for news in try changes.all() {
                try await send(
                    ClusterChange(clusterID: news.id.text, creatorUserName: news.creator, owner: news.owner))
            }
            try await loop.sleep(for: Self.gathering)
        }
    }
}
