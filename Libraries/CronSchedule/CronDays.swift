import Core

/// Which days of a month fire, as both day fields together say.
struct CronDays: Sendable, Hashable {
    /// How the two fields work together.
    enum Rule: Sendable, Hashable {
        /// A day must be in both; an open field holds every day.
        case both
        /// A day in either will do.
        case either
    }

    var rule = Rule.both
    /// Bit d: the d-th of the month.
    var monthDays: UInt32 = 0
    /// Bit d: the weekday (Monday to Friday) of the month that is nearest the d-th.
    var nearestWeekdays: UInt32 = 0
    /// Bit n: n days before the last of the month.
    var beforeLast: UInt32 = 0
    /// Bit n: the weekday nearest to n days before the last.
    var nearestBeforeLast: UInt32 = 0
    /// Bit w: each of these weekdays, 0 for Sunday.
    var weekdays: UInt32 = 0
    /// Bit w: the last of these weekdays in the month.
    var lastWeekdays: UInt32 = 0
    /// Bit 7(k-1)+w: the k-th of these weekdays in the month.
    var nthWeekdays: UInt64 = 0

    /// The days of one month that fire, as bits 1 to 31.
    func days(of month: Int, in year: Int) -> UInt32 {
        let length = daysInMonth(month, of: year)
        let all = UInt32(truncatingIfNeeded: (1 << (length + 1)) - 2 as Int)
        let first = CivilDate(year: year, month: month, day: 1).weekday
        let byMonth = monthDays(length: length, first: first) & all
        let byWeek = weekDays(length: length, first: first) & all
        return rule == .both ? byMonth & byWeek : byMonth | byWeek
    }

    private func monthDays(length: Int, first: Int) -> UInt32 {
        var days = monthDays
        if nearestWeekdays | beforeLast | nearestBeforeLast == 0 { return days }
        for bit in 0...31 {
            let mask: UInt32 = 1 << UInt32(bit)
            if nearestWeekdays & mask != 0, bit <= length {
                days |= 1 << UInt32(nearestWeekday(to: bit, length: length, first: first))
            }
            let day = length - bit
            guard day >= 1 else { continue }
            if beforeLast & mask != 0 { days |= 1 << UInt32(day) }
            if nearestBeforeLast & mask != 0 {
                days |= 1 << UInt32(nearestWeekday(to: day, length: length, first: first))
            }
        }
        return days
    }

    /// Saturday goes back to Friday and Sunday on to Monday, but never into another month.
    private func nearestWeekday(to day: Int, length: Int, first: Int) -> Int {
        switch (first + day - 1) % 7 {
        case 6: day == 1 ? 3 : day - 1
        case 0: day == length ? day - 2 : day + 1
        default: day
        }
    }

    private func weekDays(length: Int, first: Int) -> UInt32 {
        // Days 1, 8, 15, 22 and 29 share a weekday.
        let weekly: UInt64 = 0x2040_8102
        var days: UInt64 = 0
        for weekday in 0..<7 {
            let start = (weekday - first + 7) % 7
            if weekdays >> UInt32(weekday) & 1 == 1 { days |= weekly << UInt64(start) }
            if lastWeekdays >> UInt32(weekday) & 1 == 1 {
                days |= 1 << UInt64(start + (start + 29 <= length ? 29 : 22))
            }
            if nthWeekdays == 0 { continue }
            for week in 0..<5 where nthWeekdays >> UInt64(week * 7 + weekday) & 1 == 1 {
                days |= 1 << UInt64(start + 1 + week * 7)
            }
        }
        return UInt32(truncatingIfNeeded: days)
    }
}
