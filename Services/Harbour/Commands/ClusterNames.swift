internal import Core
internal import HarbourProtocol

extension PublicAPI {
    /// The id of the cluster that a person means: its id, or its name when one cluster alone has it.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when there is none, `RESOURCE_CONFLICT` when several have that name.
    func clusterID(_ text: String) async throws -> String {
        do {
            return try await call(ClusterAPI.getCluster, .init(clusterID: text)).clusterID
        } catch let error as HarbourError where error.code == .notFound {
            let named = try await clusters(named: text)
            guard let only = named.first else { throw error }
            guard named.count == 1 else {
                throw HarbourError(
                    .conflict,
                    "\(named.count) clusters have the name \(text). Say which by its id: "
                        + "\(named.prefix(10).joined(separator: ", ")).")
            }
            return only
        }
    }

    private func clusters(named name: String) async throws -> [String] {
        var named: [String] = []
        var page: String?
        repeat {
            let list = try await call(ClusterAPI.listClusters, .init(pageSize: 500, pageToken: page))
            named += list.clusters.filter { $0.spec.clusterName == name }.map(\.clusterID)
            page = list.nextPageToken
        } while page != nil
        return named
    }
}
