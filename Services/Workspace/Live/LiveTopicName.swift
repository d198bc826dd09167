internal import Core

/// What can be followed.
enum LiveTopicName: Sendable, Hashable {
    case notebook(Int64)
    case run(Int64)
    case cluster(String)
    case list(LiveList)

    /// Reads `notebooks/12`, `runs/5`, `clusters/abc`, or the lists `runs`, `jobs` and `clusters`.
    /// - Throws: `INVALID_PARAMETER_VALUE`.
    init(_ text: String) throws(HarbourError) {
        if let list = LiveList(rawValue: text) {
            self = .list(list)
            return
        }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, !parts[1].isEmpty {
            switch parts[0] {
            case "notebooks":
                if let id = Int64(parts[1]) {
                    self = .notebook(id)
                    return
                }
            case "runs":
                if let id = Int64(parts[1]) {
                    self = .run(id)
                    return
                }
            case "clusters":
                self = .cluster(String(parts[1]))
                return
            default: break
            }
        }
        throw HarbourError(
            .invalidParameter,
            "\(text.prefix(80)) is not a topic. Follow notebooks/ID, runs/ID, clusters/ID, runs, jobs or clusters.")
    }

    var text: String {
        switch self {
        case .notebook(let id): "notebooks/\(id)"
        case .run(let id): "runs/\(id)"
        case .cluster(let id): "clusters/\(id)"
        case .list(let list): list.rawValue
        }
    }
}
