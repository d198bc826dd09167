internal import Core
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceKit

/// What the gate found out about a request, left at it for the audit log.
struct AuditNote: Sendable {
    let route: EndpointRoute
    let caller: Caller
    /// What the request is about, as far as it was read.
    var objects: [String] = []

    /// Such as `workspace.exportObject`.
    var operation: String { "\(route.service).\(route.operationID)" }
}
