internal import Core
internal import Glibc

extension Invocation {
    /// A time in ISO 8601; a day alone means its beginning in UTC.
    func time(_ name: String) throws(HarbourError) -> Timestamp? {
        guard let text = value(name) else { return nil }
        guard let time = TimeText.parse(text) else {
            throw .usage("--\(name) takes a time such as 2026-11-01 or 2026-11-01T06:00:00Z, not \(text).")
        }
        return time
    }
}

/// Times as people write them.
enum TimeText {
    /// `2026-11-01`, or `2026-11-01T06:00`, with or without seconds, in UTC unless it ends with an offset: `Z`,
    /// `+02:00`.
    static func parse(_ text: String) -> Timestamp? {
        var rest = Substring(text)
        guard let year = number(&rest, 4), skip(&rest, "-"), let month = number(&rest, 2), skip(&rest, "-"),
            let day = number(&rest, 2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var seconds = 0
        if skip(&rest, "T") || skip(&rest, " ") {
            guard let clock = clock(&rest) else { return nil }
            seconds = clock
            if !skip(&rest, "Z") {
                let sign = skip(&rest, "+") ? 1 : skip(&rest, "-") ? -1 : 0
                if sign != 0 {
                    guard let hours = number(&rest, 2), skip(&rest, ":"), let minutes = number(&rest, 2), hours < 24,
                        minutes < 60
                    else { return nil }
                    seconds -= sign * (hours * 3600 + minutes * 60)
                }
            }
        }
        guard rest.isEmpty else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (Int32(year - 1900), Int32(month - 1), Int32(day))
        let midnight = timegm(&parts)
        // A day that its month does not have comes back as another.
        guard parts.tm_mday == Int32(day) else { return nil }
        return Timestamp(milliseconds: Int64(midnight + seconds) * 1000)
    }

    private static func clock(_ rest: inout Substring) -> Int? {
        guard let hours = number(&rest, 2), skip(&rest, ":"), let minutes = number(&rest, 2), hours < 24, minutes < 60
        else { return nil }
        guard skip(&rest, ":") else { return hours * 3600 + minutes * 60 }
        guard let seconds = number(&rest, 2), seconds < 60 else { return nil }
        return hours * 3600 + minutes * 60 + seconds
    }

    private static func number(_ rest: inout Substring, _ digits: Int) -> Int? {
        let text = rest.prefix(digits)
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        rest = rest.dropFirst(digits)
        return Int(text)
    }

    private static func skip(_ rest: inout Substring, _ character: Character) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }
}
