public import Core
public import HTTPMessage
public import HarbourProtocol

/// Decides whether a known caller may make a request. A service asks it in one place, for every route of its contract,
/// before the handler sees anything.
public protocol Gatekeeper: Sendable {
    /// Lets the request through.
    /// - Parameters:
    ///   - caller: who asks, as the authenticator found out.
    ///   - route: the operation.
    ///   - request: the head, with the parameters of its path.
    ///   - body: read only when the decision needs it.
    /// - Throws: `PERMISSION_DENIED`, or what stands in the way of knowing.
    func admit(
        _ caller: Caller, to route: EndpointRoute, _ request: HTTPRequest, body: RequestBody
    ) async throws(HarbourError)
}

/// The body of a request, read at most once whoever asks for it first.
///
/// `@unchecked Sendable`: the parts of one request run one after the other.
public final class RequestBody: @unchecked Sendable {
    private let request: HTTPRequest
    private let limit: Int
    /// The bytes, once they have been read.
    public private(set) var loaded: [UInt8]?

    /// The body of a request to a route.
    public init(_ request: HTTPRequest, _ route: EndpointRoute) {
        self.request = request
        limit = route.maximumBodyBytes
        loaded = request.body.completeBytes
    }

    /// All bytes.
    /// - Throws: `REQUEST_TOO_LARGE`, or what broke the request off.
    public func bytes() async throws(HarbourError) -> [UInt8] {
        if let loaded { return loaded }
        let bytes = try await request.body.collect(limit: limit)
        loaded = bytes
        return bytes
    }
}
