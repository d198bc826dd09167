internal import Core

/// What the texts of YAML mean: the core schema of YAML 1.2 (section 10.3.2), in which `yes`, `no` and `on` are texts.
enum YAMLScalar {
    /// A text without quotes and without a tag.
    static func plain(_ text: String) -> SourceValue.Content {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: return number(text).map { .number($0) } ?? .string(text)
        }
    }

    /// - Returns: nil for texts that are no numbers, and for those that JSON has no words for: `.inf`, `.nan`.
    static func number(_ text: String) -> JSONNumber? {
        if text.hasPrefix("0o"), let value = Int64(text.dropFirst(2), radix: 8), text.utf8.dropFirst(2).first != 0x2d {
            return text.utf8.contains(0x2b) ? nil : JSONNumber(value)
        }
        if text.hasPrefix("0x"), let value = UInt64(text.dropFirst(2), radix: 16), !text.utf8.contains(0x2b) {
            return JSONNumber(value)
        }
        var digits = Array(text.utf8)[...]
        guard let first = digits.first, first == 0x2b || first == 0x2d || first == 0x2e || isDigit(first) else {
            return nil
        }
        let isNegative = first == 0x2d
        if isNegative || first == 0x2b { digits.removeFirst() }
        let whole = digits.prefix(while: isDigit)
        digits = digits.dropFirst(whole.count)
        var fraction: ArraySlice<UInt8> = []
        if digits.first == 0x2e {
            digits.removeFirst()
            fraction = digits.prefix(while: isDigit)
            digits = digits.dropFirst(fraction.count)
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        // JSON writes neither zeros in front nor a point without digits at both sides.
        var json = isNegative ? "-" : ""
        let significant = whole.drop { $0 == 0x30 }
        json += significant.isEmpty ? "0" : String(decoding: significant, as: UTF8.self)
        if !fraction.isEmpty { json += ".\(String(decoding: fraction, as: UTF8.self))" }
        return JSONNumber(json + String(decoding: digits, as: UTF8.self))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    /// The value of a text with a tag of the core schema; nil when it cannot have that tag.
    static func tagged(_ text: String, _ tag: String) -> SourceValue.Content? {
        let kind = tag.hasPrefix("tag:yaml.org,2002:") ? String(tag.dropFirst("tag:yaml.org,2002:".count)) : tag
        switch (kind, plain(text)) {
        case ("str", _), ("!", _): return .string(text)
        case ("null", .null): return .null
        case ("bool", .bool(let value)): return .bool(value)
        case ("int", .number(let value)) where value.int64 != nil: return .number(value)
        case ("float", .number(let value)): return .number(value)
        default: return nil
        }
    }
}
