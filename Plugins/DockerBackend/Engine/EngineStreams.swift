internal import Core

/// Cuts a stream of bytes into lines, such as the engine's events and progress, one JSON value each.
struct LineCutter {
    /// A line longer than this is thrown away: nothing we follow has one.
    private static let longest = 1 << 20
    private var partial: [UInt8] = []
    private var isTooLong = false

    /// The lines that are complete with these bytes, without their ends; empty ones are left out.
    mutating func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0a) {
            add(rest[..<end])
            if !isTooLong && !partial.isEmpty { lines.append(partial) }
            partial = []
            isTooLong = false
            rest = rest[(end + 1)...]
        }
        add(rest)
        return lines
    }

    private mutating func add(_ bytes: ArraySlice<UInt8>) {
        guard !isTooLong, partial.count + bytes.count <= LineCutter.longest else {
            isTooLong = true
            partial = []
            return
        }
        partial += bytes
    }
}

/// One line of a container's log.
struct EngineLogLine: Sendable, Hashable {
    /// When the engine read it, in nanoseconds since 1970.
    var time: Int64
    var text: String
}

/// Takes a container's log apart: frames of 8 bytes head (stream, three zeros, length big-endian) and a piece of a line
/// that begins with its time. A long line comes in several frames, of which only the last ends with a line end.
struct LogDemultiplexer {
    private static let longestLine = 65_536
    private static let longestFrame = 16 << 20
    private var buffer: [UInt8] = []
    private var position = 0
    /// The lines that have begun, by stream.
    private var partial: [UInt8: (time: Int64, text: [UInt8])] = [:]
    /// Bytes that cannot be a log were seen: nothing more is read.
    private(set) var isBroken = false

    /// The lines that are complete with these bytes.
    mutating func feed(_ bytes: [UInt8]) -> [EngineLogLine] {
        buffer += bytes
        var lines: [EngineLogLine] = []
        while !isBroken, buffer.count - position >= 8 {
            let head = buffer[position..<(position + 8)]
            let length = head.dropFirst(4).reduce(0) { $0 << 8 | Int($1) }
            guard head.first ?? 3 <= 2, length <= LogDemultiplexer.longestFrame else {
                isBroken = true
                break
            }
            guard buffer.count - position >= 8 + length else { break }
            let frame = buffer[(position + 8)..<(position + 8 + length)]
            if let line = take(frame, stream: head.first ?? 1) { lines.append(line) }
            position += 8 + length
        }
        buffer.removeFirst(position)
        position = 0
        return lines
    }

    /// A last line that has no end, once the container has ended.
    mutating func finish() -> [EngineLogLine] {
        let rest = partial.values.map { LogDemultiplexer.line($0.time, $0.text) }
        partial = [:]
        return rest.sorted { $0.time < $1.time }
    }

    private mutating func take(_ frame: ArraySlice<UInt8>, stream: UInt8) -> EngineLogLine? {
        guard let blank = frame.firstIndex(of: 0x20),
            let time = EngineTime.nanoseconds(String(decoding: frame[..<blank], as: UTF8.self))
        else { return nil }
        var text = frame[(blank + 1)...]
        let ends = text.last == 0x0a
        if ends { text = text.dropLast() }
        var line = partial.removeValue(forKey: stream) ?? (time, [])
        line.text += text.prefix(LogDemultiplexer.longestLine - line.text.count)
        guard ends else {
            partial[stream] = line
            return nil
        }
        return LogDemultiplexer.line(line.time, line.text)
    }

    private static func line(_ time: Int64, _ text: [UInt8]) -> EngineLogLine {
        let text = text.last == 0x0d ? text.dropLast() : text[...]
        return EngineLogLine(time: time, text: String(decoding: text, as: UTF8.self))
    }
}

/// The engine's times: RFC 3339 with up to nine digits of a second's fraction, in UTC.
enum EngineTime {
    /// Nanoseconds since 1970, or nil when it is no such time.
    static func nanoseconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z"), bytes[10] == UInt8(ascii: "T") else { return nil }
        func number(_ range: Range<Int>) -> Int64? { Int64(String(decoding: bytes[range], as: UTF8.self)) }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month),
            (1970...2200).contains(year)
        else { return nil }
        var fraction: Int64 = 0
        if bytes[19] == UInt8(ascii: ".") {
            let digits = bytes[20..<(bytes.count - 1)]
            guard (1...9).contains(digits.count), let value = Int64(String(decoding: digits, as: UTF8.self)) else {
                return nil
            }
            fraction = (digits.count..<9).reduce(value) { value, _ in value * 10 }
        }
        // Days by the civil calendar, with years that begin in March.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let ofEra = shifted - era * 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
        return ((days * 24 + hour) * 60 + minute) * 60_000_000_000 + second * 1_000_000_000 + fraction
    }

    /// Seconds and nine digits, as the engine's `since` takes it.
    static func since(_ nanoseconds: Int64) -> String {
        let fraction = String(nanoseconds % 1_000_000_000)
        return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.count) + fraction
    }
}
