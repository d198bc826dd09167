/// Times as text: ISO 8601 in UTC with milliseconds, `2026-11-21T04:05:06.789Z` (RFC 3339 section 5.6).
public enum ISO8601 {
    /// Formats a timestamp; years before 0 or after 9999 are held at those bounds.
    public static func format(_ time: Timestamp) -> String {
        let limited = min(max(time.milliseconds, -62_167_219_200_000), 253_402_300_799_999)
        let day = limited >= 0 ? limited / 86_400_000 : (limited - 86_399_999) / 86_400_000
        let rest = Int(limited - day * 86_400_000)
        let date = CivilDate(daysSinceEpoch: Int(day))
        return String(unsafeUninitializedCapacity: 24) { bytes in
            func put(_ value: Int, _ digits: Int, at offset: Int) {
                var value = value
                for index in stride(from: offset + digits - 1, through: offset, by: -1) {
                    bytes[index] = UInt8(48 + value % 10)
                    value /= 10
                }
            }
            for (offset, mark) in [(4, UInt8(ascii: "-")), (7, UInt8(ascii: "-")), (10, UInt8(ascii: "T"))] {
                bytes[offset] = mark
            }
            for (offset, mark) in [(13, UInt8(ascii: ":")), (16, UInt8(ascii: ":")), (19, UInt8(ascii: "."))] {
                bytes[offset] = mark
            }
            bytes[23] = UInt8(ascii: "Z")
            put(date.year, 4, at: 0)
            put(date.month, 2, at: 5)
            put(date.day, 2, at: 8)
            put(rest / 3_600_000, 2, at: 11)
            put(rest / 60_000 % 60, 2, at: 14)
            put(rest / 1000 % 60, 2, at: 17)
            put(rest % 1000, 3, at: 20)
            return 24
        }
    }
}

/// A day of the proleptic Gregorian calendar.
public struct CivilDate: Sendable, Hashable {
    /// The year; 0 is 1 BC.
    public var year: Int
    /// 1 to 12.
    public var month: Int
    /// 1 to 31.
    public var day: Int

    /// Makes a date; the caller answers for its being one.
    public init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// The date that many days after 1970-01-01, by Howard Hinnant's `civil_from_days`.
    public init(daysSinceEpoch days: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01, by Howard Hinnant's `days_from_civil`.
    public var daysSinceEpoch: Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// 0 for Sunday to 6 for Saturday.
    public var weekday: Int { ((daysSinceEpoch + 4) % 7 + 7) % 7 }
}
