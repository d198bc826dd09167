import Core
import CronSchedule
import Glibc
import TestSupport
import Testing

/// Goal: schedules fire when an independent implementation lets them fire, in every zone of the system's database.
/// Method: random expressions of five fields, starts over thirty years, croniter from PyPI. What the clocks do to
/// schedules is written down differently by everybody, so times within two days of a change are left to the property
/// test, which has our own rules.
@Suite(.enabled(if: PeerPython.has("croniter"), "croniter is not installed: see Tests/README.md"))
struct CroniterTests {
    private struct Case {
        var zone: String
        var expression: String
        var start: Int64
    }
    private static let count = 6
    private static let margin: Int64 = 2 * 86_400

    private static func field(_ range: ClosedRange<Int>, _ random: inout SeededGenerator) -> String {
        let low = Int.random(in: range, using: &random)
        let high = Int.random(in: low...range.upperBound, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return "\(low)"
        case 1: return low == high ? "\(low)" : "\(low)-\(high)"
        case 2: return low == high ? "\(low)" : "\(low),\(high)"
        case 3: return "*/\(Int.random(in: 2...max(2, range.count / 3), using: &random))"
        default: return "*"
        }
    }

    /// With days of the month and of the week, either makes a day count; programs disagree about stars among them.
    private static func days(_ random: inout SeededGenerator) -> (String, String) {
        let plain: [(String, String)] = [("*", "*"), (field(1...28, &random), "*"), ("*", field(0...6, &random))]
        let low = Int.random(in: 1...14, using: &random)
        let both = ("\(low),\(low + 14)", "\(Int.random(in: 0...6, using: &random))")
        return (plain + [both]).randomElement(using: &random) ?? both
    }

    private static func cases(_ random: inout SeededGenerator) -> [Case] {
        TimeZoneDatabase.system.names().flatMap { zone in
            (0..<3).map { _ in
                let (month, week) = days(&random)
                let months = Bool.random(using: &random) ? "*" : field(1...12, &random)
                let parts = [field(0...59, &random), field(0...23, &random), month, months, week]
                return Case(
                    zone: zone, expression: parts.joined(separator: " "),
                    start: Int64.random(in: 946_684_800...1_893_456_000, using: &random))
            }
        }
    }

    private static func peer(_ cases: [Case]) throws -> [[Int64]?] {
        let folder = try TemporaryDirectory()
        let path = folder.file("cases")
        let file = try #require(fopen(path, "w"))
        for one in cases {
            let line: JSONValue = [
                .string(one.zone), .string(one.expression), .integer(one.start), .integer(count),
            ]
            fputs(line.jsonText() + "\n", file)
        }
        fclose(file)
        let output = try runCommand([PeerPython.executable, PeerPython.script("croniter_peer.py"), path])
        return try output.split(separator: "\n").map { line in
            try JSONValue(json: Array(line.utf8)).array?.compactMap(\.int64)
        }
    }

    @Test func schedulesFireWhenCroniterLetsThemFire() throws {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        let cases = Self.cases(&random)
        let answers = try Self.peer(cases)
        try #require(answers.count == cases.count)
        var compared = 0
        for (one, answer) in zip(cases, answers) {
            guard let theirs = answer, let last = theirs.last else { continue }
            let schedule = try CronSchedule(one.expression, timeZone: one.zone)
            let zone = schedule.timeZone
            func offset(_ time: Int64) -> Int { zone.offset(at: Timestamp(milliseconds: time * 1000)) }
            func isCalm(_ time: Int64) -> Bool {
                stride(from: -Self.margin, through: Self.margin, by: 21_600).allSatisfy {
                    offset(time + $0) == offset(time)
                }
            }
            guard isCalm(one.start) else { continue }
            var ours: [Int64] = []
            var from = Timestamp(milliseconds: one.start * 1000)
            while let next = schedule.next(after: from), next.milliseconds / 1000 <= last {
                ours.append(next.milliseconds / 1000)
                from = next
            }
            let (mine, other) = (ours.filter(isCalm), theirs.filter(isCalm))
            compared += other.count
            #expect(mine == other, "seed \(seed): \(one.expression) in \(one.zone) after \(one.start)")
        }
        // Most of the cases are far from any change.
        #expect(compared > cases.count * 3, "compared \(compared) times of \(cases.count) cases")
    }
}
