import Core

/// The search in local time: no time zone, no daylight saving, only dates and times of day.
extension CronExpression {
    /// How many years are looked through. The rarest day there is, a fifth Monday of February, comes within 40.
    private static let searchedYears = 60

    /// The first local time at or after `start` that the expression names, in seconds since 1970-01-01T00:00:00 of the
    /// local calendar; nil when there is none within the searched years or the expression's own.
    func nextLocalTime(from start: Int64) -> Int64? {
        let day = floorDivide(start, 86_400)
        let date = CivilDate(daysSinceEpoch: Int(day))
        let lastYear = years == nil ? date.year + CronExpression.searchedYears : CronYears.last
        guard date.year <= lastYear else { return nil }
        // Only on the first day does the time of day bound the search.
        if let time = nextTimeOfDay(from: Int(start - day * 86_400)), matches(date) {
            return day * 86_400 + Int64(time)
        }
        guard let time = nextTimeOfDay(from: 0), let date = nextDay(after: date, lastYear: lastYear) else { return nil }
        return Int64(date.daysSinceEpoch) * 86_400 + Int64(time)
    }

    private func matches(_ date: CivilDate) -> Bool {
        months >> UInt32(date.month) & 1 == 1 && years?.contains(date.year) ?? true
            && days.days(of: date.month, in: date.year) >> UInt32(date.day) & 1 == 1
    }

    private func nextDay(after date: CivilDate, lastYear: Int) -> CivilDate? {
        var month = date.month
        var year = date.year
        // What is left of the first month, then whole months.
        var allowed = date.day >= 31 ? 0 : UInt32.max << UInt32(date.day + 1)
        while year <= lastYear {
            if years?.contains(year) ?? true {
                while month <= 12 {
                    if months >> UInt32(month) & 1 == 1 {
                        let days = days.days(of: month, in: year) & allowed
                        if days != 0 { return CivilDate(year: year, month: month, day: days.trailingZeroBitCount) }
                    }
                    allowed = .max
                    month += 1
                }
            }
            allowed = .max
            month = 1
            year += 1
        }
        return nil
    }

    /// The first second of a day at or after `start` that matches, or nil when none is left.
    private func nextTimeOfDay(from start: Int) -> Int? {
        let hour = start / 3600
        let minute = start / 60 % 60
        let second = start % 60
        if UInt64(hours) >> UInt64(hour) & 1 == 1 {
            if minutes >> UInt64(minute) & 1 == 1 {
                let rest = seconds >> UInt64(second)
                if rest != 0 { return start + rest.trailingZeroBitCount }
            }
            let rest = minutes >> UInt64(minute + 1)
            if rest != 0 {
                return hour * 3600 + (minute + 1 + rest.trailingZeroBitCount) * 60 + seconds.trailingZeroBitCount
            }
        }
        let rest = UInt64(hours) >> UInt64(hour + 1)
        guard rest != 0 else { return nil }
        return (hour + 1 + rest.trailingZeroBitCount) * 3600 + minutes.trailingZeroBitCount * 60
            + seconds.trailingZeroBitCount
    }
}
