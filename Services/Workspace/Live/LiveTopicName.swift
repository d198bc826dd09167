internal import Core

/// What can be followed.
enum LiveTopicName: Sendable, Hashable {
    case notebook(Int64)
    case run(Int64)
    case cluster(String)
    /// What a cluster writes.
    case log(cluster: String)
    case list(LiveList)

    /// Reads `notebooks/12`, `runs/5`, `clusters/abc`, `clusters/abc/logs`, or the lists `runs`, `jobs` and `clusters`.
    /// - Throws: `INVALID_PARAMETER_VALUE`.
    init(_ text: String) throws(HarbourError) {
        if let list = LiveList(rawValue: text) {
            self = .list(list)
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch (parts.first, parts.count) {
        case ("notebooks", 2):
            if let id = Int64(parts[1]) {
                self = .notebook(id)
                return
            }
        case ("runs", 2):
            if let id = Int64(parts[1]) {
                self = .run(id)
                return
            }
        case ("clusters", 2) where !parts[1].isEmpty:
            self = .cluster(parts[1])
            return
        case ("clusters", 3) where !parts[1].isEmpty && parts[2] == "logs":
            self = .log(cluster: parts[1])
            return
        default: break
        }
        throw HarbourError(
            .invalidParameter,
            """
            \(text.prefix(80)) is not a topic. Follow notebooks/ID, runs/ID, clusters/ID, clusters/ID/logs, runs, jobs \
            or clusters.
            """)
    }

    var text: String {
        switch self {
        case .notebook(let id): "notebooks/\(id)"
        case .run(let id): "runs/\(id)"
        case .cluster(let id): "clusters/\(id)"
        case .log(let cluster): "clusters/\(cluster)/logs"
        case .list(let list): list.rawValue
        }
    }
}
