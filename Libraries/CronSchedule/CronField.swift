/// One of the parts of a cron expression.
enum CronField: Int, Sendable {
    case seconds
    case minutes
    case hours
    case dayOfMonth
    case month
    case dayOfWeek
    case year

    /// The fields of both dialects in the order of writing.
    static let quartz: [CronField] = [.seconds, .minutes, .hours, .dayOfMonth, .month, .dayOfWeek, .year]
    static let classic: [CronField] = [.minutes, .hours, .dayOfMonth, .month, .dayOfWeek]

    /// The name in messages.
    var name: String {
        switch self {
        case .seconds: "seconds"
        case .minutes: "minutes"
        case .hours: "hours"
        case .dayOfMonth: "day-of-month"
        case .month: "month"
        case .dayOfWeek: "day-of-week"
        case .year: "year"
        }
    }

    /// The numbers that may be written.
    func range(in dialect: CronExpression.Dialect) -> ClosedRange<Int> {
        switch self {
        case .seconds, .minutes: 0...59
        case .hours: 0...23
        case .dayOfMonth: 1...31
        case .month: 1...12
        case .dayOfWeek: dialect == .quartz ? 1...7 : 0...7
        case .year: 1970...2099
        }
    }

    /// The last number that an open range such as `2/3` or `*` reaches; 7 in classic cron is Sunday again.
    func lastOpen(in dialect: CronExpression.Dialect) -> Int {
        self == .dayOfWeek && dialect == .classic ? 6 : range(in: dialect).upperBound
    }

    /// The number of a three-letter name in any case, in the numbering of the dialect.
    func value(ofName name: Substring.UTF8View, in dialect: CronExpression.Dialect) -> Int? {
        let names: StaticString
        switch self {
        case .month: names = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
        case .dayOfWeek: names = "SUNMONTUEWEDTHUFRISAT"
        default: return nil
        }
        guard name.count == 3 else { return nil }
        let position = names.withUTF8Buffer { buffer in
            stride(from: 0, to: buffer.count, by: 3).first { start in
                zip(name, buffer[start..<start + 3]).allSatisfy { $0 & 0xdf == $1 && $0 >= 0x40 }
            }
        }
        guard let position else { return nil }
        return position / 3 + (self == .month || dialect == .quartz ? 1 : 0)
    }

    /// What may be written, as the second half of a message.
    func allowed(in dialect: CronExpression.Dialect) -> String {
        let isQuartz = dialect == .quartz
        switch self {
        case .seconds, .minutes:
            return "0 to 59, *, a range such as 0-29, a step such as */15 or a list such as 0,30"
        case .hours:
            return "0 to 23, *, a range such as 9-17, a step such as */2 or a list such as 6,18"
        case .dayOfMonth:
            return "1 to 31, *, \(isQuartz ? "?, " : "")a range such as 1-7, a step such as */2, a list such as 1,15, "
                + "L (the last day), L-3 (three days before it), 15W (the weekday nearest the 15th) or LW"
        case .month:
            return "1 to 12 or JAN to DEC, *, a range such as JAN-MAR, a step such as */3 or a list such as 1,7"
        case .dayOfWeek:
            return isQuartz
                ? "1 (Sunday) to 7 (Saturday) or SUN to SAT, *, ?, a range such as MON-FRI, a list such as MON,WED, "
                    + "6L (the last Friday) or 2#3 (the third Monday)"
                : "0 (Sunday) to 6 (Saturday), 7 for Sunday too, or SUN to SAT, *, a range such as MON-FRI, a list "
                    + "such as MON,WED, 5L (the last Friday) or 1#3 (the third Monday)"
        case .year:
            return "1970 to 2099, *, a range such as 2026-2028, a step such as */2 or a list such as 2026,2028"
        }
    }
}
