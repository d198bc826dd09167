public import Core
public import HTTPMessage

/// One route of the contract, apart from the types of what goes in and comes out.
public struct EndpointRoute: Sendable, Hashable {
    /// The service that answers: `cluster`.
    public let service: String
    /// The name of the operation, unique within its service: `createCluster`.
    public let operationID: String
    /// The method.
    public let method: HTTPMethod
    /// The path with its parameters in braces: `/api/v1/clusters/{cluster_id}`.
    public let path: String
    /// The status of success.
    public let successStatus: Int
    /// Whether asking twice has the effect of asking once, so that a client may try again.
    public let isIdempotent: Bool
    /// Whether only other services may call it.
    public let isInternal: Bool
    /// Whether the answer is a stream of lines.
    public let isStream: Bool
    /// The largest body that is read, in bytes.
    public let maximumBodyBytes: Int

    /// Describes a route; written by the generator.
    public init(
        service: String, operationID: String, method: HTTPMethod, path: String, successStatus: Int = 200,
        isIdempotent: Bool, isInternal: Bool = false, isStream: Bool = false, maximumBodyBytes: Int = 4 << 20
    ) {
        self.service = service
        self.operationID = operationID
        self.method = method
        self.path = path
        self.successStatus = successStatus
        self.isIdempotent = isIdempotent
        self.isInternal = isInternal
        self.isStream = isStream
        self.maximumBodyBytes = maximumBodyBytes
    }
}

/// A route that is asked once and answers once. Servers and clients share the value, so they cannot drift apart.
public struct Endpoint<Input: EndpointInput, Output: JSONCodable & Sendable>: Sendable {
    /// Where it is.
    public let route: EndpointRoute

    /// Types a route; written by the generator.
    public init(_ route: EndpointRoute) { self.route = route }
}

/// A route that answers with one JSON value a line, for as long as there is something to tell.
public struct StreamEndpoint<Input: EndpointInput, Element: JSONCodable & Sendable>: Sendable {
    /// Where it is.
    public let route: EndpointRoute

    /// Types a route; written by the generator.
    public init(_ route: EndpointRoute) { self.route = route }
}

/// A route whose body or answer are bytes that are no JSON, and may be too many to be in memory at once.
public struct RawEndpoint<Input: EndpointInput>: Sendable {
    /// Where it is.
    public let route: EndpointRoute

    /// Types a route; written by the generator.
    public init(_ route: EndpointRoute) { self.route = route }
}

/// What an endpoint is asked with: the values of its path, query and body.
public protocol EndpointInput: Sendable {
    /// Writes the values into a request.
    func encode(to request: inout RequestBuilder)

    /// Reads the values of a request.
    /// - Throws: `INVALID_PARAMETER_VALUE` or `MALFORMED_REQUEST`, naming what is wrong.
    init(from request: borrowing RequestParts) throws(HarbourError)
}

/// An input that can say which elements of a stream have been seen, so that a broken stream goes on where it was.
public protocol ResumableInput: EndpointInput {
    /// The number of the last element already seen.
    var resumeAfter: Int64? { get set }
}

/// An element of a stream that knows its number.
public protocol SequencedElement: Sendable {
    /// Grows from element to element.
    var sequence: Int64 { get }
}

/// One of a set of names, as parameters carry them.
public protocol ParameterName: RawRepresentable, Sendable where RawValue == String {}
