internal import Core
internal import HarbourProtocol
internal import YAML

/// Holds a file against a type of the contract and finds everything that is wrong, each with its place. Reading the
/// file as that type would stop at the first.
struct ContractCheck {
    private let schemas: JSONValue
    private var problems: [SourceProblem] = []

    init(_ document: ContractDocument) throws(HarbourError) {
        let whole = try JSONValue(json: try document.json(), code: .internalError)
        schemas = whole["components"]?["schemas"] ?? [:]
    }

    /// What is wrong with a value that should be of the named type, from top to bottom.
    func problems(of value: SourceValue, as type: String) -> [SourceProblem] {
        var check = self
        check.check(value, schemas[type] ?? [:], name: "")
        return check.problems.sorted { $0.place < $1.place }
    }

    private mutating func report(_ place: SourcePlace, _ message: String) {
        problems.append(SourceProblem(place, message))
    }

    private mutating func check(_ value: SourceValue, _ schema: JSONValue, name: String) {
        if let reference = schema["$ref"]?.string {
            let type = String(reference.drop { $0 != "#" }.split(separator: "/").last ?? "")
            return check(value, schemas[type] ?? [:], name: name)
        }
        switch (schema["type"]?.string, value.content) {
        case ("object", .object(let fields)): check(fields, value.place, schema, name: name)
        case ("array", .array(let elements)):
            check(elements.count, schema, "minItems", "maxItems", "values", value.place, name)
            for element in elements { check(element, schema["items"] ?? [:], name: name) }
        case ("string", .string(let text)): check(text, value.place, schema, name)
        case ("integer", .number(let number)): check(number, value.place, schema, name)
        case ("number", .number), ("boolean", .bool), (nil, _): break
        case ("string", .number), ("string", .bool):
            report(value.place, "\(said(name)) has to be a text, and is \(value.kindName): put it into quotes.")
        case (let type?, _):
            let kinds = [
                "object": "an object", "array": "a list", "string": "a text", "integer": "a whole number",
                "number": "a number", "boolean": "true or false",
            ]
            report(value.place, "\(said(name)) has to be \(kinds[type] ?? type), and is \(value.kindName).")
        }
    }

    private func said(_ name: String) -> String { name.isEmpty ? "The document" : "`\(name)`" }

    private mutating func check(_ fields: [SourceField], _ place: SourcePlace, _ schema: JSONValue, name: String) {
        let known = schema["properties"]?.object ?? JSONObject()
        let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
        let others = schema["additionalProperties"]
        for field in fields {
            let part = known[field.key] ?? others
            guard let part, part.bool == nil || part.bool == true else {
                let near = CommandParser.nearest(field.key, of: known.keys)
                let hint = near.map { "Did you mean `\($0)`?" } ?? "It may have \(known.keys.joined(separator: ", "))."
                report(field.place, "\(said(name)) has no field `\(field.key)`. \(hint)")
                continue
            }
            // In an optional field null counts as absent.
            if case .null = field.value.content, known[field.key] != nil, !required.contains(field.key) { continue }
            check(field.value, part.bool == nil ? part : [:], name: field.key)
        }
        let present = Set(fields.map(\.key))
        for key in known.keys where required.contains(key) && !present.contains(key) {
            report(place, "\(said(name)) needs the field `\(key)`.")
        }
        check(fields.count, schema, "minProperties", "maxProperties", "fields", place, name)
    }

    private mutating func check(_ text: String, _ place: SourcePlace, _ schema: JSONValue, _ name: String) {
        let values = (schema["enum"]?.array ?? []).compactMap(\.string)
        if !values.isEmpty, schema["x-open-enum"]?.bool != true, !values.contains(text) {
            return report(place, "\(said(name)) has to be one of \(values.joined(separator: ", ")), not \(text).")
        }
        check(text.unicodeScalars.count, schema, "minLength", "maxLength", "characters", place, name)
        if let pattern = schema["pattern"]?.string, let allowed = CharacterClass(pattern: pattern),
            let wrong = text.unicodeScalars.first(where: { !allowed.contains($0) })
        {
            report(place, "\(said(name)) may not have the character \(wrong); it consists of \(allowed.text).")
        }
    }

    private mutating func check(_ number: JSONNumber, _ place: SourcePlace, _ schema: JSONValue, _ name: String) {
        guard let value = number.int64 else {
            return report(place, "\(said(name)) has to be a whole number, and is \(number.text).")
        }
        let isShort = schema["format"]?.string == "int32"
        let lowest = schema["minimum"]?.int64 ?? (isShort ? Int64(Int32.min) : .min)
        let highest = schema["maximum"]?.int64 ?? (isShort ? Int64(Int32.max) : .max)
        guard value < lowest || value > highest else { return }
        report(place, "\(said(name)) has to be between \(lowest) and \(highest), and is \(value).")
    }

    private mutating func check(
        _ count: Int, _ schema: JSONValue, _ least: String, _ most: String, _ units: String, _ place: SourcePlace,
        _ name: String
    ) {
        if let least = schema[least]?.int, count < least {
            report(place, "\(said(name)) needs at least \(least) \(units), and has \(count).")
        } else if let most = schema[most]?.int, count > most {
            report(place, "\(said(name)) may have at most \(most) \(units), and has \(count).")
        }
    }
}

/// The one class of characters that a pattern of the contract allows: `^[A-Za-z0-9_-]+$`.
struct CharacterClass {
    /// As the pattern writes it.
    let text: String
    private var ranges: [ClosedRange<UInt32>] = []

    /// Nil for patterns of another form.
    init?(pattern: String) {
        guard pattern.hasPrefix("^["), pattern.hasSuffix("]+$") || pattern.hasSuffix("]*$") else { return nil }
        text = String(pattern.dropFirst(2).dropLast(3))
        var rest = Array(text.unicodeScalars)[...]
        while let first = rest.popFirst() {
            if rest.count >= 2, rest.first == "-", let last = rest.dropFirst().first, last.value >= first.value {
                ranges.append(first.value...last.value)
                rest = rest.dropFirst(2)
            } else {
                ranges.append(first.value...first.value)
            }
        }
    }

    func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar.value) } }
}
