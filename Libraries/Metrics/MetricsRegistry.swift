internal import Synchronization

/// One metric with a fixed set of label names: an instrument for each combination of values.
///
/// Hot paths look their instrument up once and keep it.
public final class MetricFamily<Instrument: AnyObject & Sendable>: Sendable {
    /// How many combinations one family keeps. Outside values beyond it count together under `other`.
    public static var seriesLimit: Int { 1000 }

    /// The label names, in the order of the values.
    public let labels: [String]
    private let make: @Sendable () -> Instrument
    private let series = Mutex<[[String]: Instrument]>([:])

    init(labels: [String], make: @escaping @Sendable () -> Instrument) {
        self.labels = labels
        self.make = make
    }

    /// The instrument for these label values, as many as there are names.
    public func with(_ values: String...) -> Instrument { with(values) }

    /// The instrument for these label values, as many as there are names.
    public func with(_ values: [String]) -> Instrument {
        precondition(values.count == labels.count, "a value for each of \(labels)")
        return series.withLock { series in
            if let known = series[values] { return known }
            let key = series.count < Self.seriesLimit ? values : values.map { _ in "other" }
            if let known = series[key] { return known }
            let made = make()
            series[key] = made
            return made
        }
    }

    /// Forgets a combination whose thing is gone, such as a cluster.
    public func remove(_ values: String...) { series.withLock { $0[values] = nil } }

    var all: [(values: [String], instrument: Instrument)] {
        series.withLock { series in
            series.map { ($0.key, $0.value) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
        }
    }
}

/// One sample of a metric that is computed when somebody asks.
public struct MetricSample: Sendable {
    /// The values of the labels, in the order of the names.
    public var labels: [String]
    /// The number.
    public var value: Double

    /// Makes a sample.
    public init(labels: [String] = [], value: Double) {
        self.labels = labels
        self.value = value
    }
}

/// The metrics of a process, in the order they were registered.
///
/// Registering a name again gives the same metric when kind and labels agree; otherwise it is a defect and traps.
public final class MetricsRegistry: Sendable {
    enum Kind: String {
        case counter
        case gauge
        case histogram
    }
    enum Source: Sendable {
        case counters(MetricFamily<Counter>)
        case gauges(MetricFamily<Gauge>)
        case histograms(MetricFamily<Histogram>)
        case computed(@Sendable () -> [MetricSample])
    }
    struct Entry: Sendable {
        let name: String
        let help: String
        let labels: [String]
        let kind: Kind
        let source: Source
    }

    private let entries = Mutex<[Entry]>([])

    /// Makes an empty registry.
    public init() {}

    var all: [Entry] { entries.withLock { $0 } }

    // MARK: Counters

    /// A counter with labels; its name ends in `_total`.
    public func counter(_ name: String, help: String, labels: [String]) -> MetricFamily<Counter> {
        precondition(name.hasSuffix("_total"), "a counter's name ends in _total: \(name)")
        let entry = register(name, help, labels, .counter) { .counters(MetricFamily(labels: labels) { Counter() }) }
        guard case .counters(let family) = entry.source else { preconditionFailure("\(name) is computed") }
        return family
    }

    /// A counter without labels; its name ends in `_total`.
    public func counter(_ name: String, help: String) -> Counter { counter(name, help: help, labels: []).with([]) }

    // MARK: Gauges

    /// A gauge with labels.
    public func gauge(_ name: String, help: String, labels: [String]) -> MetricFamily<Gauge> {
        let entry = register(name, help, labels, .gauge) { .gauges(MetricFamily(labels: labels) { Gauge() }) }
        guard case .gauges(let family) = entry.source else { preconditionFailure("\(name) is computed") }
        return family
    }

    /// A gauge without labels.
    public func gauge(_ name: String, help: String) -> Gauge { gauge(name, help: help, labels: []).with([]) }

    // MARK: Histograms

    /// A histogram with labels; `bounds` ascend.
    public func histogram(
        _ name: String, help: String, labels: [String], bounds: [Double] = Histogram.requestSeconds
    ) -> MetricFamily<Histogram> {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds ascend: \(name)")
        let entry = register(name, help, labels, .histogram) {
            .histograms(MetricFamily(labels: labels) { Histogram(bounds: bounds) })
        }
        guard case .histograms(let family) = entry.source else { preconditionFailure("\(name) is computed") }
        return family
    }

    /// A histogram without labels; `bounds` ascend.
    public func histogram(
        _ name: String, help: String, bounds: [Double] = Histogram.requestSeconds
    ) -> Histogram { histogram(name, help: help, labels: [], bounds: bounds).with([]) }

    // MARK: Computed when asked

    /// A gauge whose samples are computed for each exposition, on the thread that asks.
    public func computedGauge(
        _ name: String, help: String, labels: [String] = [], _ samples: @escaping @Sendable () -> [MetricSample]
    ) { _ = register(name, help, labels, .gauge) { .computed(samples) } }

    /// A counter whose samples are computed for each exposition, on the thread that asks; its name ends in `_total`.
    public func computedCounter(
        _ name: String, help: String, labels: [String] = [], _ samples: @escaping @Sendable () -> [MetricSample]
    ) {
        precondition(name.hasSuffix("_total"), "a counter's name ends in _total: \(name)")
        _ = register(name, help, labels, .counter) { .computed(samples) }
    }

    private func register(
        _ name: String, _ help: String, _ labels: [String], _ kind: Kind, _ source: () -> Source
    ) -> Entry {
        precondition(Self.isName(name, colons: true), "not a metric name: \(name)")
        precondition(labels.allSatisfy { Self.isName($0, colons: false) && $0 != "le" }, "not label names: \(labels)")
        return entries.withLock { entries in
            if let known = entries.first(where: { $0.name == name }) {
                precondition(known.kind == kind && known.labels == labels, "\(name) is registered as something else")
                return known
            }
            let entry = Entry(name: name, help: help, labels: labels, kind: kind, source: source())
            entries.append(entry)
            return entry
        }
    }

    private static func isName(_ name: String, colons: Bool) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            case UInt8(ascii: ":"): colons
            default: false
            }
        }
    }
}
