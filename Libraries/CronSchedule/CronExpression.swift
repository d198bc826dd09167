public import Core

/// The meaning of a cron expression: which local dates and times it names. It knows no time zone.
///
/// Two dialects are read, told apart by the number of fields:
/// - **Quartz**, as Databricks writes schedules: seconds, minutes, hours, day-of-month, month, day-of-week (1 is
///   Sunday) and perhaps a year. One of the two day fields is `?`. Ranges may wrap (`22-2`, `FRI-MON`).
/// - **Classic** cron: minutes, hours, day-of-month, month, day-of-week (0 and 7 are Sunday). When both day fields are
///   restricted, a day that matches *either* fires; a field that begins with `*` is not a restriction (the rule of
///   Debian's cron). The nicknames `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`
///   stand for such expressions.
///
/// Both know `L`, `LW`, `L-3`, `L-3W`, `15W` for the day of the month and `6L`, `2#3` for the day of the week, alone or
/// in lists. A month without the named day (`31`, `31W`, `L-30`, `2#5`) is passed over.
public struct CronExpression: Sendable, Hashable {
    /// How an expression is written.
    public enum Dialect: Sendable, Hashable {
        /// Six or seven fields, seconds first.
        case quartz
        /// Five fields, minutes first, or a nickname.
        case classic
    }

    /// The expression as it was given, without the spaces around it.
    public let text: String
    /// How it is written.
    public let dialect: Dialect

    var seconds: UInt64 = 1
    var minutes: UInt64 = 0
    var hours: UInt32 = 0
    var months: UInt32 = 0
    var days = CronDays()
    /// Years as bits from 1970 on; nil for every year.
    var years: CronYears?
    /// Whether the minutes or the hours are written with `*` or `/`, so that they mean an interval and not a time.
    var isInterval = false

    /// Whether every hour fires, so that a skipped hour needs no replacement.
    var firesEveryHour: Bool { hours == 0xff_ffff }

    /// The longest expression that is read, in bytes.
    public static let maximumLength = 256

    /// Reads an expression of either dialect.
    ///
    /// - Throws: `INVALID_CRON_EXPRESSION`, naming the field, what it holds and what is allowed there.
    public init(_ text: String) throws(HarbourError) {
        let trimmed = text.utf8.count <= CronExpression.maximumLength ? CronExpression.trim(text) : text
        guard trimmed.utf8.count <= CronExpression.maximumLength else {
            throw HarbourError(
                .invalidCronExpression,
                "The cron expression has \(trimmed.utf8.count) bytes; at most \(CronExpression.maximumLength) are "
                    + "read. Shorten its lists with ranges or steps, or split the schedule in two.")
        }
        self.text = trimmed
        let fields = try CronExpression.expandNickname(trimmed).split(whereSeparator: CronExpression.isSpace)
        switch fields.count {
        case 5: dialect = .classic
        case 6, 7: dialect = .quartz
        default:
            throw HarbourError(
                .invalidCronExpression,
                "The cron expression \(quoted(trimmed)) has \(fields.count) fields. Write six or seven as Quartz does "
                    + "(seconds minutes hours day-of-month month day-of-week [year], such as \"0 30 6 * * ?\"), or "
                    + "five as cron does (minutes hours day-of-month month day-of-week, such as \"30 6 * * *\").")
        }
        let kinds = dialect == .quartz ? CronField.quartz : CronField.classic
        var parser = CronParser(expression: trimmed, dialect: dialect)
        for (kind, field) in zip(kinds, fields) { try read(kind, String(field), &parser) }
        try settleDays(parser)
    }

    private mutating func read(_ kind: CronField, _ text: String, _ parser: inout CronParser) throws(HarbourError) {
        switch kind {
        case .seconds: seconds = try parser.values(kind, text)
        case .minutes: minutes = try parser.values(kind, text)
        case .hours: hours = UInt32(truncatingIfNeeded: try parser.values(kind, text))
        case .month: months = UInt32(truncatingIfNeeded: try parser.values(kind, text))
        case .dayOfMonth: try parser.daysOfMonth(text, into: &days)
        case .dayOfWeek: try parser.daysOfWeek(text, into: &days)
        case .year: years = try parser.years(text)
        }
        if kind == .minutes || kind == .hours {
            isInterval = isInterval || text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "/") }
        }
    }

    /// Decides how the two day fields work together.
    private mutating func settleDays(_ parser: CronParser) throws(HarbourError) {
        switch dialect {
        case .classic:
            days.rule = parser.monthDaysBeginWithStar || parser.weekdaysBeginWithStar ? .both : .either
        case .quartz:
            switch (parser.monthDaysAreOpen, parser.weekdaysAreOpen) {
            case (true, false), (false, true): days.rule = .both
            case (true, true):
                throw parser.failure(
                    "has ? in both day fields. Write ? in one of them and the days in the other, or * for every day.")
            case (false, false):
                throw parser.failure(
                    "restricts both day-of-month and day-of-week. Write ? in the one that does not matter, such as "
                        + "\"0 0 12 * * ?\" for every day.")
            }
        }
    }

    private static func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" }

    private static func trim(_ text: String) -> String {
        var rest = Substring(text)
        while let first = rest.first, isSpace(first) || first.isNewline { rest.removeFirst() }
        while let last = rest.last, isSpace(last) || last.isNewline { rest.removeLast() }
        return String(rest)
    }

    private static func expandNickname(_ text: String) throws(HarbourError) -> String {
        guard text.utf8.first == UInt8(ascii: "@") else { return text }
        switch text.lowercased() {
        case "@hourly": return "0 * * * *"
        case "@daily", "@midnight": return "0 0 * * *"
        case "@weekly": return "0 0 * * 0"
        case "@monthly": return "0 0 1 * *"
        case "@yearly", "@annually": return "0 0 1 1 *"
        default:
            throw HarbourError(
                .invalidCronExpression,
                "The nickname \(quoted(text)) is not known. Use @hourly, @daily, @weekly, @monthly or @yearly, or "
                    + "write the fields, such as \"0 30 6 * * ?\".")
        }
    }
}

extension CronExpression: CustomStringConvertible {
    /// The expression as it was given.
    public var description: String { text }
}

/// A set of years from 1970 to 2099.
struct CronYears: Sendable, Hashable {
    private var low: UInt64 = 0
    private var middle: UInt64 = 0
    private var high: UInt64 = 0

    /// The last year that can be in a set.
    static let last = 2099

    mutating func insert(_ year: Int) {
        let bit = year - 1970
        switch bit >> 6 {
        case 0: low |= 1 << bit
        case 1: middle |= 1 << (bit - 64)
        default: high |= 1 << (bit - 128)
        }
    }

    func contains(_ year: Int) -> Bool {
        let bit = year - 1970
        guard bit >= 0, year <= CronYears.last else { return false }
        switch bit >> 6 {
        case 0: return low >> bit & 1 == 1
        case 1: return middle >> (bit - 64) & 1 == 1
        default: return high >> (bit - 128) & 1 == 1
        }
    }
}
