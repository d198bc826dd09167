internal import Core
internal import HarbourProtocol
internal import ServiceClients

/// Questions about code that is being written, for the kernel that the notebook has. None is started for them: whoever
/// only writes uses nothing of a cluster, and where there is no kernel there is nothing to tell.
struct NotebookQuestions: Sendable {
    let store: ExecutionStore
    let clusters: ServiceClient

    /// A notebook's kernel.
    struct Place: Sendable {
        var clusterID: String
        var contextID: String
    }

    /// Where the kernel is; nil when there is none.
    func place(_ notebookID: Int64) async throws(HarbourError) -> Place? {
        let session = try await store.session(notebookID, on: store.pool).session
        guard session.kernel == .ready, let cluster = session.clusterID, let context = session.contextID else {
            return nil
        }
        return Place(clusterID: cluster, contextID: context)
    }

    func complete(_ body: CompleteCode, at place: Place?, _ call: CallContext) async throws(HarbourError) -> Completion
    {
        let nothing = Completion(matches: [], cursorStart: body.cursorPos, cursorEnd: body.cursorPos, busy: false)
        guard let place else { return nothing }
        return try await NotebookQuestions.ifThere { [clusters] () throws(HarbourError) in
            try await clusters.call(
                ClusterAPI.completeCode, .init(clusterID: place.clusterID, contextID: place.contextID, body: body),
                context: call)
        } ?? nothing
    }

    func inspect(_ body: InspectCode, at place: Place?, _ call: CallContext) async throws(HarbourError) -> Inspection {
        let nothing = Inspection(found: false, busy: false)
        guard let place else { return nothing }
        return try await NotebookQuestions.ifThere { [clusters] () throws(HarbourError) in
            try await clusters.call(
                ClusterAPI.inspectCode, .init(clusterID: place.clusterID, contextID: place.contextID, body: body),
                context: call)
        } ?? nothing
    }

    /// Nil when the kernel has gone since it was last used, as with a cluster that was ended.
    private static func ifThere<Answer: Sendable>(
        _ ask: () async throws(HarbourError) -> Answer
    ) async throws(HarbourError) -> Answer? {
        do throws(HarbourError) { return try await ask() } catch {
            if error.code.status == 404 || error.code == .invalidState { return nil }
            throw error
        }
    }
}
