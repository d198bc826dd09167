public import Core

/// A value of a JSON or YAML file that knows where it stands, so that what is wrong with it can be shown there.
public struct SourceValue: Sendable {
    /// What it is: JSON's kinds of values.
    public enum Content: Sendable {
        case null
        case bool(Bool)
        case number(JSONNumber)
        case string(String)
        case array([SourceValue])
        case object([SourceField])
    }

    /// What it is.
    public var content: Content
    /// Where it begins.
    public var place: SourcePlace

    init(_ content: Content, at place: SourcePlace) {
        self.content = content
        self.place = place
    }

    /// The value without its places.
    public var json: JSONValue {
        switch content {
        case .null: .null
        case .bool(let value): .bool(value)
        case .number(let value): .number(value)
        case .string(let value): .string(value)
        case .array(let elements): .array(elements.map(\.json))
        case .object(let fields): .object(JSONObject(fields.map { ($0.key, $0.value.json) }))
        }
    }

    /// What people call its kind.
    public var kindName: String {
        switch content {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a text"
        case .array: "a list"
        case .object: "an object"
        }
    }

    /// The place of what a path leads to, or of the deepest part of the path that is there. A field is found at its
    /// key.
    public func place(of path: some Sequence<String>) -> SourcePlace {
        var (value, place) = (self, place)
        for step in path {
            switch value.content {
            case .array(let elements):
                guard let index = Int(step), elements.indices.contains(index) else { return place }
                value = elements[index]
                place = value.place
            case .object(let fields):
                guard let field = fields.first(where: { $0.key == step }) else { return place }
                value = field.value
                place = field.place
            case .null, .bool, .number, .string: return place
            }
        }
        return place
    }
}

/// A field of an object, with the place of its key.
public struct SourceField: Sendable {
    /// Its name.
    public var key: String
    /// Where the key stands.
    public var place: SourcePlace
    /// What it is.
    public var value: SourceValue
}

/// A place in a text, counted from 1 as editors do.
public struct SourcePlace: Sendable, Hashable, Comparable {
    /// The line.
    public var line: Int
    /// The character of the line.
    public var column: Int

    /// A place.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// Whether it comes first in the text.
    public static func < (left: SourcePlace, right: SourcePlace) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// What is wrong with a text, and where.
public struct SourceProblem: Error, Sendable, Hashable {
    /// Where.
    public var place: SourcePlace
    /// A sentence for people.
    public var message: String

    /// A problem.
    public init(_ place: SourcePlace, _ message: String) {
        self.place = place
        self.message = message
    }
}

/// How much a file may hold, so that a small one cannot ask for a large amount of memory.
public enum SourceLimits {
    /// Bytes of a file.
    public static let bytes = 8 << 20
    /// How deep values may be nested.
    public static let depth = 64
    /// Values in all documents of a file, counting those that an alias stands for.
    public static let values = 200_000
}
