internal import Core

/// A word of the command line that is not an option.
struct Argument: Sendable {
    var name: String
    var help: String
    var isOptional = false
    /// Whether it takes all words that are left.
    var isRepeated = false
}

/// An option: a switch, or a name with a value.
struct Flag: Sendable {
    var name: String
    /// What stands for the value in the help; nil for a switch.
    var placeholder: String?
    var help: String
    /// The only values allowed, when they are few.
    var choices: [String] = []
    var isRepeated = false

    /// A switch.
    static func toggle(_ name: String, _ help: String) -> Flag { Flag(name: name, help: help) }

    /// An option with a value.
    static func value(
        _ name: String, _ placeholder: String, _ help: String, choices: [String] = [], isRepeated: Bool = false
    ) -> Flag {
        Flag(name: name, placeholder: placeholder, help: help, choices: choices, isRepeated: isRepeated)
    }
}

/// One command, or a group of them.
struct Command: Sendable {
    var name: String
    var summary: String
    var arguments: [Argument] = []
    var flags: [Flag] = []
    var subcommands: [Command] = []
    /// Works, but is not shown.
    var isHidden = false
    /// What the process ends with after a failure that is no misuse of the command line.
    var failureStatus: @Sendable (Invocation, HarbourError) -> Int32 = { _, _ in 1 }
    var run: (@Sendable (Invocation) async throws -> Void)?
}

/// A parsed command line, ready to run.
struct Invocation: Sendable {
    /// `harbour jobs list`.
    var path: [String]
    var command: Command
    var values: [String: [String]] = [:]
    var switches: Set<String> = []
    var words: [String: [String]] = [:]

    func has(_ name: String) -> Bool { switches.contains(name) }
    func value(_ name: String) -> String? { values[name]?.last }
    func all(_ name: String) -> [String] { values[name] ?? [] }
    /// A required argument; the parser has seen to it that it is there.
    func word(_ name: String) -> String { words[name]?.first ?? "" }
    func optionalWord(_ name: String) -> String? { words[name]?.first }
    func allWords(_ name: String) -> [String] { words[name] ?? [] }

    /// The value as a whole number within limits.
    func integer(_ name: String, in limits: ClosedRange<Int>) throws(HarbourError) -> Int? {
        guard let text = value(name) else { return nil }
        guard let number = Int(text), limits.contains(number) else {
            throw .usage(
                "--\(name) takes a whole number from \(limits.lowerBound) to \(limits.upperBound), not \(text).")
        }
        return number
    }
}

extension ErrorCode {
    /// The command line is not understood.
    static let usage = ErrorCode("USAGE", status: 400)
}

extension HarbourError {
    static func usage(_ message: String) -> HarbourError { HarbourError(.usage, message) }
}
