import Core
import CronSchedule
import TestSupport
import Testing

/// An expression by its parts, so that the checker below need not trust the parser.
private struct Plan {
    var text = ""
    var hours: Set<Int> = []
    var minutes: Set<Int> = []
    var second = 0
    var months: Set<Int> = []
    var monthDays: Set<Int>?
    var weekdays: Set<Int>?
    var isInterval = false

    init(using random: inout SeededGenerator) {
        func field(_ range: ClosedRange<Int>, _ stars: Int) -> (String, Set<Int>) {
            let low = Int.random(in: range, using: &random)
            let high = Int.random(in: low...range.upperBound, using: &random)
            let step = Int.random(in: 1...max(1, range.count / 3), using: &random)
            switch Int.random(in: 0..<(4 + stars), using: &random) {
            case 0: return ("\(low)", [low])
            case 1: return ("\(low)-\(high)", Set(low...high))
            case 2: return ("\(low),\(high)", [low, high])
            case 3: return ("*/\(step)", Set(stride(from: range.lowerBound, through: range.upperBound, by: step)))
            default: return ("*", Set(range))
            }
        }
        let (minuteText, minutes) = field(0...59, 0)
        let (hourText, hours) = field(0...23, 2)
        let (monthText, months) = field(1...12, 4)
        second = Int.random(in: 0...59, using: &random)
        (self.minutes, self.hours, self.months) = (minutes, hours, months)
        isInterval = (minuteText + hourText).contains { $0 == "*" || $0 == "/" }
        var days = ("*", "?")
        if Bool.random(using: &random) {
            let (text, values) = field(1...28, 3)
            days.0 = text
            // A star or a step reaches the 31st.
            if text == "*" {
                monthDays = Set(1...31)
            } else if text.hasPrefix("*/"), let step = Int(text.dropFirst(2)) {
                monthDays = Set(stride(from: 1, through: 31, by: step))
            } else {
                monthDays = values
            }
        } else {
            let (text, values) = field(1...7, 3)
            days = ("?", text)
            weekdays = Set(values.map { $0 - 1 })
        }
        text = "\(second) \(minuteText) \(hourText) \(days.0) \(monthText) \(days.1)"
    }

    func names(day: Int) -> Bool {
        let date = CivilDate(daysSinceEpoch: day)
        return months.contains(date.month) && monthDays?.contains(date.day) ?? true
            && weekdays?.contains(date.weekday) ?? true
    }

    /// The first firing after an instant by trying every named local time of every day, by the written rules alone.
    func firstFiring(after: Int64, until: Int64, in zone: TimeZoneRules) -> Int64? {
        func offset(_ instant: Int64) -> Int64 { Int64(zone.offset(at: Timestamp(milliseconds: instant * 1000))) }
        var best: Int64?
        for day in Int(after / 86_400) - 2...Int(until / 86_400) + 2 where names(day: day) {
            for hour in hours {
                for minute in minutes {
                    let local = Int64(day) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
                    // Every offset around gives one instant that may show this local time.
                    let offsets = Set(stride(from: -30, through: 30, by: 1).map { offset(local + $0 * 3600) })
                    let shown = offsets.map { local - $0 }.filter { offset($0) == local - $0 }.sorted()
                    var firings = isInterval ? shown : Array(shown.prefix(1))
                    if shown.isEmpty, !(isInterval && hours.count == 24) {
                        // The first instant whose local time is past it.
                        var low = local - 30 * 3600
                        var high = local + 30 * 3600
                        while high - low > 1 {
                            let middle = (low + high) / 2
                            if middle + offset(middle) >= local { high = middle } else { low = middle }
                        }
                        firings = [high]
                    }
                    for firing in firings where firing > after && firing < best ?? .max { best = firing }
                }
            }
            // Days ascend, and no offset moves a firing by two of them.
            if let best, Int64(day - 2) * 86_400 > best { return best }
        }
        return best
    }
}

@Suite("Every zone, random schedules")
struct CronPropertyTests {
    /// The instants around which a zone's offset changes, found from outside.
    private func changes(of zone: TimeZoneRules, from: Int64, to: Int64) -> [Int64] {
        stride(from: from, to: to, by: 86_400).filter {
            zone.offset(at: Timestamp(milliseconds: $0 * 1000))
                != zone.offset(at: Timestamp(milliseconds: ($0 + 86_400) * 1000))
        }
    }

    /// Goal: in every zone of the database, near changes of the clock and elsewhere, `next` is what the slow checker
    /// finds: after the given time, named by the fields, and with nothing left out between.
    @Test func nextAgreesWithSlowChecker() throws {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        let names = TimeZoneDatabase.system.names()
        #expect(names.count > 400)
        for (number, name) in names.enumerated() where !isSanitized || number % 10 == 0 {
            let zone = try TimeZoneRules(named: name)
            let year = Int64.random(in: 1920...2090, using: &random)
            let from = Int64(CivilDate(year: Int(year), month: 1, day: 1).daysSinceEpoch) * 86_400
            let changes = changes(of: zone, from: from, to: from + 2 * 366 * 86_400)
            for round in 0..<3 {
                let plan = Plan(using: &random)
                let schedule = try CronSchedule(plan.text, timeZone: name)
                var start = Int64.random(in: from...from + 2 * 366 * 86_400, using: &random)
                if round > 0, let change = changes.randomElement(using: &random) {
                    start = change + Int64.random(in: -86_400...43_200, using: &random)
                }
                let next = schedule.next(after: Timestamp(milliseconds: start * 1000))
                // The checker is slow, so a far next time is looked at within 40 days.
                let found = next.map { $0.milliseconds / 1000 }
                let until = min(found ?? .max, start + 40 * 86_400)
                let expected = plan.firstFiring(after: start, until: until, in: zone)
                if let expected, expected <= until {
                    #expect(found == expected, "seed \(seed): \(plan.text) in \(name) after \(start)")
                } else {
                    #expect(found ?? .max > until, "seed \(seed): \(plan.text) in \(name) after \(start)")
                }
            }
        }
    }
}
