import Core
import Glibc
import TestSupport
import Testing

@testable import CronSchedule

@Suite("Time zones are read from the system's database")
struct TimeZoneTests {
    @Test(arguments: [
        ("europe/madrid", "Europe/Madrid"), ("Madrid", "Europe/Madrid"), ("Europe/Berln", "Europe/Berlin"),
        ("New York", "America/New_York"), ("Asia/Calcuta", "Asia/Calcutta"), ("utc", "UTC"),
    ])
    func unknownZonesGetNearestNames(_ name: String, _ nearest: String) {
        let error = harbourError { _ = try TimeZoneRules(named: name) }
        #expect(error?.code == .invalidTimeZone)
        #expect(error?.message.contains(nearest) == true, "\(error?.message ?? "")")
    }

    /// Goal: no name leads out of the directory, and none that is no zone is opened.
    @Test(arguments: [
        "", "/etc/passwd", "../../../etc/passwd", "Europe/../../../etc/passwd", "Europe//Madrid", "Europe/", "Europe",
        "right/UTC", "posix/UTC", "localtime", "posixrules", "zone.tab", "tzdata.zi", "Europe/Madrid\u{0}", "a/b/c/d/e",
        "Europe\\Madrid", "Europe/Madrid ", String(repeating: "a", count: 5000), "..", ".", "é",
    ])
    func refusesNames(_ name: String) {
        let error = harbourError { _ = try TimeZoneRules(named: name) }
        #expect(error?.code == .invalidTimeZone)
        #expect((error?.message.utf8.count ?? 0) < 300)
    }

    @Test func utcNeedsNoDatabase() throws {
        let database = TimeZoneDatabase(directory: "/nonexistent")
        #expect(try database.rules(named: "UTC") == .utc)
        let error = harbourError { _ = try database.rules(named: "Europe/Madrid") }
        #expect(error?.code == .invalidTimeZone)
        #expect(error?.message.contains("tzdata") == true)
    }

