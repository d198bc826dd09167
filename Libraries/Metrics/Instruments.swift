internal import Synchronization

/// A number that only grows: one atomic addition, from any thread.
public final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    init() {}

    /// Adds to the count; a counter that is made to fall is a defect and traps.
    @inline(__always)
    public func increment(by amount: Int = 1) {
        precondition(amount >= 0, "a counter never falls")
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The count so far.
    public var value: Int { count.load(ordering: .relaxed) }
}

/// A number that rises and falls, from any thread.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    init() {}

    /// Sets the number.
    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// Sets the number.
    public func set(_ value: Int) { set(Double(value)) }

    /// Adds to the number; a negative amount takes away.
    public func add(_ amount: Double) { bits.addDouble(amount) }

    /// Adds one.
    public func increment() { add(1) }

    /// Takes one away.
    public func decrement() { add(-1) }

    /// The number now.
    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// How observations spread over fixed buckets, from any thread.
public final class Histogram: Sendable {
    /// Upper bounds in seconds that suit requests: 0.5 ms to 10 s.
    public static let requestSeconds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    /// The upper bounds, ascending; above the last one everything counts as infinite.
    public let bounds: [Double]
    private let counts: AtomicCounts
    private let sumBits = Atomic<UInt64>(0)

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = AtomicCounts(bounds.count + 1)
    }

    /// Counts one observation.
    public func observe(_ value: Double) {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        counts.increment(low)
        sumBits.addDouble(value)
    }

    /// Counts one observation in seconds.
    public func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        observe(Double(seconds) + Double(attoseconds) * 1e-18)
    }

    /// The observations per bucket, not added up; the last one is everything above the bounds.
    public var buckets: [Int] { (0...bounds.count).map { counts[$0] } }

    /// All observed values added up.
    public var sum: Double { Double(bitPattern: sumBits.load(ordering: .relaxed)) }
}

extension Atomic where Value == UInt64 {
    /// Adds to the double whose bits this holds.
    fileprivate borrowing func addDouble(_ amount: Double) {
        var old = load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = compareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}

/// A fixed number of atomics. `@unchecked Sendable`: the pointer never changes and what it points to is atomic.
private final class AtomicCounts: @unchecked Sendable {
    private let base: UnsafeMutablePointer<Atomic<Int>>
    private let count: Int

    init(_ count: Int) {
        self.count = count
        base = .allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: Atomic(0)) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    func increment(_ index: Int) { base[index].wrappingAdd(1, ordering: .relaxed) }

    subscript(index: Int) -> Int { base[index].load(ordering: .relaxed) }
}
