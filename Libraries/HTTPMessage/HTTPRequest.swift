public import Core
internal import Glibc

/// Who is at the other end of a connection.
public final class HTTPPeer: Sendable {
    /// Address and port, or `unix`, for logs; of who asks through a proxy that is believed, the address alone.
    public let description: String
    /// The address without a port.
    public var address: String { IPAddress(withPort: description)?.description ?? description }
    /// Whether the connection is encrypted.
    public let isSecure: Bool
    /// The subject of the certificate the peer proved itself with, when mutual TLS is on.
    public let certificateSubject: String?

    /// Describes a peer.
    public init(description: String, isSecure: Bool = false, certificateSubject: String? = nil) {
        self.description = description
        self.isSecure = isSecure
        self.certificateSubject = certificateSubject
    }

    /// For requests that came over no connection.
    public static let none = HTTPPeer(description: "none")
}

/// A received request.
///
/// `@unchecked Sendable`: filled by the connection's loop before a handler sees it; afterwards only the handler that
/// works on it writes to it (`attributes`), and its parts run one after the other.
public final class HTTPRequest: @unchecked Sendable {
    /// What the client wants done.
    @exclusivity(unchecked) public package(set) var method: HTTPMethod = .get
    /// The header fields, names in lower case.
    @exclusivity(unchecked) public package(set) var fields: HTTPFields
    /// The body, to be read once.
    @exclusivity(unchecked) public package(set) var body: HTTPBody = .empty
    /// Who asks.
    @exclusivity(unchecked) public package(set) var remote: HTTPPeer = .none
    /// When the caller stops waiting (`x-harbour-deadline-ms`).
    @exclusivity(unchecked) public package(set) var deadline: MonotonicTime?
    /// Values that middlewares leave for handlers.
    @exclusivity(unchecked) public var attributes = HTTPAttributes()

    @exclusivity(unchecked) package var pathRange = ByteRange.empty
    @exclusivity(unchecked) package var queryRange: ByteRange?
    @exclusivity(unchecked) package var authorityRange = ByteRange.empty
    @exclusivity(unchecked) package var requestIDRange = ByteRange.empty
    @exclusivity(unchecked) package var parameterNames: [String] = []
    @exclusivity(unchecked) package var parameterRanges: [ByteRange] = []
    @exclusivity(unchecked) package var route: String = ""
    @exclusivity(unchecked) private var cachedTrace: TraceContext?

    /// An empty request for a server to fill.
    package init(forServer: Void) { fields = HTTPFields(storage: HTTPFieldStorage()) }

    /// Makes a request that came over no connection, for tests of handlers. The target is path and query: `/a/b?c=d`.
    public init(
        method: HTTPMethod = .get, target: String, authority: String = "localhost", fields: HTTPFields = HTTPFields(),
        body: HTTPBody = .empty, remote: HTTPPeer = .none, deadline: MonotonicTime? = nil, requestID: String = ""
    ) {
        self.method = method
        self.fields = HTTPFields(storage: fields.storage.copy())
        self.body = body
        self.remote = remote
        self.deadline = deadline
        var target = target
        target.withUTF8 { setTarget($0.baseAddress, $0.count) }
        authorityRange = store(authority)
        requestIDRange = store(requestID)
    }

    /// The path as it came, percent-encoded, beginning with `/`.
    public var path: String { fields.storage.text(pathRange) }
    /// What follows the first `?`, percent-encoded; nil without one.
    public var query: String? { queryRange.map { fields.storage.text($0) } }
    /// The host and port the client addressed (RFC 9110 section 7.2).
    public var authority: String { fields.storage.text(authorityRange) }
    /// Whether the connection is encrypted.
    public var isSecure: Bool { remote.isSecure }
    /// The id of this request in logs and in the answer: the client's `x-request-id` or one of ours.
    public var requestID: String { fields.storage.text(requestIDRange) }
    /// The template of the route that matched, such as `/jobs/{id}`; empty before routing. For metrics.
    public var routeTemplate: String { route }
    /// The parameters of the route's template.
    public var parameters: HTTPParameters { HTTPParameters(request: self) }

