import Core

/// One service of the contract, or `common`, whose shapes all others may use.
struct Service {
    let name: String
    let title: String
    let declarations: [Declaration]
    let operations: [Operation]

    /// The namespace of its endpoints in Swift.
    var namespace: String { SwiftName.type(name) + "API" }
}

/// A named schema.
struct Declaration {
    let name: String
    let description: String
    let kind: Kind

    enum Kind {
        case object(ObjectShape)
        case enumeration(cases: [String], isOpen: Bool)
        case union(UnionShape)
    }
}

struct ObjectShape {
    let fields: [Field]
    let refusesUnknown: Bool
}

struct Field {
    let name: String
    let shape: Shape
    let isRequired: Bool
    let isNullable: Bool
    let description: String

    var swiftName: String { SwiftName.member(name) }
    /// Where its value is kept when that is outside of the struct.
    var boxName: String { "boxed" + SwiftName.type(String(swiftName.filter { $0 != "`" })) }
    var isOptional: Bool { !isRequired || isNullable }
}

/// `oneOf`: which schema it is, is told by a field of the object.
struct UnionShape {
    let discriminator: String
    let variants: [(value: String, type: String)]
}

/// What a value looks like.
indirect enum Shape {
    case string(length: Limits, pattern: String?)
    case constant(String)
    case int32(Limits)
    case int64(Limits)
    case timestamp
    case double(minimum: Double?, maximum: Double?)
    case bool
    /// Any JSON.
    case any
    /// An object with any fields, in their order.
    case anyObject
    case array(Shape, count: Limits)
    case map(Shape, count: Limits)
    case named(String)
}

/// Bounds of a value, a length or a count; absent ones do not bind.
struct Limits {
    var minimum: Int64?
    var maximum: Int64?

    var isFree: Bool { minimum == nil && maximum == nil }
}

struct Parameter {
    enum Place { case path, query, header }
    let name: String
    let place: Place
    let shape: Shape
    let isRequired: Bool
    let description: String

    var swiftName: String { SwiftName.member(name) }
}

struct Operation {
    let identifier: String
    let summary: String
    let method: String
    let path: String
    let parameters: [Parameter]
    let body: Shape?
    let isBodyRequired: Bool
    let successStatus: Int
    /// The name of the schema of the answer, or of each line of a stream; of no meaning when it is raw.
    let output: String
    let isStream: Bool
    /// Whether body or answer are other bytes than JSON; the generator then types what is in path, query and header.
    let isRaw: Bool
    let isIdempotent: Bool
    let isInternal: Bool
    let maximumBodyBytes: Int64?

    var inputName: String { SwiftName.type(identifier) + "Input" }
}

/// Why a document cannot be turned into code.
struct ContractError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Names of the contract as Swift writes them.
enum SwiftName {
    private static let capitals: Set<String> = ["id", "url", "ui", "mb", "ip"]
    private static let reserved: Set<String> = [
        "default", "case", "class", "struct", "enum", "func", "let", "var", "in", "is", "as", "do", "for", "if", "else",
        "switch", "return", "self", "init", "import", "extension", "protocol", "repeat", "while", "where", "throw",
        "try", "true", "false", "nil", "static", "public", "private", "internal", "operator", "guard", "defer",
    ]

    /// `page_token` as `pageToken`, `job_id` as `jobID`, `WAITING_FOR_RETRY` as `waitingForRetry`.
    static func member(_ name: String) -> String {
        let isUpper = name == name.uppercased()
        let parts = (isUpper ? name.lowercased() : name).split { $0 == "_" || $0 == "-" }.map(String.init)
        guard let first = parts.first else { return name }
        let rest = parts.dropFirst().map { capitals.contains($0) ? $0.uppercased() : type($0) }
        let joined = first.prefix(1).lowercased() + first.dropFirst() + rest.joined()
        return reserved.contains(joined) ? "`\(joined)`" : joined
    }

    /// The name with its first letter in capitals.
    static func type(_ name: String) -> String { name.prefix(1).uppercased() + name.dropFirst() }
}
