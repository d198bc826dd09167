public import Core

/// A stretch of time during which a zone's offset does not change, in seconds since the epoch.
struct ClockSegment: Sendable, Hashable {
    /// The first second; `Int64.min` when it has no beginning.
    var start: Int64
    /// The first second after it; `Int64.max` when it has no end.
    var end: Int64
    /// Seconds east of UTC.
    var offset: Int

    /// What local clocks would show at the end, had the offset not changed; far in the future when there is no end.
    var localEnd: Int64 { end == .max ? .max : end + Int64(offset) }
    /// What local clocks show at the start.
    var localStart: Int64 { start == .min ? .min : start + Int64(offset) }
}

/// The offsets of one time zone, past and future, as its TZif file says (RFC 9636).
public struct TimeZoneRules: Sendable, Hashable {
    /// The name in the time zone database, such as `Europe/Madrid`.
    public let name: String
    let initialOffset: Int
    let transitions: [Int64]
    let offsets: [Int]
    let footer: POSIXTimeZone?

    /// Coordinated Universal Time, which needs no file.
    public static let utc = TimeZoneRules(name: "UTC", initialOffset: 0, transitions: [], offsets: [], footer: nil)

    /// The zone of that name from the system's time zone database.
    ///
    /// - Throws: `INVALID_TIME_ZONE`, with the nearest names that exist.
    public init(named name: String) throws(HarbourError) {
        self = try TimeZoneDatabase.system.rules(named: name)
    }

    init(name: String, initialOffset: Int, transitions: [Int64], offsets: [Int], footer: POSIXTimeZone?) {
        self.name = name
        self.initialOffset = initialOffset
        self.transitions = transitions
        self.offsets = offsets
        self.footer = footer
    }

    /// Seconds to add to UTC to get local time at this instant.
    public func offset(at time: Timestamp) -> Int { segment(at: floorDivide(time.milliseconds, 1000)).offset }

    /// The stretch of constant offset around an instant.
    func segment(at instant: Int64) -> ClockSegment {
        guard let last = transitions.last else {
            return footer?.segment(at: instant) ?? ClockSegment(start: .min, end: .max, offset: initialOffset)
        }
        if instant >= last {
            let known = ClockSegment(start: last, end: .max, offset: offsets[offsets.count - 1])
            guard var segment = footer?.segment(at: instant) else { return known }
            segment.start = max(segment.start, last)
            return segment
        }
        // The number of transitions at or before the instant.
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= instant { low = middle + 1 } else { high = middle }
        }
        let start = low == 0 ? Int64.min : transitions[low - 1]
        return ClockSegment(
            start: start, end: transitions[low], offset: low == 0 ? initialOffset : offsets[low - 1])
    }
}
