import Core

/// Reads the fields of one expression; every failure says which field, what it holds and what may stand there.
struct CronParser {
    let expression: String
    let dialect: CronExpression.Dialect
    var monthDaysAreOpen = false
    var weekdaysAreOpen = false
    var monthDaysBeginWithStar = false
    var weekdaysBeginWithStar = false

    init(expression: String, dialect: CronExpression.Dialect) {
        self.expression = expression
        self.dialect = dialect
    }

    /// An error about the expression as a whole; `predicate` goes on after its name.
    func failure(_ predicate: String) -> HarbourError {
        HarbourError(.invalidCronExpression, "The cron expression \(quoted(expression)) \(predicate)")
    }

    private func failure(_ field: CronField, _ item: some StringProtocol, _ reason: String? = nil) -> HarbourError {
        let reason = reason.map { ": \($0)" } ?? ", which is not allowed there"
        return HarbourError(
            .invalidCronExpression,
            "The \(field.name) field of the cron expression \(quoted(expression)) holds \(quoted(item))\(reason). "
                + "Write \(field.allowed(in: dialect)).")
    }

    /// The numbers of an ordinary field, as bits.
    func values(_ field: CronField, _ text: String) throws(HarbourError) -> UInt64 {
        var bits: UInt64 = 0
        for item in try items(field, text) { bits |= try bitsOf(item, field) }
        return bits
    }

    /// The years; nil when every year will do.
    func years(_ text: String) throws(HarbourError) -> CronYears? {
        if text == "*" { return nil }
        var years = CronYears()
        for item in try items(.year, text) {
            let (first, last, step) = try bounds(item, .year)
            guard first <= last else { throw failure(.year, item, "the range ends before it begins") }
            for year in stride(from: first, through: last, by: step) { years.insert(year) }
        }
        return years
    }

    mutating func daysOfMonth(_ text: String, into days: inout CronDays) throws(HarbourError) {
        monthDaysBeginWithStar = text.hasPrefix("*") || text == "?"
        if text == "?" {
            monthDaysAreOpen = true
            days.monthDays = .max
            return
        }
        for item in try items(.dayOfMonth, text) {
            if try !specialDayOfMonth(item, &days) {
                days.monthDays |= UInt32(truncatingIfNeeded: try bitsOf(item, .dayOfMonth))
            }
        }
    }

    /// `L`, `LW`, `L-3`, `L-3W` and `15W`; false when the item is none of them.
    private func specialDayOfMonth(_ item: Substring, _ days: inout CronDays) throws(HarbourError) -> Bool {
        var rest = item[...]
        let isNearest = rest.count > 1 && rest.last.map { $0 == "W" || $0 == "w" } ?? false
        if isNearest { rest.removeLast() }
        if rest.first == "L" || rest.first == "l" {
            rest.removeFirst()
            var back = 0
            if !rest.isEmpty {
                guard rest.removeFirst() == "-", let value = number(rest) else { throw failure(.dayOfMonth, item) }
                guard value <= 30 else {
                    throw failure(.dayOfMonth, item, "at most 30 days can be counted back from the last")
                }
                back = value
            }
            if isNearest { days.nearestBeforeLast |= 1 << UInt32(back) } else { days.beforeLast |= 1 << UInt32(back) }
            return true
        }
        guard isNearest else { return false }
        guard let day = number(rest), (1...31).contains(day) else { throw failure(.dayOfMonth, item) }
        days.nearestWeekdays |= 1 << UInt32(day)
        return true
    }

    mutating func daysOfWeek(_ text: String, into days: inout CronDays) throws(HarbourError) {
        weekdaysBeginWithStar = text.hasPrefix("*") || text == "?"
        if text == "?" {
            weekdaysAreOpen = true
            days.weekdays = 0x7f
            return
        }
        for item in try items(.dayOfWeek, text) {
            if try specialDayOfWeek(item, &days) { continue }
            let bits = try bitsOf(item, .dayOfWeek)
            // Quartz counts from 1; the 7 of classic cron is the 0.
            days.weekdays |= UInt32(truncatingIfNeeded: dialect == .quartz ? bits >> 1 : (bits | bits >> 7) & 0x7f)
        }
    }

