import Core

/// The footer of a TZif file: how the zone behaves after its last listed transition.
///
/// The form is the `TZ` variable of POSIX.1 with the extensions of RFC 9636 section 3.3.1: hours from -167 to 167, and
/// daylight saving all year.
struct POSIXTimeZone: Sendable, Hashable {
    /// When within a year a change happens.
    enum Day: Sendable, Hashable {
        /// `Jn`: the n-th day, 1 to 365, with February 29 never counted.
        case julian(Int)
        /// `n`: the day 0 to 365, with February 29 counted.
        case zeroBased(Int)
        /// `Mm.w.d`: the w-th weekday d of month m; week 5 is the last.
        case weekday(month: Int, week: Int, day: Int)
    }

    /// A change: a day and the seconds after its midnight, by the clock in force before the change.
    struct Change: Sendable, Hashable {
        var day: Day
        var seconds: Int
    }

    /// Daylight saving time, when the zone has it.
    struct Daylight: Sendable, Hashable {
        var offset: Int
        var start: Change
        var end: Change
    }

    /// Seconds east of UTC in standard time.
    var standardOffset: Int
    var daylight: Daylight?

    /// Reads the footer's text; nil when it is not of the form.
    init?(_ text: [UInt8]) {
        var reader = POSIXTimeZoneReader(bytes: text)
        guard reader.skipAbbreviation(), let west = reader.time(maximumHours: 24) else { return nil }
        standardOffset = -west
        if reader.isAtEnd { return }
        guard reader.skipAbbreviation() else { return nil }
        var offset = standardOffset + 3600
        if !reader.isAtEnd && !reader.peek(",") {
            guard let west = reader.time(maximumHours: 24) else { return nil }
            offset = -west
        }
        // Without a rule POSIX leaves the choice to the system; the usual one is that of the United States.
        var start = Change(day: .weekday(month: 3, week: 2, day: 0), seconds: 7200)
        var end = Change(day: .weekday(month: 11, week: 1, day: 0), seconds: 7200)
        if !reader.isAtEnd {
            guard reader.skip(","), let first = reader.change(), reader.skip(","), let second = reader.change(),
                reader.isAtEnd
            else { return nil }
            start = first
            end = second
        }
        daylight = Daylight(offset: offset, start: start, end: end)
    }

    /// The stretch of constant offset around an instant.
    func segment(at instant: Int64) -> ClockSegment {
        guard let daylight else { return ClockSegment(start: .min, end: .max, offset: standardOffset) }
        let year = CivilDate(daysSinceEpoch: Int(floorDivide(instant, 86_400))).year
        var segment = ClockSegment(start: .min, end: .max, offset: standardOffset)
        // A change may lie 167 hours outside its year, so the neighbours are looked at too. Where an end and a start
        // fall together the start wins: that is how RFC 9636 writes daylight saving all year.
        for year in year - 2...year + 1 {
            let end = POSIXTimeZone.instant(daylight.end, in: year, offset: daylight.offset)
            let start = POSIXTimeZone.instant(daylight.start, in: year, offset: standardOffset)
            if end <= instant {
                if end > segment.start { (segment.start, segment.offset) = (end, standardOffset) }
            } else {
                segment.end = min(segment.end, end)
            }
            if start <= instant {
                if start >= segment.start { (segment.start, segment.offset) = (start, daylight.offset) }
            } else {
                segment.end = min(segment.end, start)
            }
        }
        return segment
    }

    private static func instant(_ change: Change, in year: Int, offset: Int) -> Int64 {
        let newYear = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch
        let day: Int
        switch change.day {
        case .julian(let number):
            day = newYear + number - 1 + (isLeapYear(year) && number >= 60 ? 1 : 0)
        case .zeroBased(let number):
            day = newYear + number
        case .weekday(let month, let week, let weekday):
            let first = CivilDate(year: year, month: month, day: 1)
            var dayOfMonth = 1 + (weekday - first.weekday + 7) % 7 + (week - 1) * 7
            if dayOfMonth > daysInMonth(month, of: year) { dayOfMonth -= 7 }
            day = first.daysSinceEpoch + dayOfMonth - 1
        }
        return Int64(day) * 86_400 + Int64(change.seconds - offset)
    }
}

/// Reads the parts of a POSIX `TZ` text.
private struct POSIXTimeZoneReader {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    func peek(_ character: Unicode.Scalar) -> Bool {
        position < bytes.count && UInt32(bytes[position]) == character.value
    }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard peek(character) else { return false }
        position += 1
        return true
    }

    /// A name of at least three characters, `<...>` around it when it is not all letters.
    mutating func skipAbbreviation() -> Bool {
        let isBracketed = skip("<")
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            let isLetter = (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
            let isOther = isDigit(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            guard isLetter || (isBracketed && isOther) else { break }
            position += 1
        }
        let isLongEnough = position - start >= 3
        return isBracketed ? skip(">") && isLongEnough : isLongEnough
    }

    mutating func number(maximum: Int) -> Int? {
        let start = position
        var value = 0
        while position < bytes.count, isDigit(bytes[position]) {
            value = value * 10 + Int(bytes[position] - UInt8(ascii: "0"))
            guard value <= maximum else { return nil }
            position += 1
        }
        return position == start ? nil : value
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    mutating func time(maximumHours: Int) -> Int? {
        let isNegative = skip("-")
        if !isNegative { _ = skip("+") }
        guard let hours = number(maximum: maximumHours) else { return nil }
        var seconds = hours * 3600
        for unit in [60, 1] where skip(":") {
            guard let part = number(maximum: 59) else { return nil }
            seconds += part * unit
        }
        return isNegative ? -seconds : seconds
    }

    mutating func change() -> POSIXTimeZone.Change? {
        guard let day = day() else { return nil }
        guard skip("/") else { return POSIXTimeZone.Change(day: day, seconds: 7200) }
        guard let seconds = time(maximumHours: 167) else { return nil }
        return POSIXTimeZone.Change(day: day, seconds: seconds)
    }

    private mutating func day() -> POSIXTimeZone.Day? {
        if skip("J") {
            guard let day = number(maximum: 365), day >= 1 else { return nil }
            return .julian(day)
        }
        guard skip("M") else { return number(maximum: 365).map { .zeroBased($0) } }
        guard let month = number(maximum: 12), month >= 1, skip("."), let week = number(maximum: 5), week >= 1,
            skip("."), let day = number(maximum: 6)
        else { return nil }
        return .weekday(month: month, week: week, day: day)
    }
}

private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
