internal import ClusterBackend
internal import Core

/// What a policy says about one attribute of a specification, as Databricks writes it.
struct PolicyRule: Sendable, Hashable {
    enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Exactly this value, which is filled in.
        case fixed
        /// Not there at all.
        case forbidden
        /// A number between two.
        case range
        /// One of these.
        case allowlist
        /// None of these.
        case blocklist
        /// Anything; for its default.
        case unlimited
    }

    /// A value of an attribute: the texts of maps and names, or a number.
    enum Value: Sendable, Hashable, CustomStringConvertible {
        case text(String)
        case number(Int)

        var description: String {
            switch self {
            case .text(let text): text
            case .number(let number): "\(number)"
            }
        }
    }

    var kind: Kind
    /// The value of `fixed`; the values of the lists.
    var values: [Value] = []
    var minimum: Int?
    var maximum: Int?
    /// What is filled in where the specification says nothing.
    var usual: Value?
    /// Whether the specification may say nothing although the rule limits it.
    var isOptional = false

    /// What becomes of an attribute: the value it has in the end, and what is wrong, to be read after its name.
    func apply(to value: Value?) -> (value: Value?, problem: String?) {
        switch (kind, value) {
        case (.fixed, nil): return (values.first, nil)
        case (.forbidden, nil): return (nil, nil)
        case (_, nil):
            if let usual { return (usual, nil) }
            return (nil, kind == .unlimited || isOptional ? nil : "must be said: \(expectation)")
        case (_, let value?): return (value, accepts(value) ? nil : "must be \(expectation), not \(value)")
        }
    }

    /// Whether the value is allowed.
    func accepts(_ value: Value) -> Bool {
        switch kind {
        case .fixed, .allowlist: return values.contains(value)
        case .blocklist: return !values.contains(value)
        case .forbidden: return false
        case .unlimited: return true
        case .range:
            let number: Int?
            switch value {
            case .number(let it): number = it
            case .text(let text): number = Int(text)
            }
            guard let number else { return false }
            return (minimum ?? .min) <= number && number <= (maximum ?? .max)
        }
    }

    private var expectation: String {
        let list = values.map(\.description).joined(separator: ", ")
        switch kind {
        case .fixed: return list
        case .allowlist: return "one of \(list)"
        case .blocklist: return "other than \(list)"
        case .forbidden: return "absent"
        case .unlimited: return "anything"
        case .range:
            switch (minimum, maximum) {
            case (let low?, let high?): return "\(low) to \(high)"
            case (let low?, nil): return "\(low) or more"
            case (nil, let high?): return "\(high) or less"
            case (nil, nil): return "a number"
            }
        }
    }
}

extension PolicyRule {
    /// Reads a rule for an attribute whose values are numbers or texts.
    /// - Throws: what is wrong with it, to be read after the attribute's name.
    init(_ json: JSONObject, isNumber: Bool) throws(PolicyMistake) {
        guard let kind = json["type"]?.string.flatMap(Kind.init) else {
            let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw PolicyMistake("needs a `type` of \(known)")
        }
        let known: Set<String> = [
            "type", "value", "values", "minValue", "maxValue", "defaultValue", "isOptional", "hidden",
        ]
        if let unknown = json.keys.first(where: { !known.contains($0) }) {
            throw PolicyMistake("has an unknown member `\(unknown)`")
        }
        self.kind = kind
        func read(_ value: JSONValue?, _ name: String) throws(PolicyMistake) -> Value? {
            guard let value else { return nil }
            if isNumber {
                guard let number = value.int ?? value.string.flatMap({ Int($0) }) else {
                    throw PolicyMistake("needs whole numbers in `\(name)`")
                }
                return .number(number)
            }
            if let text = value.string { return .text(text) }
            if let number = value.int { return .text("\(number)") }
            if let bool = value.bool { return .text("\(bool)") }
            throw PolicyMistake("needs texts in `\(name)`")
        }
        switch kind {
        case .fixed:
            guard let value = try read(json["value"], "value") else { throw PolicyMistake("needs a `value`") }
            values = [value]
        case .allowlist, .blocklist:
            for value in json["values"]?.array ?? [] {
                if let value = try read(value, "values") { values.append(value) }
            }
            if values.isEmpty { throw PolicyMistake("needs `values`") }
        case .range:
            minimum = json["minValue"]?.int
            maximum = json["maxValue"]?.int
            guard minimum != nil || maximum != nil, (minimum ?? .min) <= (maximum ?? .max) else {
                throw PolicyMistake("needs a `minValue` or a `maxValue`, whole numbers in order")
            }
        case .forbidden, .unlimited: break
        }
        usual = try read(json["defaultValue"], "defaultValue")
        isOptional = json["isOptional"]?.bool ?? false
        if let usual, !accepts(usual) { throw PolicyMistake("has a `defaultValue` that it does not allow itself") }
    }
}

/// What is wrong with a rule.
struct PolicyMistake: Error, Hashable {
    var text: String

    init(_ text: String) { self.text = text }
}
