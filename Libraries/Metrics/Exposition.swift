/// The two text forms in which metrics are scraped.
public enum MetricsFormat: Sendable {
    /// Prometheus text exposition format 0.0.4.
    case prometheusText
    /// OpenMetrics 1.0.
    case openMetrics

    /// The media type of the form.
    public var contentType: String {
        switch self {
        case .prometheusText: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The form for a request's `Accept` field: OpenMetrics where it is named, else Prometheus text.
    public init(accept: String?) {
        self = accept?.lowercased().contains("application/openmetrics-text") == true ? .openMetrics : .prometheusText
    }
}

extension MetricsRegistry {
    /// All metrics as text, ready to be sent.
    public func exposition(_ format: MetricsFormat) -> [UInt8] {
        var writer = ExpositionWriter(format: format)
        for entry in all { writer.write(entry) }
        return writer.finish()
    }
}

struct ExpositionWriter {
    private let format: MetricsFormat
    private var bytes: [UInt8] = []

    init(format: MetricsFormat) {
        self.format = format
        bytes.reserveCapacity(16_384)
    }

    consuming func finish() -> [UInt8] {
        if format == .openMetrics { put("# EOF\n") }
        return bytes
    }

    mutating func write(_ entry: MetricsRegistry.Entry) {
        // OpenMetrics names the family without the suffix that its samples carry.
        let drops = format == .openMetrics && entry.kind == .counter
        let family = drops ? String(entry.name.dropLast("_total".count)) : entry.name
        put("# HELP \(family) \(escapedHelp(entry.help))\n# TYPE \(family) \(entry.kind.rawValue)\n")
        if format == .openMetrics {
            for unit in ["seconds", "bytes"] where family.hasSuffix("_" + unit) { put("# UNIT \(family) \(unit)\n") }
        }
        switch entry.source {
        case .counters(let counters):
            for (values, counter) in counters.all {
                sample(entry.name, labels(entry.labels, values), "\(counter.value)")
            }
        case .gauges(let gauges):
            for (values, gauge) in gauges.all {
                sample(entry.name, labels(entry.labels, values), Self.number(gauge.value))
            }
        case .histograms(let histograms):
            for (values, histogram) in histograms.all { write(histogram, entry, values) }
        case .computed(let samples):
            for item in samples() {
                sample(entry.name, labels(entry.labels, item.labels), Self.number(item.value))
            }
        }
    }

    private mutating func write(_ histogram: Histogram, _ entry: MetricsRegistry.Entry, _ values: [String]) {
        // Read once and added up here, so that the buckets and the count of one exposition always agree.
        var total = 0
        for (index, count) in histogram.buckets.enumerated() {
            total += count
            let bound = index < histogram.bounds.count ? canonical(histogram.bounds[index]) : "+Inf"
            sample("\(entry.name)_bucket", labels(entry.labels + ["le"], values + [bound]), "\(total)")
        }
        sample("\(entry.name)_sum", labels(entry.labels, values), Self.number(histogram.sum))
        sample("\(entry.name)_count", labels(entry.labels, values), "\(total)")
    }

    private mutating func sample(_ name: String, _ labels: String, _ value: String) {
        put("\(name)\(labels) \(value)\n")
    }

    private func labels(_ names: [String], _ values: [String]) -> String {
        guard !names.isEmpty else { return "" }
        return "{" + zip(names, values).map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",") + "}"
    }

    /// A bucket's bound is compared as text, so both forms write it one way only (OpenMetrics section "Numbers").
    private func canonical(_ bound: Double) -> String {
        format == .openMetrics ? "\(bound)" : Self.number(bound)
    }

    /// Whole numbers without a fraction, infinities and not-a-number as the formats spell them.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value.magnitude < 1e15, value == value.rounded() { return "\(Int64(value))" }
        return "\(value)"
    }

    private func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x5c || $0 == 0x22 || $0 == 0x0a }) else { return value }
        return escape(value, quotes: true)
    }

    /// Prometheus leaves quotes in help texts alone; OpenMetrics escapes them.
    private func escapedHelp(_ help: String) -> String { escape(help, quotes: format == .openMetrics) }

    private func escape(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
