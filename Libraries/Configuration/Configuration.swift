public import Core

extension ErrorCode {
    /// Flags, environment or configuration file say something that cannot be used. The message lists all of it.
    public static let invalidConfiguration = ErrorCode("INVALID_CONFIGURATION", status: 500)
}

/// All options of a program and the words around them.
public struct ConfigurationSchema: Sendable {
    /// The executable's name, for the help text.
    public let program: String
    /// What the program is, in one sentence.
    public let summary: String
    /// The options in the order of the help text.
    public let options: [any AnyOption]
    /// Keys of other programs that read the same file: those that end in `_` are prefixes, the others whole keys. They
    /// are let through unread.
    public let foreignPrefixes: [String]

    func letsThrough(_ key: String) -> Bool {
        foreignPrefixes.contains { $0 == key || $0.hasSuffix("_") && key.hasPrefix($0) }
    }

    /// Makes a schema; two options of one name or one environment key are a defect of the program and trap.
    public init(program: String, summary: String, options: [any AnyOption], foreignPrefixes: [String] = []) {
        var seen: Set<String> = []
        for option in options {
            for name in ["--" + option.declaration.name] + option.declaration.keys {
                precondition(seen.insert(name).inserted, "two options are called \(name)")
            }
        }
        self.program = program
        self.summary = summary
        self.options = options
        self.foreignPrefixes = foreignPrefixes
    }
}

/// What the command line asks for.
public enum ConfigurationOutcome: Sendable {
    /// Run with these settings.
    case run(Configuration)
    /// `--help` was given: print this and end with status 0.
    case help(String)
    /// `--env-example` was given: print this and end with status 0.
    case environmentExample(String)
}

/// The settings of a process: flags before environment before file before default, all checked at once.
public struct Configuration: Sendable {
    /// Where a value came from, for the operator who wonders.
    public enum Source: Sendable, Hashable {
        case flag
        case environment(String)
        case file(String)
        case fallback
        case absent
    }

    struct Entry: Sendable {
        var declaration: OptionDeclaration
        var text: String?
        var source: Source
        var box: any Sendable
    }

    let entries: [String: Entry]
    let order: [String]

    /// The value of an option of the schema this was loaded with; another option is a defect of the program and traps.
    public subscript<Value>(option: Option<Value>) -> Value {
        guard let box = entries[option.declaration.name]?.box as? OptionBox<Value> else {
            preconditionFailure("--\(option.declaration.name) is not an option of this program")
        }
        return box.value
    }

    /// Where an option's value came from.
    public func source<Value>(of option: Option<Value>) -> Source {
        entries[option.declaration.name]?.source ?? .absent
    }

    /// Name, value and source of each option, secrets replaced, for the log at start.
    public func redacted() -> [(name: String, value: String, source: Source)] {
        order.compactMap { name in
            guard let entry = entries[name] else { return nil }
            let shown = entry.declaration.isSecret && entry.text != nil ? "(secret)" : entry.text ?? ""
            return (name, shown, entry.source)
        }
    }

    /// Reads flags, environment and file by the schema.
    ///
    /// `arguments` is the command line without the program's name; the environment is the process's own unless a test
    /// brings another. Throws `INVALID_CONFIGURATION` with every problem on a line of its own.
    public static func load(
        _ schema: ConfigurationSchema, arguments: [String], environment: [String: String] = ProcessEnvironment.current
    ) throws(HarbourError) -> ConfigurationOutcome {
        var reader = ConfigurationReader(schema: schema, environment: environment)
        return try reader.read(arguments)
    }
}
