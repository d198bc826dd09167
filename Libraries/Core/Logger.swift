import Glibc
import Synchronization

/// How much a log line matters.
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    case debug
    case info
    case warning
    case error

    /// The name in configuration and in log lines.
    public var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }

    /// The level of that name, or nil.
    public init?(name: String) {
        guard let level = LogLevel.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }

    /// Less is less important.
    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// Where log lines go. Set once at start by `main`; before that, human lines to standard error.
public struct LogOutput: Sendable {
    /// How a line looks.
    public enum Format: Sendable {
        /// One JSON object a line: `time` (ms), `level`, `logger`, `message`, then the fields.
        case json
        /// For people: time, level, logger, message, `key=value`.
        case human
    }

    /// How a line looks.
    public var format: Format
    /// Lines below this level are dropped.
    public var level: LogLevel
    /// The name of the process, in every JSON line as `service`.
    public var service: String
    /// Takes each finished line, newline included.
    public var write: @Sendable (String) -> Void

    /// Makes an output; without `write`, lines go to standard error.
    public init(
        format: Format = .human, level: LogLevel = .info, service: String = "",
        write: @escaping @Sendable (String) -> Void = LogOutput.standardError
    ) {
        self.format = format
        self.level = level
        self.service = service
        self.write = write
    }

    /// Writes the line to standard error in one call, so that lines of several threads do not mix.
    public static let standardError: @Sendable (String) -> Void = { line in
        var line = line
        line.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while let base = rest.baseAddress, rest.count > 0 {
                let written = Glibc.write(2, base, rest.count)
                if written < 0 && errno == EINTR { continue }
                // A log that cannot be written has nowhere to be reported.
                if written <= 0 { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
    }
}

/// Writes structured log lines: a constant message and named values.
public struct Logger: Sendable {
    private static let output = Mutex(LogOutput())

    /// The part of the program that speaks, as a dotted name.
    public let label: String
    private var context: [(String, String)] = []

    /// Makes a logger; it writes to the process's one output.
    public init(_ label: String) { self.label = label }

    /// Sets the process's output.
    public static func bootstrap(_ output: LogOutput) { Logger.output.withLock { $0 = output } }

    /// A logger that adds this value to each line, such as a request id.
    public func with(_ key: String, _ value: some CustomStringConvertible) -> Logger {
        var copy = self
        copy.context.append((key, value.description))
        return copy
    }

    /// For developers; off unless asked for.
    public func debug(
        _ message: @autoclosure () -> String, _ fields: KeyValuePairs<String, any CustomStringConvertible> = [:]
    ) { log(.debug, message, fields) }

    /// What an operator may want to know later.
    public func info(
        _ message: @autoclosure () -> String, _ fields: KeyValuePairs<String, any CustomStringConvertible> = [:]
    ) { log(.info, message, fields) }

    /// Something is wrong and was dealt with.
    public func warning(
        _ message: @autoclosure () -> String, _ fields: KeyValuePairs<String, any CustomStringConvertible> = [:]
    ) { log(.warning, message, fields) }

    /// Something failed that should not have.
    public func error(
        _ message: @autoclosure () -> String, _ fields: KeyValuePairs<String, any CustomStringConvertible> = [:]
    ) { log(.error, message, fields) }

    private func log(
        _ level: LogLevel, _ message: () -> String, _ fields: KeyValuePairs<String, any CustomStringConvertible>
    ) {
        let output = Logger.output.withLock { $0 }
        guard level >= output.level else { return }
        let values = context + fields.map { ($0.key, $0.value.description) }
        output.write(LogLine(label: label, level: level, message: message(), values: values).text(for: output))
    }
}

private struct LogLine {
    let label: String
    let level: LogLevel
    let message: String
    let values: [(String, String)]

    func text(for output: LogOutput) -> String {
        switch output.format {
        case .human: human()
        case .json: json(service: output.service)
        }
    }

    private func human() -> String {
        var text = "\(ISO8601.format(.now)) \(level.name.uppercased()) \(label): \(LogLine.oneLine(message))"
        for (key, value) in values { text += " \(key)=\(LogLine.oneLine(value))" }
        return text + "\n"
    }

    /// A line break inside a value would let outside text forge a line.
    private static func oneLine(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return text }
        return text.unicodeScalars.map {
            $0.value < 0x20 || $0.value == 0x7f ? "\\u{\(String($0.value, radix: 16))}" : "\($0)"
        }
        .joined()
    }

    private func json(service: String) -> String {
        var text = #"{"time":\#(Timestamp.now.milliseconds),"level":"\#(level.name)""#
        if !service.isEmpty { text += #","service":\#(LogLine.quoted(service))"# }
        text += #","logger":\#(LogLine.quoted(label)),"message":\#(LogLine.quoted(message))"#
        for (key, value) in values { text += ",\(LogLine.quoted(key)):\(LogLine.quoted(value))" }
        return text + "}\n"
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    quoted.unicodeScalars.append(scalar)
                }
            }
        }
        return quoted + "\""
    }
}
