public import Core
internal import Synchronization

/// Whether the parts of a service can do their work: what `/readyz` answers. Nothing is probed until somebody asks.
public final class Readiness: Sendable {
    /// Returns when the part works, and throws why not otherwise.
    public typealias Probe = @Sendable () async throws(HarbourError) -> Void

    private struct Part {
        let name: String
        var reason: String?
        var probe: Probe?
        /// Whether the probe failed when it was last asked.
        var probeFailed = false
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

    /// Adds a part that is asked each time; the probe must end within a second or two.
    public func add(_ name: String, _ probe: @escaping Probe) {
        parts.withLock { $0.append(Part(name: name, probe: probe)) }
    }

    /// Whether every part is ready as far as is known without asking.
    var isReady: Bool { parts.withLock { $0.allSatisfy { $0.reason == nil && !$0.probeFailed } } }

    /// Whether every part is ready, and `{"ready": false, "components": [{"name", "ready", "reason"}]}`.
    func report() async -> (isReady: Bool, json: [UInt8]) {
        var components: [JSONValue] = []
        var isReady = true
        for part in parts.withLock({ $0 }) {
            var reason = part.reason
            if let probe = part.probe {
                do throws(HarbourError) { try await probe() } catch { reason = error.message }
                note(part.name, probeFailed: reason != nil)
            }
            var component: JSONValue = ["name": .string(part.name), "ready": .bool(reason == nil)]
            if let reason {
                component["reason"] = .string(reason)
                isReady = false
            }
            components.append(component)
        }
        let value: JSONValue = ["ready": .bool(isReady), "components": .array(components)]
        return (isReady, value.encodedJSON())
    }

    private func note(_ name: String, probeFailed: Bool) {
        parts.withLock { parts in
            for index in parts.indices where parts[index].name == name { parts[index].probeFailed = probeFailed }
        }
    }
}
