/// The texts that settings are written in. Everything is checked for overflow; nothing is guessed.
enum ValueParser {
    /// A decimal number with an optional minus and nothing else.
    static func decimal(_ text: Substring) -> Int? {
        guard text.utf8.first != UInt8(ascii: "+") else { return nil }
        return Int(text)
    }

    /// The text without spaces and tabs at its ends.
    static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.utf8.first, first == 0x20 || first == 0x09 { text = text.dropFirst() }
        while let last = text.utf8.last, last == 0x20 || last == 0x09 || last == 0x0d { text = text.dropLast() }
        return String(text)
    }

    /// `64MiB` and its like in bytes.
    static func size(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = decimal(digits), count >= 0 else { return nil }
        let factors = [
            "": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "kb": 1000,
            "mb": 1_000_000, "gb": 1_000_000_000, "tb": 1_000_000_000_000,
        ]
        guard let factor = factors[text.dropFirst(digits.count).lowercased()] else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    /// `1m30s` and its like; a bare `0` needs no unit.
    static func duration(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        let units: [(name: String, milliseconds: Int64)] = [
            ("d", 86_400_000), ("h", 3_600_000), ("ms", 1), ("m", 60_000), ("s", 1000),
        ]
        var rest = text[...]
        var total: Int64 = 0
        var lastUnit = Int64.max
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            guard let count = Int64(digits), let unit = units.first(where: { rest.hasPrefix($0.name) }),
                unit.milliseconds < lastUnit
            else { return nil }
            rest = rest.dropFirst(unit.name.count)
            lastUnit = unit.milliseconds
            let (product, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
            let (sum, overflow2) = total.addingReportingOverflow(product)
            if overflow || overflow2 { return nil }
            total = sum
        }
        return text.isEmpty ? nil : .milliseconds(total)
    }
}

/// Finds the name that somebody probably meant.
enum Spelling {
    /// The nearest candidate by optimal string alignment distance, or nil when none is near.
    static func nearest(to text: String, in candidates: some Sequence<String>) -> String? {
        // The table grows with the product of the lengths, and nobody misspells a name of that length.
        guard text.utf8.count <= 100 else { return nil }
        var best: (name: String, distance: Int)?
        for name in candidates {
            let distance = distance(Array(text.lowercased().utf8), Array(name.lowercased().utf8))
            guard distance <= max(1, name.utf8.count / 3), distance < best?.distance ?? .max else { continue }
            best = (name, distance)
        }
        return best?.name
    }

    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let substitution = last[column] + (left[row] == right[column] ? 0 : 1)
                var least = min(substitution, last[column + 1] + 1, current[column] + 1)
                if row > 0 && column > 0 && left[row] == right[column - 1] && left[row - 1] == right[column] {
                    least = min(least, beforeLast[column - 1] + 1)
                }
                current.append(least)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
