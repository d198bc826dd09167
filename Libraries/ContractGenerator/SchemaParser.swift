import Core

/// Reads schemas of OpenAPI 3.1. Each keyword is either understood or refused: what would not be enforced must not be
/// written.
struct SchemaParser {
    /// Where in the document we are, for messages.
    let place: String
    let value: JSONValue

    private static let annotations: Set<String> = ["description", "example", "title"]

    func declaration(named name: String) throws -> Declaration {
        let description = value["description"]?.string ?? ""
        guard !description.isEmpty else { throw failure("needs a description") }
        if let cases = value["enum"]?.array {
            try allow(["type", "enum", "x-open-enum"])
            let names = try cases.map { value throws(ContractError) in
                guard let name = value.string else { throw failure("has a value that is not a string") }
                return name
            }
            let isOpen = value["x-open-enum"]?.bool ?? false
            return Declaration(name: name, description: description, kind: .enumeration(cases: names, isOpen: isOpen))
        }
        if value["oneOf"] != nil {
            return Declaration(name: name, description: description, kind: .union(try union()))
        }
        guard value["properties"] != nil else {
            throw failure("is neither an object with properties, nor an enum, nor oneOf")
        }
        return Declaration(name: name, description: description, kind: .object(try object()))
    }

    private func object() throws -> ObjectShape {
        try allow(["type", "required", "properties", "additionalProperties"])
        guard let properties = value["properties"]?.object else { throw failure("has broken properties") }
        let required = Set((value["required"]?.array ?? []).compactMap(\.string))
        for name in required where properties[name] == nil { throw failure("requires the unknown field \(name)") }
        let refuses = value["additionalProperties"] == .bool(false)
        if value["additionalProperties"] != nil && !refuses {
            throw failure("has properties and additionalProperties other than false")
        }
        guard properties.count <= 64 else { throw failure("has more than 64 properties") }
        let fields = try properties.fields.map { name, schema in
            let parser = SchemaParser(place: "\(place).\(name)", value: schema)
            return Field(
                name: name, shape: try parser.shape(), isRequired: required.contains(name),
                isNullable: parser.isNullable, description: schema["description"]?.string ?? "")
        }
        return ObjectShape(fields: fields, refusesUnknown: refuses)
    }

    private func union() throws -> UnionShape {
        try allow(["oneOf", "discriminator"])
        guard let name = value["discriminator"]?["propertyName"]?.string,
            let mapping = value["discriminator"]?["mapping"]?.object
        else { throw failure("needs a discriminator with a mapping") }
        let variants = try mapping.fields.map { key, reference in
            (value: key, type: try SchemaParser.target(of: reference.string ?? "", place: place))
        }
        return UnionShape(discriminator: name, variants: variants)
    }

    var isNullable: Bool { value["type"]?.array?.contains("null") ?? false }

    /// The type, which may be written as a list of itself and null.
    private var type: String? {
        if let type = value["type"]?.string { return type }
        return value["type"]?.array?.compactMap(\.string).first { $0 != "null" }
    }

    func shape() throws -> Shape {
        if let reference = value["$ref"]?.string {
            try allow(["$ref"])
            return .named(try SchemaParser.target(of: reference, place: place))
        }
        if let constant = value["const"]?.string {
            try allow(["type", "const"])
            return .constant(constant)
        }
        if value["enum"] != nil { throw failure("has an enum without a name: put it under components/schemas") }
        switch type {
        case "string": return try stringShape()
        case "integer": return try integerShape()
        case "number":
            try allow(["type", "format", "minimum", "maximum"])
            return .double(minimum: value["minimum"]?.double, maximum: value["maximum"]?.double)
        case "boolean":
            try allow(["type"])
            return .bool
        case "array":
            try allow(["type", "items", "minItems", "maxItems"])
            let items = SchemaParser(place: place + "[]", value: value["items"] ?? .null)
            return .array(try items.shape(), count: limits("minItems", "maxItems"))
        case "object": return try mapShape()
        case nil:
            try allow([])
            return .any
        default: throw failure("has a type that is not supported")
        }
    }

    private func stringShape() throws -> Shape {
        try allow(["type", "minLength", "maxLength", "pattern"])
        if let pattern = value["pattern"]?.string, JSONLetters(pattern: pattern) == nil {
            throw failure("has a pattern that is not one class of characters, as in ^[a-z0-9]+$")
        }
        return .string(length: limits("minLength", "maxLength"), pattern: value["pattern"]?.string)
    }

    private func integerShape() throws -> Shape {
        try allow(["type", "format", "minimum", "maximum", "x-timestamp"])
        let limits = limits("minimum", "maximum")
        switch value["format"]?.string {
        case "int32": return .int32(limits)
        case "int64":
            if value["x-timestamp"]?.bool != true { return .int64(limits) }
            guard limits.isFree else { throw failure("is a timestamp with limits, which are not supported") }
            return .timestamp
        default: throw failure("needs the format int32 or int64")
        }
    }

    private func mapShape() throws -> Shape {
        if value["properties"] != nil {
            throw failure("is an object without a name: put it under components/schemas")
        }
        try allow(["type", "additionalProperties", "maxProperties"])
        guard let values = value["additionalProperties"], values.object != nil else { return .anyObject }
        let shape = try SchemaParser(place: place + "{}", value: values).shape()
        if case .any = shape, value["maxProperties"] == nil { return .anyObject }
        return .map(shape, count: limits(nil, "maxProperties"))
    }

    private func limits(_ minimum: String?, _ maximum: String) -> Limits {
        Limits(minimum: minimum.flatMap { value[$0]?.int64 }, maximum: value[maximum]?.int64)
    }

    /// The name a reference leads to: `#/components/schemas/Job` or `common.json#/components/schemas/ClusterSpec`.
    static func target(of reference: String, place: String) throws -> String {
        let prefix = "#/components/schemas/"
        for start in [prefix, "common.json" + prefix] where reference.hasPrefix(start) {
            return String(reference.dropFirst(start.count))
        }
        throw ContractError("\(place) refers to \(reference), which is no schema of this file or of common.json")
    }

    private func allow(_ keywords: Set<String>) throws(ContractError) {
        for key in value.object?.keys ?? [] where !keywords.contains(key) && !SchemaParser.annotations.contains(key) {
            throw failure("has the keyword \(key), which the generator would not enforce")
        }
    }

    private func failure(_ text: String) -> ContractError { ContractError("\(place) \(text)") }
}
