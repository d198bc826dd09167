internal import Core
internal import HarbourProtocol

/// How grave a line is.
enum LogRank: Int, Sendable, Comparable {
    case debug, info, warning, error

    /// As the contract writes it.
    var name: String {
        switch self {
        case .debug: "DEBUG"
        case .info: "INFO"
        case .warning: "WARN"
        case .error: "ERROR"
        }
    }

    static func < (left: LogRank, right: LogRank) -> Bool { left.rawValue < right.rawValue }

    /// The level of that name, as programs of many kinds write it; nil for what is none.
    init?(word: some StringProtocol) {
        guard word.utf8.count <= 8 else { return nil }
        switch word.uppercased() {
        case "TRACE", "DEBUG": self = .debug
        case "INFO", "NOTICE": self = .info
        case "WARN", "WARNING": self = .warning
        case "ERROR", "FATAL", "CRITICAL", "SEVERE": self = .error
        default: return nil
        }
    }

    /// The level that a line names among its first words: `2026-11-21T07:00:00Z WARN Executor: ...`, `[ERROR] ...`.
    init?(line: String) {
        let words = line.prefix(160).split(separator: " ", maxSplits: 5)
        for word in words.prefix(5) {
            let inner = word.drop { "[(<".contains($0) }.prefix { !"])>:,".contains($0) }
            // A word of a sentence is no level: levels are written in capitals, or alone between brackets.
            let isMarked = inner.count != word.count || inner.allSatisfy { $0.isUppercase }
            if isMarked, let rank = LogRank(word: inner) {
                self = rank
                return
            }
        }
        return nil
    }
}

/// Which lines of a log are wanted.
struct LogFilter: Sendable, Hashable {
    private var needle: [UInt8]?
    private var rank: LogRank?
    private var source: String?
    private var since: Int64?
    private var until: Int64?

    /// Takes what a caller asks for.
    /// - Throws: `INVALID_PARAMETER_VALUE` for a level that is none.
    init(
        contains: String? = nil, level: String? = nil, source: String? = nil, since: Int64? = nil, until: Int64? = nil
    ) throws(HarbourError) {
        needle = contains.flatMap { $0.isEmpty ? nil : $0.utf8.map(LogFilter.folded) }
        if let level {
            guard let rank = LogRank(word: level) else {
                throw HarbourError(.invalidParameter, "`level` must be one of ERROR, WARN, INFO, DEBUG.")
            }
            self.rank = rank
        }
        self.source = source
        self.since = since
        self.until = until
    }

    /// Whether the line is wanted.
    func admits(_ line: LogLine) -> Bool {
        let time = line.timestamp.milliseconds
        if let since, time < since { return false }
        if let until, time >= until { return false }
        if let source, line.source != source { return false }
        if let rank {
            guard let level = line.level.flatMap({ LogRank(word: $0) }), level >= rank else { return false }
        }
        return needle.map { LogFilter.holds(line.text, $0) } ?? true
    }

    /// Whether a line of that span of time can be wanted.
    func mayAdmit(from first: Int64, to last: Int64) -> Bool { (since ?? .min) <= last && first < (until ?? .max) }

    private static func folded(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }

    private static func holds(_ text: String, _ needle: [UInt8]) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.count >= needle.count else { return false }
            for start in 0...(bytes.count - needle.count) where folded(bytes[start]) == needle[0] {
                var index = 1
                while index < needle.count, folded(bytes[start + index]) == needle[index] { index += 1 }
                if index == needle.count { return true }
            }
            return false
        }
    }
}

/// Gives lines their level. A line without one that goes on with the line before, as those of a stack trace do, has that
/// line's.
struct LogRanking: Sendable {
    private var last: [String: LogRank] = [:]

    mutating func rank(_ line: inout LogLine) {
        if let rank = LogRank(line: line.text) {
            last[line.source] = rank
            line.level = rank.name
        } else if line.text.first.map({ " \t".contains($0) }) == true || line.text.hasPrefix("Caused by") {
            line.level = last[line.source]?.name
        }
    }
}
