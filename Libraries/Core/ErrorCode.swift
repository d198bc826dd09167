/// A stable name for one kind of failure, with the HTTP status that carries it.
///
/// Programs decide on the name and never on a message. The names are listed in `schemas/errors.md`.
public struct ErrorCode: Sendable, Hashable {
    /// The name on the wire, in capitals with underscores, as Databricks writes its own.
    public let name: String
    /// The HTTP status that answers with this code (RFC 9110 section 15).
    public let status: Int

    /// Makes a code; every code of a service is a static member of `ErrorCode` in that service.
    public init(_ name: String, status: Int) {
        self.name = name
        self.status = status
    }

    /// Two codes are the same when their names are.
    public static func == (left: ErrorCode, right: ErrorCode) -> Bool { left.name == right.name }

    /// Hashes the name alone, as equality does.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension ErrorCode {
    /// The request is well-formed but a value in it is not allowed.
    public static let invalidParameter = ErrorCode("INVALID_PARAMETER_VALUE", status: 400)
    /// The body is not what the contract says: broken JSON, a wrong type, an unknown or missing field.
    public static let malformedRequest = ErrorCode("MALFORMED_REQUEST", status: 400)
    /// The thing exists, but not in a state that allows this.
    public static let invalidState = ErrorCode("INVALID_STATE", status: 409)
    /// No token, or one that is not valid.
    public static let unauthenticated = ErrorCode("UNAUTHENTICATED", status: 401)
    /// The caller is known and may not do this.
    public static let permissionDenied = ErrorCode("PERMISSION_DENIED", status: 403)
    /// The named thing does not exist.
    public static let notFound = ErrorCode("RESOURCE_DOES_NOT_EXIST", status: 404)
    /// No route has this path.
    public static let endpointNotFound = ErrorCode("ENDPOINT_NOT_FOUND", status: 404)
    /// The path exists with other methods.
    public static let methodNotAllowed = ErrorCode("METHOD_NOT_ALLOWED", status: 405)
    /// Something of that name is there already.
    public static let alreadyExists = ErrorCode("RESOURCE_ALREADY_EXISTS", status: 409)
    /// Somebody else changed it in the meantime.
    public static let conflict = ErrorCode("RESOURCE_CONFLICT", status: 409)
    /// A body, header, list or count is over its limit.
    public static let tooLarge = ErrorCode("REQUEST_TOO_LARGE", status: 413)
    /// The body's media type is not the one the route takes.
    public static let unsupportedMediaType = ErrorCode("UNSUPPORTED_MEDIA_TYPE", status: 415)
    /// Too many requests, or a quota is used up.
    public static let resourceExhausted = ErrorCode("RESOURCE_EXHAUSTED", status: 429)
    /// The caller gave up, or somebody cancelled it.
    public static let cancelled = ErrorCode("CANCELLED", status: 499)
    /// A defect of ours.
    public static let internalError = ErrorCode("INTERNAL_ERROR", status: 500)
    /// The backend or kernel does not offer this; its capabilities say so.
    public static let unsupported = ErrorCode("NOT_SUPPORTED", status: 501)
    /// Another service answered with something that is not the contract.
    public static let badGateway = ErrorCode("BAD_UPSTREAM_RESPONSE", status: 502)
    /// Not reachable now; the same request may succeed later.
    public static let unavailable = ErrorCode("TEMPORARILY_UNAVAILABLE", status: 503)
    /// The deadline passed before the answer came.
    public static let deadlineExceeded = ErrorCode("DEADLINE_EXCEEDED", status: 504)
}
