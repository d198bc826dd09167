public import Core

/// A cron expression in a time zone: at which instants it fires.
///
/// ## When clocks change
///
/// An expression names local times. Where the zone's offset changes, some local times never come and some come twice.
///
/// - **Skipped** (in spring: 02:30 when clocks go from 02:00 to 03:00). All the skipped local times that the expression
///   names fire together, once, at the first instant after the gap: 03:00. `0 30 2 * * ?` so keeps its daily run, and
///   `0 */15 2 * * ?` fires once that day instead of four times. An expression that fires in *every* hour of the day
///   (`0 5 * * * ?`) loses nothing by the gap and simply goes on: 01:05, then 03:05.
/// - **Repeated** (in autumn: 02:30 comes twice when clocks go from 03:00 back to 02:00). If minutes and hours are
///   written as plain numbers, lists or ranges, the expression means times of the day and each fires once, at its
///   *first* occurrence. If one of the two is written with `*` or `/`, the expression means an interval and fires
///   through both passes: `0 0/30 * * * ?` stays half-hourly in real time.
///
/// The same in one sentence: a time of the day fires when the local clock first reaches or passes it. That also covers
/// what is rarer than summer time, such as a zone that skips a whole day (Pacific/Apia, 2011-12-30).
///
/// Quartz itself agrees on the repeated hour of fixed times and on every-hour schedules; for a skipped 02:30 it fires
/// at 03:30, where we fire at 03:00.
public struct CronSchedule: Sendable, Hashable {
    /// What fires.
    public let expression: CronExpression
    /// Whose local time it is.
    public let timeZone: TimeZoneRules

    /// Makes a schedule.
    public init(_ expression: CronExpression, timeZone: TimeZoneRules) {
        self.expression = expression
        self.timeZone = timeZone
    }

    /// Makes a schedule from what a user wrote.
    ///
    /// - Throws: `INVALID_CRON_EXPRESSION` or `INVALID_TIME_ZONE`.
    public init(_ expression: String, timeZone name: String) throws(HarbourError) {
        self.init(try CronExpression(expression), timeZone: try TimeZoneRules(named: name))
    }

    /// Times outside the years 1 to 9999 have no next one: no clock of ours shows them.
    private static let bounds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// The first instant after `time` at which the schedule fires, on a whole second; nil when it never does again.
    public func next(after time: Timestamp) -> Timestamp? {
        let start = floorDivide(time.milliseconds, 1000) + 1
        guard CronSchedule.bounds.contains(start) else { return nil }
        guard let instant = nextInstant(from: start), CronSchedule.bounds.contains(instant) else { return nil }
        return Timestamp(milliseconds: instant * 1000)
    }

    /// The next `count` instants after `time`; fewer when the schedule ends.
    public func upcoming(_ count: Int, after time: Timestamp) -> [Timestamp] {
        var times: [Timestamp] = []
        var last = time
        while times.count < count, let next = next(after: last) {
            times.append(next)
            last = next
        }
        return times
    }

    /// Walks over the stretches of constant offset. Within one, local and real time run alike; between two, the local
    /// clock jumps, and only a jump over a named time needs a decision.
    private func nextInstant(from start: Int64) -> Int64? {
        var instant = start
        while true {
            let segment = timeZone.segment(at: instant)
            let offset = Int64(segment.offset)
            var local = instant + offset
            // Local times below the mark came before; only an interval fires at them again.
            let mark = highestLocalTime(before: segment)
            if !expression.isInterval { local = max(local, mark) }
            guard var named = expression.nextLocalTime(from: local) else { return nil }
            if named < segment.localEnd { return named - offset }

            let after = timeZone.segment(at: segment.end)
            let gapStart = max(segment.localEnd, mark)
            if after.localStart > gapStart, !(expression.isInterval && expression.firesEveryHour) {
                if named < gapStart {
                    guard let later = expression.nextLocalTime(from: gapStart) else { return nil }
                    named = later
                }
                if named < after.localStart { return segment.end }
            }
            // Nothing is named before `named`, so all stretches up to two days before it can be passed over.
            instant = max(segment.end, named - offset - 2 * 86_400)
        }
    }

    /// The local time up to which clocks had gone before this segment began: the end of the gap search above and the
    /// line between first and second occurrences.
    private func highestLocalTime(before segment: ClockSegment) -> Int64 {
        var highest = Int64.min
        var start = segment.start
        // Offsets differ by less than 52 hours, so what ended three days before cannot reach into this segment.
        while start != .min, start > segment.start - 3 * 86_400 {
            let earlier = timeZone.segment(at: start - 1)
            highest = max(highest, earlier.localEnd)
            start = earlier.start
        }
        return highest
    }
}
