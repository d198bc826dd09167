public import Core
public import HTTPMessage

/// Puts together the request that an input stands for.
public struct RequestBuilder: Sendable {
    /// The path, percent-encoded.
    public private(set) var path = ""
    /// The query, percent-encoded; empty when there is none.
    public private(set) var query = ""
    /// Header fields that are parameters.
    public private(set) var fields = HTTPFields()
    /// The body as JSON; nil when there is none.
    public private(set) var body: [UInt8]?

    /// Makes an empty request.
    public init() {}

    /// Path and query: `/api/v1/jobs?page_size=10`.
    public var target: String { query.isEmpty ? path : "\(path)?\(query)" }

    /// Adds a part of the path that needs no encoding.
    public mutating func literal(_ text: StaticString) { path += text.description }

    /// Adds a segment of the path.
    public mutating func segment(_ text: String) { path += "/" + PercentEncoding.encode(text) }
    /// Adds a segment of the path.
    public mutating func segment(_ number: some FixedWidthInteger) { path += "/\(number)" }

    /// Adds a segment of the path.
    public mutating func segment(_ name: some ParameterName) { segment(name.rawValue) }
    /// Adds a segment of the path.
    public mutating func segment(_ flag: Bool) { path += flag ? "/true" : "/false" }
    /// Adds a segment of the path, in milliseconds since 1970.
    public mutating func segment(_ time: Timestamp) { segment(time.milliseconds) }

    /// Adds an item of the query; nil adds nothing.
    public mutating func query(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        query += "\(query.isEmpty ? "" : "&")\(name)=\(PercentEncoding.encode(value))"
    }
    /// Adds an item of the query; nil adds nothing.
    public mutating func query(_ name: StaticString, _ value: (some FixedWidthInteger)?) {
        query(name, value.map { String($0) })
    }
    /// Adds an item of the query; nil adds nothing.
    public mutating func query(_ name: StaticString, _ value: Bool?) {
        query(name, value.map { $0 ? "true" : "false" })
    }
    /// Adds an item of the query, in milliseconds since 1970; nil adds nothing.
    public mutating func query(_ name: StaticString, _ value: Timestamp?) { query(name, value?.milliseconds) }
    /// Adds an item of the query; nil adds nothing.
    public mutating func query(_ name: StaticString, _ value: (some ParameterName)?) { query(name, value?.rawValue) }

    /// Adds a header field; nil adds nothing.
    public mutating func header(_ name: StaticString, _ value: String?) {
        if let value { fields.append(name.description, value) }
    }
    /// Adds a header field; nil adds nothing.
    public mutating func header(_ name: StaticString, _ value: (some FixedWidthInteger)?) {
        header(name, value.map { String($0) })
    }
    /// Adds a header field; nil adds nothing.
    public mutating func header(_ name: StaticString, _ value: (some ParameterName)?) { header(name, value?.rawValue) }

    /// Adds a header field; nil adds nothing.
    public mutating func header(_ name: StaticString, _ value: Bool?) {
        header(name, value.map { $0 ? "true" : "false" })
    }
    /// Adds a header field, in milliseconds since 1970; nil adds nothing.
    public mutating func header(_ name: StaticString, _ value: Timestamp?) { header(name, value?.milliseconds) }

    /// Sets the body; nil sets none.
    public mutating func body(_ value: (some JSONEncodable)?) { body = value?.encodedJSON() }
}
