import Core
import CronSchedule
import Testing

@Suite("Schedules fire when they should")
struct CronScheduleTests {
    /// Goal: each construct of the day fields gives the days that a calendar shows.
    @Test(arguments: [
        ("0 0 12 * * ?", ["2026-01-01 12:00:00", "2026-01-02 12:00:00", "2026-01-03 12:00:00"]),
        ("0 15 10 L * ?", ["2026-01-31 10:15:00", "2026-02-28 10:15:00", "2026-03-31 10:15:00"]),
        ("0 15 10 L-3 * ?", ["2026-01-28 10:15:00", "2026-02-25 10:15:00", "2026-03-28 10:15:00"]),
        ("0 15 10 LW * ?", ["2026-01-30 10:15:00", "2026-02-27 10:15:00", "2026-03-31 10:15:00"]),
        ("0 15 10 L-3W * ?", ["2026-01-28 10:15:00", "2026-02-25 10:15:00", "2026-03-27 10:15:00"]),
        // The 15th of February and of March 2026 are Sundays.
        ("0 15 10 15W * ?", ["2026-01-15 10:15:00", "2026-02-16 10:15:00", "2026-03-16 10:15:00"]),
        // The first of August is a Saturday: never back into July.
        ("0 0 0 1W 8 ?", ["2026-08-03 00:00:00", "2027-08-02 00:00:00", "2028-08-01 00:00:00"]),
        // January 31 is a Saturday, May 31 a Sunday: never on into June.
        ("0 0 0 31W * ?", ["2026-01-30 00:00:00", "2026-03-31 00:00:00", "2026-05-29 00:00:00"]),
        ("0 0 0 ? * 6L", ["2026-01-30 00:00:00", "2026-02-27 00:00:00", "2026-03-27 00:00:00"]),
        ("0 0 0 ? * 2#1", ["2026-01-05 00:00:00", "2026-02-02 00:00:00", "2026-03-02 00:00:00"]),
        ("0 0 0 ? * 5#5", ["2026-01-29 00:00:00", "2026-04-30 00:00:00", "2026-07-30 00:00:00"]),
        ("0 0 0 ? * L", ["2026-01-03 00:00:00", "2026-01-10 00:00:00", "2026-01-17 00:00:00"]),
        ("0 0 0 ? * FRI-SUN", ["2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00"]),
        ("0 0 22-2/2 1 1 ?", ["2026-01-01 02:00:00", "2026-01-01 22:00:00", "2027-01-01 00:00:00"]),
        ("0 0 0 1/10 * ?", ["2026-01-11 00:00:00", "2026-01-21 00:00:00", "2026-01-31 00:00:00"]),
        ("0 0 0 29 2 ?", ["2028-02-29 00:00:00", "2032-02-29 00:00:00", "2036-02-29 00:00:00"]),
        ("0 0 0 ? 2 1#5", ["2032-02-29 00:00:00", "2060-02-29 00:00:00", "2088-02-29 00:00:00"]),
        ("59 59 23 31 12 ? 2027/30", ["2027-12-31 23:59:59", "2057-12-31 23:59:59", "2087-12-31 23:59:59"]),
        ("58/30 0 0 1 1 ?", ["2026-01-01 00:00:58", "2027-01-01 00:00:58", "2028-01-01 00:00:58"]),
        // Classic: either day field will do, but not where one begins with a star.
        ("0 0 13 * 5", ["2026-01-02 00:00:00", "2026-01-09 00:00:00", "2026-01-13 00:00:00"]),
        ("0 0 */2 * 5", ["2026-01-09 00:00:00", "2026-01-23 00:00:00", "2026-02-13 00:00:00"]),
        ("0 0 * * 7", ["2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00"]),
        ("0 0 * * 5-7/2", ["2026-01-02 00:00:00", "2026-01-04 00:00:00", "2026-01-09 00:00:00"]),
        ("@weekly", ["2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00"]),
        ("@monthly", ["2026-02-01 00:00:00", "2026-03-01 00:00:00", "2026-04-01 00:00:00"]),
        ("*/20 * * * *", ["2026-01-01 00:20:00", "2026-01-01 00:40:00", "2026-01-01 01:00:00"]),
    ])
    func calendar(_ expression: String, _ expected: [String]) throws {
        #expect(try localTimes(3, expression, "UTC", after: "2026-01-01 00:00:00") == expected)
    }

    /// Goal: what never fires, or no longer, ends the search.
    @Test(arguments: [
        "0 0 0 30 2 ?", "0 0 0 31 4,6,9,11 ?", "0 0 0 L-30 2 ?", "0 0 30 2 *", "0 0 0 * * ? 2025", "0 0 0 29 2 ? 2027",
    ])
    func never(_ expression: String) throws {
        let schedule = try CronSchedule(expression, timeZone: "Europe/Madrid")
        #expect(schedule.next(after: utc("2026-01-01 00:00:00")) == nil)
    }

    @Test func lastYearsAndExtremes() throws {
        let schedule = try CronSchedule("0 0 0 1 1 ? 2099", timeZone: "UTC")
        #expect(schedule.upcoming(3, after: utc("2026-01-01 00:00:00")) == [utc("2099-01-01 00:00:00")])
        let daily = try CronSchedule("@daily", timeZone: "America/New_York")
        #expect(daily.next(after: Timestamp(milliseconds: .max)) == nil)
        #expect(daily.next(after: Timestamp(milliseconds: .min)) == nil)
        #expect(daily.next(after: utc("9999-12-31 23:00:00")) == nil)
        // Milliseconds count: the next second is after a fraction of this one.
        let second = try CronSchedule("* * * * * ?", timeZone: "UTC")
        #expect(second.next(after: Timestamp(milliseconds: 1999)) == Timestamp(milliseconds: 2000))
        #expect(second.next(after: Timestamp(milliseconds: 2000)) == Timestamp(milliseconds: 3000))
        #expect(second.next(after: Timestamp(milliseconds: -1)) == Timestamp(milliseconds: 0))
    }

