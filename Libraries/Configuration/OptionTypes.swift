public import Core

/// A host and a port as one setting: `127.0.0.1:8080`, `[::1]:8080`, `workspace:8080`.
public struct HostPort: Sendable, Hashable, CustomStringConvertible {
    /// A name or an address, without brackets.
    public var host: String
    /// 0 asks the system for a free one.
    public var port: Int

    /// Makes a pair; the caller answers for the port's range.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Parses the text form; nil when it is not one.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = ValueParser.decimal(text[text.index(after: colon)...]), (0...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") }) else {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    /// The text form.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension Option where Value == String {
    /// Text as it is; without a default it must be given and not be empty.
    public static func string(
        _ name: String, environment: String? = nil, aliases: [String] = [], default fallback: String? = nil,
        secret: Bool = false, help: String
    ) -> Option<String> {
        Option(
            name, environment: environment, aliases: aliases, default: fallback, secret: secret, placeholder: "TEXT",
            help: help
        ) { (text, _) throws(InvalidOptionValue) in text }
    }

    /// A path of the file system; `~/` stands for the home folder.
    public static func path(
        _ name: String, environment: String? = nil, aliases: [String] = [], default fallback: String? = nil,
        help: String
    ) -> Option<String> {
        Option(
            name, environment: environment, aliases: aliases, default: fallback, placeholder: "PATH", help: help
        ) { (text, context) throws(InvalidOptionValue) in
            guard !text.utf8.contains(0) else { throw InvalidOptionValue("not a path") }
            guard text == "~" || text.hasPrefix("~/") else { return text }
            guard let home = context.home else {
                throw InvalidOptionValue("a path in the home folder, but HOME is not set; write the whole path")
            }
            return home + text.dropFirst()
        }
    }

    /// One of a few words.
    public static func choice(
        _ name: String, of choices: [String], environment: String? = nil, aliases: [String] = [],
        default fallback: String? = nil, help: String
    ) -> Option<String> {
        Option(
            name, environment: environment, aliases: aliases, default: fallback,
            placeholder: choices.joined(separator: "|"), help: help
        ) { (text, _) throws(InvalidOptionValue) in
            if choices.contains(text) { return text }
            let hint = Spelling.nearest(to: text, in: choices).map { "; did you mean \($0)?" } ?? ""
            throw InvalidOptionValue("not one of \(choices.joined(separator: ", "))\(hint)")
        }
    }
}

extension Option where Value == Int {
    /// A whole number within a range.
    public static func integer(
        _ name: String, in range: ClosedRange<Int> = 0...Int.max, environment: String? = nil, aliases: [String] = [],
        default fallback: String? = nil, help: String
    ) -> Option<Int> {
        Option(
            name, environment: environment, aliases: aliases, default: fallback, placeholder: "NUMBER", help: help
        ) { (text, _) throws(InvalidOptionValue) in
            guard let value = ValueParser.decimal(text[...]) else { throw InvalidOptionValue("not a whole number") }
            guard range.contains(value) else {
                throw InvalidOptionValue("not between \(range.lowerBound) and \(range.upperBound)")
            }
            return value
        }
    }

    /// A number of bytes: `4096`, `64KiB`, `10MB`.
    public static func size(
        _ name: String, in range: ClosedRange<Int> = 0...Int.max, environment: String? = nil, aliases: [String] = [],
        default fallback: String? = nil, help: String
    ) -> Option<Int> {
        Option(
            name, environment: environment, aliases: aliases, default: fallback, placeholder: "SIZE", help: help
        ) { (text, _) throws(InvalidOptionValue) in
            guard let value = ValueParser.size(text) else {
                throw InvalidOptionValue("not a size; write for example 4096, 64KiB, 10MB or 2GiB")
            }
            guard range.contains(value) else {
                throw InvalidOptionValue("not between \(range.lowerBound) and \(range.upperBound) bytes")
            }
            return value
        }
    }
}

extension Option where Value == Bool {
    /// A switch: `--name`, `--no-name`, or `true` and `false` (`yes`, `no`, `on`, `off`, `1`, `0`) as text.
    public static func boolean(
        _ name: String, environment: String? = nil, aliases: [String] = [], default fallback: Bool = false,
        help: String
    ) -> Option<Bool> {
        Option(
            name, environment: environment, aliases: aliases, default: fallback ? "true" : "false",
            placeholder: "true|false", isSwitch: true, help: help
        ) { (text, _) throws(InvalidOptionValue) in
            switch text.lowercased() {
            case "true", "yes", "on", "1": return true
            case "false", "no", "off", "0": return false
            default: throw InvalidOptionValue("neither true nor false")
            }
        }
    }
}

extension Option where Value == Duration {
    /// A length of time: `500ms`, `30s`, `5m`, `2h`, `1d`, `1m30s`.
    public static func duration(
        _ name: String, in range: ClosedRange<Duration>? = nil, environment: String? = nil, aliases: [String] = [],
        default fallback: String? = nil, help: String
    ) -> Option<Duration> {
        Option(
            name, environment: environment, aliases: aliases, default: fallback, placeholder: "DURATION", help: help
        ) { (text, _) throws(InvalidOptionValue) in
            guard let value = ValueParser.duration(text) else {
                throw InvalidOptionValue("not a duration; write for example 500ms, 30s, 5m or 1h30m")
            }
            if let range, !range.contains(value) {
                throw InvalidOptionValue("not between \(range.lowerBound) and \(range.upperBound)")
            }
            return value
        }
    }
}

extension Option where Value == [String] {
    /// Several texts, separated by commas or by repeating the flag; blanks around each are dropped, empty ones too.
    public static func list(
        _ name: String, environment: String? = nil, aliases: [String] = [], default fallback: String? = nil,
        help: String
    ) -> Option<[String]> {
        Option(
            name, environment: environment, aliases: aliases, default: fallback ?? "", placeholder: "TEXT,...",
            isList: true, help: help
        ) { (text, _) throws(InvalidOptionValue) in
            text.split(separator: ",").map { ValueParser.trimmed($0) }.filter { !$0.isEmpty }
        }
    }
}

extension Option where Value == [IPNetwork] {
    /// Networks, such as `10.0.0.0/8` and `fd00::/8`, or single addresses, separated by commas.
    public static func networks(_ name: String, environment: String? = nil, help: String) -> Option<[IPNetwork]> {
        Option(name, environment: environment, default: "", placeholder: "NETWORK,...", isList: true, help: help) {
            (text, _) throws(InvalidOptionValue) in
            do throws(HarbourError) { return try IPNetwork.list(text) } catch {
                throw InvalidOptionValue(error.message)
            }
        }
    }
}

extension Option where Value == HostPort {
    /// A host and a port.
    public static func hostPort(
        _ name: String, environment: String? = nil, aliases: [String] = [], default fallback: String? = nil,
        help: String
    ) -> Option<HostPort> {
        Option(
            name, environment: environment, aliases: aliases, default: fallback, placeholder: "HOST:PORT", help: help
        ) { (text, _) throws(InvalidOptionValue) in
            guard let value = HostPort(text) else {
                throw InvalidOptionValue("not host and port; write for example 127.0.0.1:8080 or [::1]:8080")
            }
            return value
        }
    }
}
