internal import Core
internal import ServiceKit

/// What is asked before somebody follows a topic, or runs cells on a cluster: two questions that a route's own rule does
/// not answer, because the WebSocket has one route for all topics, and because cells run on the cluster that the notebook
/// is attached to, whoever attached it.
struct NotebookAccess: Sendable {
    let gate: AccessGate

    /// - Throws: `PERMISSION_DENIED`.
    func follow(_ caller: Caller, _ topic: LiveTopicName) async throws(HarbourError) {
        guard let principal = try await gate.principal(caller) else { return }
        switch topic {
        case .notebook(let id): try await gate.require(.view, on: .object(id), principal)
        case .run(let id): try await gate.require(.view, on: .run(id), principal)
        case .cluster(let id), .log(let id): try await gate.require(.view, on: .cluster(id), principal)
        // Told of is only what they may see.
        case .list: break
        }
    }

    /// - Throws: `PERMISSION_DENIED`.
    func use(_ caller: Caller, _ clusterID: String) async throws(HarbourError) {
        guard let principal = try await gate.principal(caller) else { return }
        try await gate.require(.run, on: .cluster(clusterID), principal)
    }
}
