public import Core
public import HTTPMessage

/// A received request, from which an input reads its values.
public struct RequestParts: ~Copyable {
    private let request: HTTPRequest
    private let bytes: [UInt8]
    private let items: [(name: String, value: String)]

    /// Takes a request that a router has matched, and its whole body.
    public init(_ request: HTTPRequest, body: [UInt8]) {
        self.request = request
        bytes = body
        items = request.query == nil ? [] : request.queryItems
    }

    /// Refuses query items of other names, and names that are given twice: a misspelt filter must not be taken for
    /// none.
    public func allowQuery(_ names: [String]) throws(HarbourError) {
        for (index, item) in items.enumerated() {
            guard names.contains(item.name) else {
                let known = names.isEmpty ? "There are none" : "There are: \(names.joined(separator: ", "))"
                throw HarbourError(
                    .invalidParameter, "The query parameter `\(item.name.prefix(64))` is not known here. \(known).")
            }
            guard !items[..<index].contains(where: { $0.name == item.name }) else {
                throw HarbourError(.invalidParameter, "The query parameter `\(item.name)` is given twice.")
            }
        }
    }

    /// A parameter of the path.
    public func path(_ name: String) throws(HarbourError) -> ParameterText {
        guard let value = request.parameters.value(name) else {
            throw HarbourError(.invalidParameter, "The path has no valid `\(name)`.")
        }
        return ParameterText(name: name, text: value)
    }

    /// A parameter of the query, if it is given.
    public func query(_ name: String) -> ParameterText? {
        items.first { $0.name == name }.map { ParameterText(name: name, text: $0.value) }
    }

    /// A parameter of the query that must be given.
    public func requiredQuery(_ name: String) throws(HarbourError) -> ParameterText {
        guard let parameter = query(name) else {
            throw HarbourError(.invalidParameter, "The query parameter `\(name)` is required. Add it and ask again.")
        }
        return parameter
    }

    /// A header field, if it is given.
    public func header(_ name: String) -> ParameterText? {
        request.fields[name].map { ParameterText(name: name, text: $0) }
    }

    /// A header field that must be given.
    public func requiredHeader(_ name: String) throws(HarbourError) -> ParameterText {
        guard let parameter = header(name) else {
            throw HarbourError(.invalidParameter, "The header field `\(name)` is required. Add it and ask again.")
        }
        return parameter
    }

    /// The body.
    public func body<Value: JSONDecodable>() throws(HarbourError) -> Value {
        if bytes.isEmpty { throw HarbourError(.malformedRequest, "The body is empty, and must be a JSON document.") }
        return try Value(json: bytes)
    }

    /// The body, if there is one.
    public func optionalBody<Value: JSONDecodable>() throws(HarbourError) -> Value? {
        bytes.isEmpty ? nil : try Value(json: bytes)
    }
}

/// A parameter as text, to be read as what the contract says it is.
public struct ParameterText: Sendable {
    let name: String
    let text: String

    /// Takes a parameter.
    public init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    /// Any text of at most 4096 characters.
    public func string() throws(HarbourError) -> String { try string(length: 0...4096) }

    /// A text whose length in Unicode scalars is within the limits.
    public func string(length limits: ClosedRange<Int>) throws(HarbourError) -> String {
        let length = text.unicodeScalars.count
        guard limits.contains(length) else {
            throw failure(
                length < limits.lowerBound
                    ? "must have at least \(limits.lowerBound) characters"
                    : "must have at most \(limits.upperBound) characters")
        }
        return text
    }

    /// A whole number of 64 bits.
    public func int64() throws(HarbourError) -> Int64 {
        // Int64(_:) also takes a plus sign, which the wire does not have.
        guard let value = Int64(text), !text.hasPrefix("+") else { throw failure("must be a whole number") }
        return value
    }

    /// A whole number within the limits.
    public func int64(in limits: ClosedRange<Int64>) throws(HarbourError) -> Int64 {
        let value = try int64()
        guard limits.contains(value) else {
            throw failure("must be from \(limits.lowerBound) to \(limits.upperBound)")
        }
        return value
    }

    /// A whole number within the limits.
    public func int(in limits: ClosedRange<Int>) throws(HarbourError) -> Int {
        Int(try int64(in: Int64(limits.lowerBound)...Int64(limits.upperBound)))
    }

    /// A time in milliseconds since 1970.
    public func timestamp() throws(HarbourError) -> Timestamp { Timestamp(milliseconds: try int64()) }

    /// `true` or `false`.
    public func bool() throws(HarbourError) -> Bool {
        switch text {
        case "true": true
        case "false": false
        default: throw failure("must be true or false")
        }
    }

    /// One of a set of names.
    public func name<Name: ParameterName>(_ type: Name.Type) throws(HarbourError) -> Name {
        guard text.utf8.count <= 128, let value = Name(rawValue: text) else {
            throw failure("is not one of the names that are known here")
        }
        return value
    }

    /// One of a closed set of names, which the error lists.
    public func name<Name: ParameterName & CaseIterable>(_ type: Name.Type) throws(HarbourError) -> Name {
        guard let value = Name(rawValue: text) else {
            throw failure("must be one of \(Name.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    private func failure(_ text: String) -> HarbourError {
        HarbourError(.invalidParameter, "The parameter `\(name)` \(text).")
    }
}
