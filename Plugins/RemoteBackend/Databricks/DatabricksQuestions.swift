internal import Core
internal import HarbourProtocol

/// Databricks has no interface for questions about code that is being written, so nothing is known there.
extension DatabricksDriver {
    func complete(_ spec: CompleteCode, in context: String, until deadline: MonotonicTime?) async throws -> Completion {
        Completion(matches: [], cursorStart: spec.cursorPos, cursorEnd: spec.cursorPos, busy: false)
    }

    func inspect(_ spec: InspectCode, in context: String, until deadline: MonotonicTime?) async throws -> Inspection {
        Inspection(found: false, busy: false)
    }
}