    /// Goal: the written rules for clocks that change, case by case. Madrid skips 02:00-03:00 on 2026-03-29 and repeats
    /// it on 2026-10-25; Lord Howe moves by half an hour; Apia skipped 2011-12-30.
    @Test(arguments: [
        (
            "0 30 2 * * ?", "Europe/Madrid", "2026-03-27 22:00:00",
            ["2026-03-28 02:30:00", "2026-03-29 03:00:00", "2026-03-30 02:30:00"]
        ),
        (
            "0 */15 2 * * ?", "Europe/Madrid", "2026-03-28 22:00:00",
            ["2026-03-29 03:00:00", "2026-03-30 02:00:00", "2026-03-30 02:15:00"]
        ),
        (
            "0 0 2,3 * * ?", "Europe/Madrid", "2026-03-28 22:00:00",
            ["2026-03-29 03:00:00", "2026-03-30 02:00:00", "2026-03-30 03:00:00"]
        ),
        (
            "0 5 * * * ?", "Europe/Madrid", "2026-03-28 23:10:00",
            ["2026-03-29 01:05:00", "2026-03-29 03:05:00", "2026-03-29 04:05:00"]
        ),
        (
            "0 30 2 * * ?", "Europe/Madrid", "2026-10-23 22:00:00",
            ["2026-10-24 02:30:00", "2026-10-25 02:30:00", "2026-10-26 02:30:00"]
        ),
        (
            "0 0 1-3 * * ?", "Europe/Madrid", "2026-10-24 22:30:00",
            ["2026-10-25 01:00:00", "2026-10-25 02:00:00", "2026-10-25 03:00:00"]
        ),
        (
            "0 0/30 * * * ?", "Europe/Madrid", "2026-10-25 00:10:00",
            ["2026-10-25 02:30:00", "2026-10-25 02:00:00", "2026-10-25 02:30:00", "2026-10-25 03:00:00"]
        ),
        (
            "0 15 2 * * ?", "Australia/Lord_Howe", "2026-10-02 20:00:00",
            ["2026-10-04 02:30:00", "2026-10-05 02:15:00"]
        ),
        (
            "0 0 12 * * ?", "Pacific/Apia", "2011-12-29 05:00:00",
            ["2011-12-29 12:00:00", "2011-12-31 00:00:00", "2011-12-31 12:00:00"]
        ),
        // Beyond the listed transitions the footer decides.
        (
            "0 30 2 * * ?", "Europe/Madrid", "2125-03-24 02:00:00",
            ["2125-03-25 03:00:00", "2125-03-26 02:30:00"]
        ),
        // Long before daylight saving: local mean time.
        ("0 0 0 1 1 ?", "Europe/Madrid", "1850-06-01 00:00:00", ["1851-01-01 00:00:00", "1852-01-01 00:00:00"]),
    ])
    func clockChanges(_ expression: String, _ zone: String, _ after: String, _ expected: [String]) throws {
        #expect(try localTimes(expected.count, expression, zone, after: after) == expected)
    }

    /// Goal: a fixed time that comes twice fires at the first occurrence, and not again when asked between the two.
    @Test func repeatedTimeFiresAtFirstOccurrence() throws {
        let schedule = try CronSchedule("0 30 2 * * ?", timeZone: "Europe/Madrid")
        #expect(schedule.next(after: utc("2026-10-24 12:00:00")) == utc("2026-10-25 00:30:00"))
        #expect(schedule.next(after: utc("2026-10-25 00:30:00")) == utc("2026-10-26 01:30:00"))
        #expect(schedule.next(after: utc("2026-10-25 01:10:00")) == utc("2026-10-26 01:30:00"))
    }

    /// Goal: croniter and cronsim agree with us where their rules are ours; schemas/golden/cron.py made the cases.
    @Test func agreesWithCroniterAndCronsim() throws {
        let cases = try JSONValue(json: try repositoryFile("schemas/golden/cron.json")).array ?? []
        #expect(cases.count >= 1000)
        for example in cases {
            let expression = try #require(example[0]?.string)
            let zone = try #require(example[1]?.string)
            let after = try #require(example[2]?.int64)
            let expected = (example[3]?.array ?? []).compactMap(\.int64)
            let schedule = try CronSchedule(expression, timeZone: zone)
            let found = schedule.upcoming(expected.count, after: Timestamp(milliseconds: after * 1000))
            #expect(found.map { $0.milliseconds / 1000 } == expected, "\(expression) \(zone) after \(after)")
        }
    }

    /// Goal: the search costs microseconds. The bound is wide, because this is a debug build on a busy machine.
    @Test func isFast() throws {
        let schedules = try ["0 0 12 * * ?", "0 0/5 * * * ?", "0 0 0 29 2 ?", "0 15 10 LW * ?"].map {
            try CronSchedule($0, timeZone: "America/New_York")
        }
        let start = MonotonicTime.now
        var time = utc("2026-01-01 00:00:00")
        for round in 0..<2000 { time = schedules[round % 4].next(after: time) ?? time }
        let each = (MonotonicTime.now - start).nanoseconds / 2000
        #expect(each < 500_000, "\(each) ns each")
    }
}