    /// Goal: the forms of RFC 9636 section 3.3.1 and of POSIX are read, with the offsets they mean.
    @Test(arguments: [
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29 00:59:59", 3600, "2026-03-29 01:00:00", 7200),
        ("EST5EDT,M3.2.0,M11.1.0", "2026-11-01 05:59:59", -14_400, "2026-11-01 06:00:00", -18_000),
        ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29 00:59:59", -10_800, "2026-03-29 01:00:00", -7200),
        ("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26 23:59:59", 7200, "2026-03-27 00:00:00", 10_800),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-04-04 14:59:59", 39_600, "2026-04-04 15:00:00", 37_800),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-03-29 00:59:59", 0, "2026-03-29 01:00:00", 3600),
        ("AAA3BBB,J60/0,J300/0", "2028-03-01 02:59:59", -10_800, "2028-03-01 03:00:00", -7200),
        ("AAA3BBB,59/0,300/0", "2028-02-29 02:59:59", -10_800, "2028-02-29 03:00:00", -7200),
        ("XXX3EDT4,0/0,J365/23", "2026-12-31 23:59:59", -14_400, "2027-06-30 00:00:00", -14_400),
        ("EST5EDT", "2026-03-08 06:59:59", -18_000, "2026-03-08 07:00:00", -14_400),
        ("<+0545>-5:45", "1970-01-01 00:00:00", 20_700, "2126-07-01 00:00:00", 20_700),
    ])
    func footers(_ text: String, _ before: String, _ first: Int, _ after: String, _ second: Int) throws {
        let zone = try #require(POSIXTimeZone(Array(text.utf8)))
        #expect(zone.segment(at: utc(before).milliseconds / 1000).offset == first)
        #expect(zone.segment(at: utc(after).milliseconds / 1000).offset == second)
    }

    @Test(arguments: [
        "", "EST", "5", "ES5", "EST5EDT,", "EST5EDT,M13.1.0,M11.1.0", "EST5EDT,M3.2.0", "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J0,J365", "EST5EDT,J366,J1", "<EST5", "EST25", "EST5:60",
        "EST5EDT,M3.2.0/168,M11.1.0", "EST5EDT,M3.2.0,M11.1.0x", "EST99999999999999999999",
    ])
    func refusesFooters(_ text: String) { #expect(POSIXTimeZone(Array(text.utf8)) == nil) }

    /// Goal: a damaged file never traps and never gives rules that do.
    @Test func survivesDamagedFiles() throws {
        let names = ["Europe/Madrid", "Africa/Casablanca", "Pacific/Apia", "UTC", "America/New_York"]
        let files = try names.map { try readFile("\(TimeZoneDatabase.system.directory)/\($0)") }
        for file in files {
            for length in stride(from: 0, to: file.count, by: 7) {
                #expect(throws: TZifFile.Damage.self) { try TZifFile.parse(Array(file[..<length]), name: "cut") }
            }
        }
        let expression = try CronExpression("0 30 2 * * ?")
        let tokens = ["TZif2", "\nCET-1CEST,M3.5.0,M10.5.0/3\n", "\nXXX3EDT4,0/0,J365/23\n"]
        try fuzz("zones", corpus: files, tokens: tokens.map { Array($0.utf8) }, iterations: 3000) { input in
            guard let zone = try? TZifFile.parse(input.bytes, name: "fuzz") else { return }
            var random = input.choices
            let start = Timestamp(milliseconds: Int64.random(in: -1 << 42...1 << 42, using: &random))
            let next = CronSchedule(expression, timeZone: zone).next(after: start)
            guard next ?? .init(milliseconds: .max) > start else {
                throw HarbourError(.internalError, "the time after \(start.milliseconds) is not after it")
            }
        }
    }

    /// Goal: version 1 files are read too: the same bytes, cut after the first block.
    @Test func readsVersionOne() throws {
        var bytes: [UInt8] = Array("TZif".utf8) + Array(repeating: 0, count: 16)
        for count: UInt8 in [0, 0, 0, 1, 2, 8] { bytes += [0, 0, 0, count] }
        bytes += [0x40, 0, 0, 0, 1]
        bytes += [0, 0, 0x0e, 0x10, 0, 0, 0, 0, 0x1c, 0x20, 1, 4] + Array("CET\0CES\0".utf8)
        let zone = try TZifFile.parse(bytes, name: "Test")
        #expect(zone.offset(at: Timestamp(milliseconds: 0x3fff_ffff * 1000)) == 3600)
        #expect(zone.offset(at: Timestamp(milliseconds: 0x4000_0000 * 1000)) == 7200)
    }

    /// Goal: Python's zoneinfo, which reads the same database, sees the same offset at random instants of every zone.
    @Test func agreesWithPython() throws {
        let seed = testSeed()
        let script = """
            import datetime, random, zoneinfo, sys
            source = random.Random(\(seed))
            utc = datetime.timezone.utc
            for name in sorted(zoneinfo.available_timezones()):
                try: zone = zoneinfo.ZoneInfo(name)
                except Exception: continue
                for span in (1 << 31, 1 << 31, 1 << 32, 6 << 30):
                    for _ in range(15):
                        instant = source.randint(-span // 2, span)
                        time = datetime.datetime.fromtimestamp(instant, utc).astimezone(zone)
                        print(name, instant, int(time.utcoffset().total_seconds()))
            """
        let directory = TimeZoneDatabase.system.directory
        let command = "PYTHONTZPATH=\(directory) python3 -c '\(script.split(separator: "'").joined(separator: "\""))'"
        let pipe = try #require(popen(command, "r"))
        let lines = String(decoding: readAll(pipe), as: UTF8.self).split(separator: "\n")
        let status = pclose(pipe)
        try #require(status == 0, "python3 with zoneinfo is needed (Debian: python3)")
        let known = Set(TimeZoneDatabase.system.names())
        var compared = 0
        for line in lines {
            let parts = line.split(separator: " ")
            // Names of Python's own tzdata package need not be in the system's database.
            guard parts.count == 3, known.contains(String(parts[0])), let instant = Int64(parts[1]) else { continue }
            let zone = try TimeZoneRules(named: String(parts[0]))
            #expect(zone.offset(at: Timestamp(milliseconds: instant * 1000)) == Int(parts[2]), "seed \(seed): \(line)")
            compared += 1
        }
        #expect(compared > 20_000)
    }
}