    /// The caller's place in its trace, or the begin of a new one.
    public var trace: TraceContext {
        if let cachedTrace { return cachedTrace }
        let trace = fields.withValue("traceparent") { TraceContext(traceparent: $0) } ?? nil
        let known = trace ?? .make()
        cachedTrace = known
        return known
    }

    /// The decoded value of the query's first item of that name, `+` read as a space.
    public func queryValue(_ name: String) -> String? { queryItems.first { $0.name == name }?.value }

    /// The decoded items of the query; items that are not valid percent-encoded UTF-8 are left out.
    public var queryItems: [(name: String, value: String)] {
        guard let queryRange else { return [] }
        return fields.storage.bytes(queryRange).split(separator: UInt8(ascii: "&")).compactMap { item in
            let equals = item.firstIndex(of: UInt8(ascii: "=")) ?? item.endIndex
            let value = equals < item.endIndex ? item[(equals + 1)...] : item[item.endIndex...]
            guard let name = PercentEncoding.decode(UnsafeBufferPointer(rebasing: item[..<equals]), plusIsSpace: true),
                let text = PercentEncoding.decode(UnsafeBufferPointer(rebasing: value), plusIsSpace: true)
            else { return nil }
            return (name, text)
        }
    }

    /// Whether the path is exactly this text, without making a String.
    public func pathIs(_ text: StaticString) -> Bool { text.matches(fields.storage.bytes(pathRange)) }

    /// The id as bytes, valid until the request is used again.
    package var requestIDBytes: UnsafeBufferPointer<UInt8> { fields.storage.bytes(requestIDRange) }

    /// Reads the path as bytes, valid within the closure.
    package func withPath<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        body(fields.storage.bytes(pathRange))
    }

    // MARK: Filling, by servers

    /// Stores the target in the storage of the fields, which nobody else has yet.
    package func setTarget(_ bytes: UnsafePointer<UInt8>?, _ count: Int) {
        let range = fields.storage.store(bytes, count)
        pathRange = range
        queryRange = nil
        guard let bytes, let mark = memchr(bytes, Int32(UInt8(ascii: "?")), count) else { return }
        let length = UnsafeRawPointer(mark) - UnsafeRawPointer(bytes)
        pathRange = ByteRange(offset: range.start, count: length)
        queryRange = ByteRange(offset: range.start + length + 1, count: count - length - 1)
    }

    package func store(_ text: String) -> ByteRange {
        fields.makeUnique()
        var text = text
        return text.withUTF8 { fields.storage.store($0.baseAddress, $0.count) }
    }

    /// Makes the object ready for the next request.
    package func recycle() {
        fields.recycle()
        method = .get
        body = .empty
        deadline = nil
        if !attributes.isEmpty { attributes = HTTPAttributes() }
        pathRange = .empty
        queryRange = nil
        authorityRange = .empty
        requestIDRange = .empty
        parameterNames = []
        parameterRanges.removeAll(keepingCapacity: true)
        route = ""
        cachedTrace = nil
    }
}

/// The values of a route's `{name}` parts, percent-decoded. The router has made sure that they decode.
public struct HTTPParameters: Sendable {
    fileprivate let request: HTTPRequest

    /// The value of a parameter that the route's template names.
    public subscript(name: String) -> String {
        guard let value = value(name) else { preconditionFailure("the route has no parameter {\(name)}") }
        return value
    }

    /// The value, or nil when the template has no such parameter.
    public func value(_ name: String) -> String? {
        guard let index = request.parameterNames.firstIndex(of: name), index < request.parameterRanges.count else {
            return nil
        }
        return PercentEncoding.decode(request.fields.storage.bytes(request.parameterRanges[index]))
    }
}

/// Values by their type, which middlewares attach to a request: `request.attributes[User.self] = user`.
public struct HTTPAttributes: Sendable {
    private var values: [(ObjectIdentifier, any Sendable)] = []

    /// None.
    public init() {}

    /// Whether nothing is attached.
    public var isEmpty: Bool { values.isEmpty }

    /// The value of that type.
    public subscript<Value: Sendable>(type: Value.Type) -> Value? {
        get { values.first { $0.0 == ObjectIdentifier(type) }?.1 as? Value }
        set {
            values.removeAll { $0.0 == ObjectIdentifier(type) }
            if let newValue { values.append((ObjectIdentifier(type), newValue)) }
        }
    }
}
