internal import Core
internal import Synchronization

/// Whether the parts of a service can do their work: what `/readyz` answers.
public final class Readiness: Sendable {
    private struct Part {
        let name: String
        var reason: String?
    }

    private let parts = Mutex<[Part]>([])

    /// Makes a list without parts, which is ready.
    public init() {}

    /// Says why a part is not ready; nil when it is. A new name adds a part.
    public func set(_ name: String, notReadyBecause reason: String?) {
        parts.withLock { parts in
            if let index = parts.firstIndex(where: { $0.name == name }) {
                parts[index].reason = reason
            } else {
                parts.append(Part(name: name, reason: reason))
            }
        }
    }

    /// Whether every part is ready.
    public var isReady: Bool { parts.withLock { $0.allSatisfy { $0.reason == nil } } }

    /// `{"ready": false, "components": [{"name", "ready", "reason"}]}`.
    func encodedJSON() -> [UInt8] {
        let parts = parts.withLock { $0 }
        let components = parts.map { part -> JSONValue in
            var component: JSONValue = ["name": .string(part.name), "ready": .bool(part.reason == nil)]
            if let reason = part.reason { component["reason"] = .string(reason) }
            return component
        }
        let isReady = parts.allSatisfy { $0.reason == nil }
        return JSONValue.object(["ready": .bool(isReady), "components": .array(components)]).encodedJSON()
    }
}
