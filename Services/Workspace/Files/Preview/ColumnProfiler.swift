internal import Core
internal import HarbourProtocol

/// Looks at the values of one column, one after the other, and tells what they are. What it keeps is bounded.
struct ColumnProfiler {
    /// More different values are not counted.
    private static let distinctLimit = 2000
    /// Longer texts are cut where they are shown.
    private static let shownLength = 200

    private let name: String
    private var count = 0
    private var missing = 0
    /// What all values so far could be, the narrowest first.
    private var possible: [ColumnType] = [.boolean, .integer, .number, .date, .timestamp, .string]
    private var isObject = false
    private var values: [String: Int]? = [:]
    private var least: String?
    private var greatest: String?
    private var leastNumber = Double.infinity
    private var greatestNumber = -Double.infinity
    /// Mean and sum of squared distances from it, which stay exact where the sum of squares would not (Welford).
    private var mean = 0.0
    private var squares = 0.0

    init(name: String) { self.name = name }

    mutating func addMissing() { missing += 1 }

    /// Adds an object or array.
    mutating func addObject() {
        count += 1
        isObject = true
        values = nil
    }

    mutating func add(_ text: String) {
        guard !text.isEmpty else {
            missing += 1
            return
        }
        count += 1
        let number = possible.contains(.number) ? ColumnProfiler.number(text) : nil
        possible.removeAll { !ColumnProfiler.isOne(text, of: $0, number) }
        if let number {
            leastNumber = min(leastNumber, number)
            greatestNumber = max(greatestNumber, number)
            let distance = number - mean
            mean += distance / Double(count)
            squares += distance * (number - mean)
        }
        let shown =
            text.utf8.count <= ColumnProfiler.shownLength ? text : String(text.prefix(ColumnProfiler.shownLength))
        if least.map({ shown < $0 }) ?? true { least = shown }
        if greatest.map({ shown > $0 }) ?? true { greatest = shown }
        if values != nil {
            values?[shown, default: 0] += 1
            if values?.count ?? 0 > ColumnProfiler.distinctLimit { values = nil }
        }
    }

    var profile: ColumnProfile {
        let type: ColumnType = count == 0 ? .empty : isObject ? .object : possible.first ?? .string
        var profile = ColumnProfile(name: name, type: type, count: Int64(count), missing: Int64(missing))
        profile.distinct = values.map { Int64($0.count) }
        if count > 0, type == .integer || type == .number {
            profile.minimum = ColumnProfiler.text(leastNumber, type)
            profile.maximum = ColumnProfiler.text(greatestNumber, type)
            profile.mean = mean
            profile.standardDeviation = count > 1 ? (squares / Double(count - 1)).squareRoot() : 0
        } else if !isObject {
            profile.minimum = least
            profile.maximum = greatest
        }
        // Where all values differ, none is frequent.
        if let values, values.count < count {
            let frequent = values.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }.prefix(5)
            profile.mostFrequent = frequent.map { ValueCount(value: $0.key, count: Int64($0.value)) }
        }
        return profile
    }

    private static func text(_ number: Double, _ type: ColumnType) -> String {
        type == .integer && abs(number) < 9e15 ? "\(Int64(number))" : "\(number)"
    }

    private static func isOne(_ text: String, of type: ColumnType, _ number: Double?) -> Bool {
        switch type {
        case .boolean: ["true", "false"].contains(text.lowercased())
        // A leading zero is that of a code, such as a postal one, which is no number.
        case .integer: Int64(text) != nil && !hasLeadingZero(text)
        case .number: number != nil && !hasLeadingZero(text)
        case .date: text.utf8.count == 10 && isDate(Array(text.utf8))
        case .timestamp: isTimestamp(Array(text.utf8))
        default: true
        }
    }

    private static func number(_ text: String) -> Double? {
        guard let first = text.utf8.first, (0x30...0x39).contains(first) || [0x2b, 0x2d, 0x2e].contains(first),
            let number = Double(text), number.isFinite
        else { return nil }
        return number
    }

    private static func hasLeadingZero(_ text: String) -> Bool {
        let digits = text.utf8.drop { $0 == 0x2d || $0 == 0x2b }
        return digits.count > 1 && digits.first == 0x30 && digits.dropFirst().first != 0x2e
            && digits.dropFirst().first.map { $0 | 0x20 } != 0x65
    }

    /// `2026-11-21`.
    private static func isDate(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 10, bytes[4] == 0x2d, bytes[7] == 0x2d else { return false }
        func number(_ range: Range<Int>) -> Int {
            bytes[range].reduce(0) { (0x30...0x39).contains($1) ? $0 * 10 + Int($1 - 0x30) : 10_000 }
        }
        return number(0..<4) < 10_000 && (1...12).contains(number(5..<7)) && (1...31).contains(number(8..<10))
    }

    /// `2026-11-21T04:05:06.789Z`, with a space for the T and without what is after the minutes.
    private static func isTimestamp(_ bytes: [UInt8]) -> Bool {
        guard (16...40).contains(bytes.count), isDate(bytes), bytes[10] == 0x54 || bytes[10] == 0x20, bytes[13] == 0x3a
        else { return false }
        return bytes[11...].allSatisfy {
            (0x30...0x39).contains($0) || [0x3a, 0x2e, 0x2b, 0x2d, 0x5a].contains($0)
        }
    }
}
