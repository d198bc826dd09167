import Core

/// Reads the bytes of a TZif file (RFC 9636, which replaced RFC 8536): version 1, and the 64-bit data of later ones.
enum TZifFile {
    /// Why a file could not be used; it becomes the private detail of an error.
    struct Damage: Error {
        let reason: String
        let offset: Int
    }

    /// What bounds a file: the largest of the database has under 4 KiB and 250 transitions.
    static let maximumBytes = 1 << 20
    private static let maximumTransitions = 20_000

    /// The rules in the bytes of a file.
    static func parse(_ bytes: [UInt8], name: String) throws(Damage) -> TimeZoneRules {
        var reader = Reader(bytes: bytes)
        let first = try Header(&reader)
        if first.version == 0 { return try body(&reader, first, timeSize: 4, name: name, hasFooter: false) }
        try reader.skip(first.bodySize(timeSize: 4))
        let second = try Header(&reader)
        guard second.version != 0 else { throw Damage(reason: "the second header has version 1", offset: 0) }
        return try body(&reader, second, timeSize: 8, name: name, hasFooter: true)
    }

    private static func body(
        _ reader: inout Reader, _ header: Header, timeSize: Int, name: String, hasFooter: Bool
    ) throws(Damage) -> TimeZoneRules {
        guard header.leapCount == 0 else {
            throw Damage(reason: "it counts leap seconds, which POSIX time does not", offset: 0)
        }
        var times: [Int64] = []
        times.reserveCapacity(header.timeCount)
        for _ in 0..<header.timeCount {
            let time = try reader.integer(timeSize)
            if let last = times.last, time <= last { throw reader.damage("transition times do not ascend") }
            times.append(time)
        }
        var indexes: [Int] = []
        for _ in 0..<header.timeCount {
            let index = Int(try reader.byte())
            guard index < header.typeCount else { throw reader.damage("a transition has an unknown type") }
            indexes.append(index)
        }
        var typeOffsets: [Int] = []
        for _ in 0..<header.typeCount {
            let offset = Int(try reader.integer(4))
            guard offset > -90_000, offset < 93_600 else { throw reader.damage("an offset is beyond a day") }
            typeOffsets.append(offset)
            let isDaylight = try reader.byte()
            let abbreviation = Int(try reader.byte())
            guard isDaylight <= 1, abbreviation < header.characterCount else {
                throw reader.damage("a local time type is damaged")
            }
        }
        try reader.skip(header.characterCount + header.standardCount + header.universalCount)
        var footer: POSIXTimeZone?
        if hasFooter {
            let text = try reader.footer()
            footer = POSIXTimeZone(text)
            guard footer != nil || text.isEmpty else { throw reader.damage("the footer is not a POSIX TZ text") }
        }
        return merged(name, times: times, indexes: indexes, typeOffsets: typeOffsets, footer: footer)
    }

    /// Drops transitions that change only the abbreviation: schedules never see them.
    private static func merged(
        _ name: String, times: [Int64], indexes: [Int], typeOffsets: [Int], footer: POSIXTimeZone?
    ) -> TimeZoneRules {
        var keptTimes: [Int64] = []
        var keptOffsets: [Int] = []
        for (position, time) in times.enumerated() {
            let offset = typeOffsets[indexes[position]]
            // The last one stays whatever it changes, because the footer counts from there.
            if offset == keptOffsets.last ?? typeOffsets[0], position < times.count - 1 { continue }
            keptTimes.append(time)
            keptOffsets.append(offset)
        }
        return TimeZoneRules(
            name: name, initialOffset: typeOffsets[0], transitions: keptTimes, offsets: keptOffsets, footer: footer)
    }

    /// The 44 bytes before each data block (section 3.1).
    private struct Header {
        let version: UInt8
        let universalCount: Int
        let standardCount: Int
        let leapCount: Int
        let timeCount: Int
        let typeCount: Int
        let characterCount: Int

        init(_ reader: inout Reader) throws(Damage) {
            for expected in "TZif".utf8 {
                guard try reader.byte() == expected else { throw reader.damage("it does not begin with TZif") }
            }
            version = try reader.byte()
            try reader.skip(15)
            universalCount = try reader.count(limit: 256)
            standardCount = try reader.count(limit: 256)
            leapCount = try reader.count(limit: 4096)
            timeCount = try reader.count(limit: TZifFile.maximumTransitions)
            typeCount = try reader.count(limit: 256)
            characterCount = try reader.count(limit: 65_536)
            guard typeCount > 0, characterCount > 0 else { throw reader.damage("it has no local time type") }
            guard universalCount == 0 || universalCount == typeCount, standardCount == 0 || standardCount == typeCount
            else { throw reader.damage("its counts do not agree") }
        }

        func bodySize(timeSize: Int) -> Int {
            timeCount * (timeSize + 1) + typeCount * 6 + characterCount + leapCount * (timeSize + 4) + standardCount
                + universalCount
        }
    }

    /// Takes big-endian numbers off the bytes and never reads past their end.
    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        func damage(_ reason: String) -> Damage { Damage(reason: reason, offset: position) }

        mutating func skip(_ count: Int) throws(Damage) {
            guard count <= bytes.count - position else { throw damage("it is cut short") }
            position += count
        }

        mutating func byte() throws(Damage) -> UInt8 {
            guard position < bytes.count else { throw damage("it is cut short") }
            position += 1
            return bytes[position - 1]
        }

        /// A signed number of 4 or 8 bytes.
        mutating func integer(_ size: Int) throws(Damage) -> Int64 {
            var value: Int64 = 0
            for index in 0..<size {
                let byte = try byte()
                value = index == 0 ? Int64(Int8(bitPattern: byte)) : value << 8 | Int64(byte)
            }
            return value
        }

        mutating func count(limit: Int) throws(Damage) -> Int {
            let value = try integer(4)
            guard value >= 0, value <= Int64(limit) else { throw damage("a count is over its limit") }
            return Int(value)
        }

        /// The text between the two line feeds that end the file (section 3.3).
        mutating func footer() throws(Damage) -> [UInt8] {
            guard try byte() == UInt8(ascii: "\n") else { throw damage("the footer is missing") }
            let start = position
            while try byte() != UInt8(ascii: "\n") {}
            return Array(bytes[start..<position - 1])
        }
    }
}