    /// `L` (Saturday), `6L` and `2#3`; false when the item is none of them.
    private func specialDayOfWeek(_ item: Substring, _ days: inout CronDays) throws(HarbourError) -> Bool {
        if let mark = item.firstIndex(of: "#") {
            let day = try weekday(item[..<mark], item)
            guard let week = number(item[item.index(after: mark)...]), (1...5).contains(week) else {
                throw failure(.dayOfWeek, item, "after # comes 1 to 5, for the first to the fifth in the month")
            }
            days.nthWeekdays |= 1 << UInt64((week - 1) * 7 + day)
            return true
        }
        guard item.last == "L" || item.last == "l" else { return false }
        if item.count == 1 {
            days.weekdays |= 1 << 6
        } else {
            days.lastWeekdays |= 1 << UInt32(try weekday(item.dropLast(), item))
        }
        return true
    }

    private func weekday(_ text: Substring, _ item: Substring) throws(HarbourError) -> Int {
        guard let value = value(text, .dayOfWeek) else { throw failure(.dayOfWeek, item) }
        return dialect == .quartz ? value - 1 : value % 7
    }

    /// The parts of a list. `?` inside an ordinary field is refused here, `*` among others is only pointless.
    private func items(_ field: CronField, _ text: String) throws(HarbourError) -> [Substring] {
        let items = text.split(separator: ",", omittingEmptySubsequences: false)
        guard items.allSatisfy({ !$0.isEmpty }) else {
            throw failure(field, text, "its list has an empty place beside a comma")
        }
        return items
    }

    private func bitsOf(_ item: Substring, _ field: CronField) throws(HarbourError) -> UInt64 {
        let (first, last, step) = try bounds(item, field)
        var bits: UInt64 = 0
        if first <= last {
            for value in stride(from: first, through: last, by: step) { bits |= 1 << UInt64(value) }
            return bits
        }
        guard dialect == .quartz else {
            throw failure(field, item, "the range ends before it begins, so write it as a list of two ranges")
        }
        // 22-2 goes on past the end: the field's size is added to what lies below the beginning.
        let range = field.range(in: dialect)
        for value in stride(from: first, through: last + range.count, by: step) {
            bits |= 1 << UInt64(value <= range.upperBound ? value : value - range.count)
        }
        return bits
    }

    /// `*`, `5`, `5-9`, each perhaps with `/step`; `5/3` runs to the end of the field.
    private func bounds(_ item: Substring, _ field: CronField) throws(HarbourError) -> (Int, Int, Int) {
        let range = field.range(in: dialect)
        let end = field.lastOpen(in: dialect)
        var base = item
        var step = 1
        var hasStep = false
        if let slash = item.firstIndex(of: "/") {
            base = item[..<slash]
            hasStep = true
            guard let value = number(item[item.index(after: slash)...]) else { throw failure(field, item) }
            let largestStep = field == .year ? range.count : range.upperBound
            guard value >= 1, value <= largestStep else {
                throw failure(field, item, "the step must be 1 to \(largestStep)")
            }
            step = value
        }
        if base == "*" || (base.isEmpty && hasStep) { return (range.lowerBound, end, step) }
        if let dash = base.firstIndex(of: "-") {
            guard let first = value(base[..<dash], field), let last = value(base[base.index(after: dash)...], field)
            else { throw failure(field, item) }
            return (first, last, step)
        }
        guard let first = value(base, field) else { throw failure(field, item) }
        return (first, hasStep ? max(first, end) : first, step)
    }

    private func value(_ text: Substring, _ field: CronField) -> Int? {
        if let number = number(text) { return field.range(in: dialect).contains(number) ? number : nil }
        return field.value(ofName: text.utf8, in: dialect)
    }

    /// One to four digits.
    private func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 4, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            return nil
        }
        return text.utf8.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}
