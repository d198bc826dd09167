internal import Core

/// The newest samples of everything, for a real Prometheus (its documentation: "Federation").
struct Federation {
    /// Which series are wanted: any of these.
    private let selectors: [Selector]

    /// - Parameter matches: the values of `match[]`: `up`, `{job="driver"}`, `up{job!="driver"}`; also `=~` and `!~`
    ///   with alternatives of plain texts and `.*` or `.+`. None means everything.
    /// - Throws: `INVALID_PARAMETER_VALUE` naming the selector that is not understood.
    init(matches: [String]) throws(HarbourError) {
        var selectors: [Selector] = []
        for match in matches { selectors.append(try Selector(match)) }
        self.selectors = selectors
    }

    func accepts(_ key: SeriesKey) -> Bool { selectors.isEmpty || selectors.contains { $0.accepts(key) } }

    /// One line in Prometheus' text format, with the time of its scrape.
    static func line(_ key: SeriesKey, _ value: Double, _ time: Timestamp) -> String {
        let labels = key.labelValues.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(escaped($0.value))\"" }
        let number = value.isNaN ? "NaN" : value == .infinity ? "+Inf" : value == -.infinity ? "-Inf" : "\(value)"
        return "\(key.name){\(labels.joined(separator: ","))} \(number) \(time.milliseconds)\n"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

/// One `match[]` of a federation.
private struct Selector {
    private enum Operation: String, CaseIterable {
        case matches = "=~"
        case differsFrom = "!~"
        case isNot = "!="
        case equals = "="
    }
    private var conditions: [(label: String, operation: Operation, value: String)] = []

    init(_ text: String) throws(HarbourError) {
        let wrong = HarbourError(
            .invalidParameter,
            "`match[]` has to be a metric's name, labels in braces, or both, such as up{job=\"driver\"}; \(text) is not."
        )
        let parts = text.split(separator: "{", maxSplits: 1, omittingEmptySubsequences: false)
        if let name = parts.first, !name.isEmpty { conditions.append(("__name__", .equals, String(name))) }
        if parts.count == 2 {
            guard parts[1].hasSuffix("}") else { throw wrong }
            for part in parts[1].dropLast().split(separator: ",") {
                let word = part.drop { $0 == " " }
                guard
                    let operation = Operation.allCases.first(where: { word.contains($0.rawValue) }),
                    let place = word.range(of: operation.rawValue),
                    word[place.upperBound...].count >= 2, word[place.upperBound...].hasPrefix("\""),
                    word.hasSuffix("\"")
                else { throw wrong }
                let value = String(word[place.upperBound...].dropFirst().dropLast())
                conditions.append((String(word[..<place.lowerBound]), operation, value))
            }
        }
        guard !conditions.isEmpty else { throw wrong }
    }

    func accepts(_ key: SeriesKey) -> Bool {
        let labels = key.labelValues
        return conditions.allSatisfy { condition in
            let value = condition.label == "__name__" ? key.name : labels[condition.label] ?? ""
            switch condition.operation {
            case .equals: return value == condition.value
            case .isNot: return value != condition.value
            case .matches: return Selector.fits(value, condition.value)
            case .differsFrom: return !Selector.fits(value, condition.value)
            }
        }
    }

    /// Alternatives of plain texts that may end with `.*` or `.+`.
    private static func fits(_ value: String, _ pattern: String) -> Bool {
        pattern.split(separator: "|", omittingEmptySubsequences: false).contains { alternative in
            if alternative.hasSuffix(".*") { return value.hasPrefix(alternative.dropLast(2)) }
            if alternative.hasSuffix(".+") {
                return value.hasPrefix(alternative.dropLast(2)) && value.count > alternative.count - 2
            }
            return value == alternative
        }
    }
}

extension Substring {
    /// Where a text stands first.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
