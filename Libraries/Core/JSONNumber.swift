/// A JSON number as it was written: nothing is lost of numbers that no machine type holds.
public struct JSONNumber: Sendable, Hashable {
    /// The number as RFC 8259 section 6 writes it.
    public let text: String

    init(checked text: String) { self.text = text }

    /// Makes a number from its text; nil when the text is not a JSON number.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let isNumber = bytes.withUnsafeBufferPointer { bytes in
            var reader = JSONReader(bytes, maximumDepth: 1)
            return (try? reader.scanNumber()) != nil && reader.position == bytes.count
        }
        guard isNumber else { return nil }
        self.text = text
    }

    /// Makes a whole number.
    public init(_ value: some FixedWidthInteger) { text = String(value) }

    /// Makes a number with the shortest text that reads back as the same; nil for NaN and infinities.
    public init?(_ value: Double) {
        guard value.isFinite else { return nil }
        text = value.description
    }

    /// The value when the text is a whole number of 64 bits without fraction and exponent.
    public var int64: Int64? { Int64(text) }

    /// The nearest Double; nil when the number is too large for one.
    public var double: Double? { Double(text).flatMap { $0.isFinite ? $0 : nil } }
}

/// What the scan of a number found, for the fast way to a Double.
struct JSONNumberScan {
    let start: Int
    let end: Int
    /// The digits as a whole number, when there are at most 19.
    let mantissa: UInt64
    let isNegative: Bool
    /// The power of ten that the mantissa is to be multiplied with.
    let exponent: Int
    /// Whether mantissa and exponent are all of the number.
    let isExact: Bool
}

extension JSONReader {
    /// Reads a number as the nearest Double.
    /// - Throws: `invalidValue` when it is too large for one.
    public mutating func double() throws(JSONError) -> Double {
        let first = try next()
        guard first == 0x2d || first &- 0x30 < 10 else { throw try wrongType("a number") }
        let number = try scanNumber()
        // Both operands are exact and the operation rounds once (Clinger 1990), so the result is the nearest.
        if number.isExact, number.mantissa <= 1 << 53, number.exponent.magnitude <= 22 {
            let power = JSONReader.powersOfTen[Int(number.exponent.magnitude)]
            let magnitude = Double(number.mantissa)
            let value = number.exponent < 0 ? magnitude / power : magnitude * power
            return number.isNegative ? -value : value
        }
        // The standard library's conversion rounds correctly and does not ask for the locale.
        guard let value = Double(text(of: number)), value.isFinite else {
            throw JSONError(.invalidValue, at: number.start, "is too large for a number of 64 bits")
        }
        return value
    }

    /// Reads a number within the limits.
    public mutating func double(in limits: ClosedRange<Double>) throws(JSONError) -> Double {
        _ = try next()
        let start = position
        let value = try double()
        guard limits.contains(value) else {
            throw JSONError(
                .invalidValue, at: start,
                limits.upperBound == .greatestFiniteMagnitude
                    ? "must be at least \(limits.lowerBound), and is \(value)"
                    : "must be from \(limits.lowerBound) to \(limits.upperBound), and is \(value)")
        }
        return value
    }

    /// Reads a number and keeps its text.
    public mutating func number() throws(JSONError) -> JSONNumber {
        let first = try next()
        guard first == 0x2d || first &- 0x30 < 10 else { throw try wrongType("a number") }
        return JSONNumber(checked: text(of: try scanNumber()))
    }

    private func text(of number: JSONNumberScan) -> String {
        String(
            decoding: UnsafeBufferPointer(start: base + number.start, count: number.end &- number.start),
            as: UTF8.self)
    }

    /// Reads over a number by the grammar of RFC 8259 section 6. Nothing but the number may have been skipped to.
    mutating func scanNumber() throws(JSONError) -> JSONNumberScan {
        let start = position
        let isNegative = position < count && base[position] == 0x2d
        if isNegative { position &+= 1 }
        var mantissa: UInt64 = 0
        let firstDigit = position
        var digits = try scanDigits(&mantissa)
        if digits > 1, base[firstDigit] == 0x30 {
            throw JSONError(.invalidNumber, at: start, "a number must not start with a zero")
        }
        var exponent = 0
        if position < count, base[position] == 0x2e {
            position &+= 1
            let decimals = try scanDigits(&mantissa)
            exponent = -decimals
            digits &+= decimals
        }
        if position < count, base[position] | 0x20 == 0x65 {
            position &+= 1
            var isDown = false
            if position < count, base[position] == 0x2b || base[position] == 0x2d {
                isDown = base[position] == 0x2d
                position &+= 1
            }
            var power: UInt64 = 0
            let written = try scanDigits(&power)
            // More digits than these cannot be exact; the slow way sees all of them.
            exponent &+= written > 4 ? 100_000 : (isDown ? -Int(power) : Int(power))
        }
        return JSONNumberScan(
            start: start, end: position, mantissa: mantissa, isNegative: isNegative, exponent: exponent,
            isExact: digits <= 19)
    }

    /// Reads one digit or more and adds them to the value, which wraps when there are more than 19.
    private mutating func scanDigits(_ value: inout UInt64) throws(JSONError) -> Int {
        let start = position
        while position < count {
            let digit = base[position] &- 0x30
            guard digit < 10 else { break }
            value = value &* 10 &+ UInt64(digit)
            position &+= 1
        }
        if position == start {
            if position >= count { throw ended() }
            throw JSONError(.invalidNumber, at: position, "a digit was expected")
        }
        return position &- start
    }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}
