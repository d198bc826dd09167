/// What a help text, an example file and an error message need to know about one option.
public struct OptionDeclaration: Sendable {
    /// The flag's name without dashes, such as `data-folder`.
    public let name: String
    /// The environment variable, and the key in a configuration file, such as `HARBOUR_DATA_FOLDER`.
    public let environment: String
    /// Other environment variables that are understood when `environment` is not set, the first one first.
    public let aliases: [String]
    /// What kind of value it takes, for the help text: `HOST:PORT`, `DURATION`.
    public let placeholder: String
    /// What it means, in one sentence or two.
    public let help: String
    /// The value when nobody gives one; nil when the option is required or may be absent.
    public var fallback: String?
    /// Whether the program runs without it.
    public var isOptional: Bool
    /// Whether its value must never be printed; such an option can also be read from the file named by `NAME_FILE`.
    public let isSecret: Bool
    /// Whether the flag stands alone, `--flag` or `--no-flag`.
    public let isSwitch: Bool
    /// Whether repeating the flag adds values.
    public let isList: Bool

    /// The names under which the environment or a file may give the value, the most specific first.
    var keys: [String] { [environment] + aliases }
}

/// What a parser may look at besides the text.
public struct OptionContext: Sendable {
    /// The home folder that `~` stands for.
    public let home: String?
}

/// Why a text is not a value of its option; `reason` completes "the value is ...".
public struct InvalidOptionValue: Error, Sendable {
    /// What would have been right, such as "not a duration; write for example 30s, 500ms or 5m".
    public let reason: String

    /// Makes a refusal.
    public init(_ reason: String) { self.reason = reason }
}

/// A declared option whatever its type, so that options of several types stand in one list.
public protocol AnyOption: Sendable {
    /// The name, help and kind.
    var declaration: OptionDeclaration { get }
    /// Parses a text, or nil for an option that was not given, into a box that `Configuration` keeps.
    func parseBoxed(_ text: String?, _ context: OptionContext) throws(InvalidOptionValue) -> any Sendable
}

/// One setting of a program: its name, where it is read from, its type and its meaning.
///
/// Options are made by the factories for their types (`Option.string`, `Option.integer`, `Option.duration`, ...), read
/// once by `Configuration.load`, and looked up by themselves: `configuration[listen]`.
public struct Option<Value: Sendable>: AnyOption {
    /// The name, help and kind.
    public let declaration: OptionDeclaration
    private let parse: @Sendable (String, OptionContext) throws(InvalidOptionValue) -> Value
    /// The value of an optional option that was not given.
    private let absent: Value?

    /// Makes an option of any type; prefer the factories.
    ///
    /// The name is the flag without dashes; the environment name is derived from it unless given: `HARBOUR_` and the
    /// name in capitals. The default is in the form a user would write; without one the option is required.
    public init(
        _ name: String, environment: String? = nil, aliases: [String] = [], default fallback: String? = nil,
        secret: Bool = false, placeholder: String, isSwitch: Bool = false, isList: Bool = false, help: String,
        parse: @escaping @Sendable (String, OptionContext) throws(InvalidOptionValue) -> Value
    ) {
        declaration = OptionDeclaration(
            name: name, environment: environment ?? Self.environmentName(name), aliases: aliases,
            placeholder: placeholder, help: help, fallback: fallback, isOptional: false, isSecret: secret,
            isSwitch: isSwitch, isList: isList)
        self.parse = parse
        absent = nil
    }

    private init(
        declaration: OptionDeclaration, absent: Value?,
        parse: @escaping @Sendable (String, OptionContext) throws(InvalidOptionValue) -> Value
    ) {
        self.declaration = declaration
        self.absent = absent
        self.parse = parse
    }

    /// The same option, which may be absent: its value is then nil.
    public func optional() -> Option<Value?> {
        var declaration = declaration
        declaration.isOptional = true
        return Option<Value?>(declaration: declaration, absent: .some(nil)) {
            [parse] (text, context) throws(InvalidOptionValue) in
            try parse(text, context)
        }
    }

    /// Parses a text, or nil for an option that was not given.
    public func parseBoxed(_ text: String?, _ context: OptionContext) throws(InvalidOptionValue) -> any Sendable {
        if let text { return OptionBox(value: try parse(text, context)) }
        guard let absent else { throw InvalidOptionValue("missing") }
        return OptionBox(value: absent)
    }

    private static func environmentName(_ name: String) -> String {
        "HARBOUR_" + name.uppercased().split(separator: "-").joined(separator: "_")
    }
}

/// Keeps an optional's own type when it goes through `any Sendable`.
struct OptionBox<Value: Sendable>: Sendable {
    let value: Value
}
