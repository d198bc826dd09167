import Glibc

/// A point in civil time: milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored as POSIX does.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Milliseconds since the epoch, the unit of every time on our wire.
    public var milliseconds: Int64

    /// Makes a timestamp from milliseconds since the epoch.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// The system's clock, now.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Earlier is less.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// The point that much later; fractions of a millisecond are dropped.
    public static func + (left: Timestamp, right: Duration) -> Timestamp {
        Timestamp(milliseconds: left.milliseconds + right.milliseconds)
    }

    /// The time between two points.
    public static func - (left: Timestamp, right: Timestamp) -> Duration {
        .milliseconds(left.milliseconds - right.milliseconds)
    }
}

/// A point on the clock that never jumps (CLOCK_MONOTONIC), for deadlines and durations within one machine.
public struct MonotonicTime: Sendable, Hashable, Comparable {
    /// Nanoseconds since an arbitrary start, usually the boot.
    public var nanoseconds: Int64

    /// Makes a point from nanoseconds.
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The clock, now.
    public static var now: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Earlier is less.
    public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The point that much later.
    public static func + (left: MonotonicTime, right: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: left.nanoseconds &+ right.nanoseconds)
    }

    /// The time between two points.
    public static func - (left: MonotonicTime, right: MonotonicTime) -> Duration {
        .nanoseconds(left.nanoseconds - right.nanoseconds)
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero and held within Int64.
    public var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        if overflow { return seconds < 0 ? .min : .max }
        return product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000).partialValue
    }

    /// Whole nanoseconds, rounded towards zero and held within Int64 (about 292 years).
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    }
}

/// Where a component reads civil time, so that tests and simulations can own it.
public protocol TimeSource: Sendable {
    /// The present, as this source sees it.
    var now: Timestamp { get }
}

/// The system's own clock.
public struct SystemTime: TimeSource {
    /// Makes the system's clock.
    public init() {}
    /// The system's clock, now.
    public var now: Timestamp { .now }
}
