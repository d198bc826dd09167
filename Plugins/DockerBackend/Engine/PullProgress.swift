internal import Core

/// How far an image is, summed over its layers.
///
/// The engine tells of a layer at most ten times a second while bytes come, and then once that all of them are there; of
/// one that comes at once it may tell only the last.
struct PullProgress {
    private var layers: [String: (done: Int64, total: Int64)] = [:]

    /// Whether the event changed anything.
    mutating func take(_ event: JSONValue) -> Bool {
        guard let layer = event["id"]?.string else { return false }
        switch event["status"]?.string {
        case "Downloading":
            guard let done = event["progressDetail"]?["current"]?.int64,
                let total = event["progressDetail"]?["total"]?.int64,
                layers[layer] != nil || layers.count < 10_000
            else { return false }
            layers[layer] = (done, total)
            return true
        case "Download complete":
            guard let known = layers[layer], known.done != known.total else { return false }
            layers[layer] = (known.total, known.total)
            return true
        default: return false
        }
    }

    var done: Int64 { layers.values.reduce(0) { $0 &+ $1.done } }
    var total: Int64? { layers.isEmpty ? nil : layers.values.reduce(0) { $0 &+ $1.total } }
}
