import Core
import CronSchedule
import TestSupport
import Testing

@Suite("Cron expressions are read or refused with a reason")
struct CronExpressionTests {
    /// Goal: every construct of both dialects is read.
    @Test(arguments: [
        "0 0 12 * * ?", "0 15 10 ? * *", "0 0/5 14,18 * * ?", "0 0-5 14 * * ? 2026-2028", "0 15 10 L * ?",
        "0 15 10 LW * ?", "0 15 10 L-2 * ?", "0 15 10 L-3W * ?", "0 15 10 15W * ?", "0 15 10 ? * 6L", "0 15 10 ? * 6#3",
        "0 15 10 ? * FRI#2", "0 15 10 ? * friL", "0 15 10 ? * FRI-MON", "0 0 22-2 * * ?", "0/30 * * * * ?",
        "*/10 /5 * ? JAN-MAR,dec MON,WED 2026/2", "0 0 12 1,15,L * ?", "  0 0\t12 * * ?  ", "* * * * *",
        "5,10-20/2 */3 1-7 1-12/2 mon-fri", "0 0 * * 7", "0 0 13 * FRI", "5/15 * * * ?", "@daily", "@Hourly",
        "@weekly", "@monthly", "@yearly", "@annually", "@midnight", "0 0 ? * 5L", "0 0 LW * *",
    ])
    func accepts(_ text: String) throws {
        let expression = try CronExpression(text)
        #expect(expression.next(in: "UTC") != nil)
    }

    /// Goal: what is wrong is refused by code, and the sentence names the field and what may stand there.
    @Test(arguments: [
        ("0 0 25 * * ?", "hours field", "0 to 23"), ("60 0 0 * * ?", "seconds field", "0 to 59"),
        ("0 61 0 * * ?", "minutes field", "0 to 59"), ("0 0 0 32 * ?", "day-of-month field", "1 to 31"),
        ("0 0 0 0 * ?", "day-of-month field", "1 to 31"), ("0 0 0 1 13 ?", "month field", "1 to 12"),
        ("0 0 0 ? * 8", "day-of-week field", "1 (Sunday)"), ("0 0 0 ? * 0", "day-of-week field", "1 (Sunday)"),
        ("0 0 * * 8", "day-of-week field", "0 (Sunday)"),
        ("0 0 0 ? * MON#6", "day-of-week field", "first to the fifth"),
        ("0 0 0 ? * MONDAY", "day-of-week field", "SUN to SAT"), ("0 0 0 * * ? 1969", "year field", "1970 to 2099"),
        ("0 0 0 * * ? 2030-2026", "year field", "ends before"), ("0 0/0 0 * * ?", "minutes field", "step must be 1"),
        ("0 0/60 0 * * ?", "minutes field", "step must be 1"), ("0 1,,2 0 * * ?", "minutes field", "empty place"),
        ("0 1, 0 * * ?", "minutes field", "empty place"), ("0 -5 0 * * ?", "minutes field", "which is not allowed"),
        ("0 5- 0 * * ?", "minutes field", "which is not allowed"), ("0 5/ 0 * * ?", "minutes field", "not allowed"),
        ("0 ? 0 * * ?", "minutes field", "not allowed"), ("22-2 0 * * *", "minutes field", "two ranges"),
        ("0 0 0 L-31 * ?", "day-of-month field", "at most 30"), ("0 0 0 32W * ?", "day-of-month field", "1 to 31"),
        ("0 0 0 W * ?", "day-of-month field", "1 to 31"), ("0 0 0 LX * ?", "day-of-month field", "1 to 31"),
        ("0 0 0 ? * ?", "? in both", "Write ? in one"),
        ("0 0 0 1 * MON", "both day-of-month and day-of-week", "Write ?"),
        ("0 0 0 * * *", "both day-of-month and day-of-week", "Write ?"), ("0 0 0 * *x ?", "month field", "\"*x\""),
        ("", "0 fields", "six or seven"), ("* * * *", "4 fields", "five"), ("1 2 3 4 5 6 7 8", "8 fields", "six"),
        ("@reboot", "nickname", "@hourly"), ("0 0 1\u{7}2 * * ?", "hours field", "1?2"),
        ("0 0 ١ * * ?", "hours", "0 to"),
        ("0 0 99999999999999999999 * * ?", "hours field", "0 to 23"),
    ])
    func refuses(_ text: String, _ place: String, _ advice: String) {
        let error = harbourError { _ = try CronExpression(text) }
        #expect(error?.code == .invalidCronExpression)
        #expect(error?.message.contains(place) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains(advice) == true, "\(error?.message ?? "")")
    }

    @Test func refusesLongTexts() {
        let error = harbourError { _ = try CronExpression(String(repeating: "0,", count: 200) + "0 0 0 * * ?") }
        #expect(error?.code == .invalidCronExpression)
        #expect(error?.message.contains("at most 256") == true)
        #expect((error?.message.utf8.count ?? 0) < 300)
    }

    @Test func keepsTheTextAndTellsTheDialect() throws {
        #expect(try CronExpression(" 0 0 12 * * ?\n").text == "0 0 12 * * ?")
        #expect(try CronExpression("0 0 12 * * ?").dialect == .quartz)
        #expect(try CronExpression("@daily").dialect == .classic)
        #expect(try CronExpression("0 12 * * *").dialect == .classic)
    }

    /// Goal: no text traps, what is refused is refused by code and in a bounded message, and what is read has next times
    /// that ascend.
    @Test func survivesDamagedTexts() throws {
        let good = [
            "0 0 12 * * ?", "0 15 10 ? * 6#3 2026-2028", "5,10-20/2 */3 1-7 1-12/2 MON-FRI", "0 0 0 L-3W * ?", "@daily",
            "0 0 22-2 LW,15W JAN-mar ?", "59 59 23 ? 2 6L 2027/3",
        ]
        let tokens = [
            "*", "?", "/", "-", ",", "L", "W", "#", "LW", "FRI", "DEC", " ", "0", "31", "2099", "@", "\t", "é",
        ]
        try fuzz(
            "expressions", corpus: good.map { Array($0.utf8) }, tokens: tokens.map { Array($0.utf8) }, iterations: 8000,
            maximumLength: 300
        ) { input in
            var random = input.choices
            let expression: CronExpression
            do {
                expression = try CronExpression(String(decoding: input.bytes, as: UTF8.self))
            } catch let error as HarbourError {
                guard error.code == .invalidCronExpression, error.message.utf8.count < 900 else { throw error }
                return
            }
            let schedule = CronSchedule(expression, timeZone: .utc)
            let start = Timestamp(milliseconds: Int64.random(in: -1 << 41...1 << 42, using: &random))
            let times = schedule.upcoming(3, after: start)
            guard zip([start] + times, times).allSatisfy({ $0 < $1 }) else {
                throw HarbourError(.internalError, "the times after \(start.milliseconds) do not ascend")
            }
        }
    }
}

extension CronExpression {
    fileprivate func next(in zone: String) -> Timestamp? {
        CronSchedule(self, timeZone: .utc).next(after: utc("2026-01-01 00:00:00"))
    }
}
