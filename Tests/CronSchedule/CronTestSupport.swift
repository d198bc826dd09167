import Core
import CronSchedule
import Glibc
import Testing

/// A UTC time of the form `2026-11-21 04:05:06` as an instant.
func utc(_ text: String) -> Timestamp {
    let parts = text.split { !($0.isNumber) }.compactMap { Int($0) }
    let days = CivilDate(year: parts[0], month: parts[1], day: parts[2]).daysSinceEpoch
    let time = parts.dropFirst(3) + Array(repeating: 0, count: 6 - parts.count)
    return Timestamp(
        milliseconds: Int64(days * 86_400 + time.reduce(0) { $0 * 60 + $1 }) * 1000)
}

/// An instant as local time of a zone, `2026-11-21 04:05:06`.
func local(_ time: Timestamp, _ zone: TimeZoneRules) -> String {
    let shown = ISO8601.format(time + .seconds(zone.offset(at: time)))
    return shown.dropLast(5).split(separator: "T").joined(separator: " ")
}

/// The next times of an expression in a zone as local times.
func localTimes(_ count: Int, _ expression: String, _ zone: String, after: String) throws -> [String] {
    let schedule = try CronSchedule(expression, timeZone: zone)
    return schedule.upcoming(count, after: utc(after)).map { local($0, schedule.timeZone) }
}

/// The error of a body that must fail with one of ours.
func harbourError(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> HarbourError? {
    do {
        try body()
        Issue.record("no error", sourceLocation: sourceLocation)
    } catch let error as HarbourError {
        return error
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
    return nil
}

/// The seed of a random test: `HARBOUR_TEST_SEED` plays a failure again.
func testSeed() -> UInt64 {
    if let text = getenv("HARBOUR_TEST_SEED"), let seed = UInt64(String(cString: text)) { return seed }
    return UInt64(bitPattern: Timestamp.now.milliseconds)
}

/// The bytes of a file of the repository.
func repositoryFile(_ path: String) throws -> [UInt8] {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return try readFile("/\(root)/\(path)")
}

func readFile(_ path: String) throws -> [UInt8] {
    let file = try #require(fopen(path, "rb"), "\(path) cannot be read")
    defer { fclose(file) }
    return readAll(file)
}

func readAll(_ file: UnsafeMutablePointer<FILE>) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return bytes }
        bytes += chunk[..<count]
    }
}
