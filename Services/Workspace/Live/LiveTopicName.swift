internal import Core

/// What can be followed.
enum LiveTopicName: Sendable, Hashable {
    case notebook(Int64)
    case run(Int64)
    case cluster(String)

    /// Reads `notebooks/12`, `runs/5` or `clusters/abc`.
    /// - Throws: `INVALID_PARAMETER_VALUE`.
    init(_ text: String) throws(HarbourError) {
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
            "\(text.prefix(80)) is not a topic. Follow notebooks/ID, runs/ID or clusters/ID.")
    }

    var text: String {
        switch self {
        case .notebook(let id): "notebooks/\(id)"
        case .run(let id): "runs/\(id)"
        case .cluster(let id): "clusters/\(id)"
        }
    }
}
