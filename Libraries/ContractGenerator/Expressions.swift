import Core

/// Swift expressions that read and write values of a shape.
extension Shape {
    /// The type in Swift.
    var swiftType: String {
        switch self {
        case .string, .constant: "String"
        case .int32: "Int"
        case .int64: "Int64"
        case .timestamp: "Timestamp"
        case .double: "Double"
        case .bool: "Bool"
        case .any: "JSONValue"
        case .anyObject: "JSONObject"
        case .array(let element, _): "[\(element.swiftType)]"
        case .map(let element, _): "[String: \(element.swiftType)]"
        case .named(let name): name
        }
    }

    /// Reads the next value of `reader`, limits included.
    var decoding: String {
        switch self {
        case .string(let length, nil):
            return length.isFree ? "try reader.string()" : "try reader.string(length: \(length.counts))"
        case .string(let length, let pattern?):
            guard let letters = JSONLetters(pattern: pattern) else { return "" }
            let bits = "low: 0x\(String(letters.low, radix: 16)), high: 0x\(String(letters.high, radix: 16))"
            return "try reader.string(length: \(length.counts), "
                + "letters: JSONLetters(pattern: \"\(pattern)\", \(bits)))"
        case .constant(let text): return "try reader.constant(\"\(text)\")"
        case .int32(let limits): return "try reader.int(in: \(limits.int32))"
        case .int64(let limits):
            return limits.isFree ? "try reader.int64()" : "try reader.int64(in: \(limits.int64))"
        case .double(let minimum, let maximum):
            guard minimum != nil || maximum != nil else { return "try reader.double()" }
            let low = minimum.map { "\($0)" } ?? "-Double.greatestFiniteMagnitude"
            return "try reader.double(in: \(low)...\(maximum.map { "\($0)" } ?? "Double.greatestFiniteMagnitude"))"
        case .bool: return "try reader.bool()"
        case .timestamp, .any, .anyObject, .named: return "try \(swiftType)(from: &reader)"
        case .array(let element, let count):
            return "try reader.array(count: \(count.counts)) { reader throws(JSONError) in \(element.decoding) }"
        case .map(let element, let count):
            let limit = count.maximum.map(grouped) ?? "Int.max"
            return "try reader.map(count: \(limit)) { reader throws(JSONError) in \(element.decoding) }"
        }
    }

    /// Writes `value` to `writer`.
    func encoding(_ value: String) -> String {
        switch self {
        case .string, .int32, .int64, .double, .bool: "writer.value(\(value))"
        case .constant(let text): "writer.literal(\"\\\"\(text)\\\"\")"
        case .timestamp: "writer.value(\(value).milliseconds)"
        case .any, .anyObject, .array, .map, .named: "\(value).encode(to: &writer)"
        }
    }

    /// Reads a parameter's text, limits included: what follows `try parameter`.
    func parameterDecoding(_ place: String) throws -> String {
        switch self {
        case .string(let length, nil):
            return length.isFree ? ".string()" : ".string(length: \(length.counts))"
        case .int32(let limits): return ".int(in: \(limits.int32))"
        case .int64(let limits): return limits.isFree ? ".int64()" : ".int64(in: \(limits.int64))"
        case .timestamp: return ".timestamp()"
        case .bool: return ".bool()"
        case .named(let name): return ".name(\(name).self)"
        default: throw ContractError("\(place) is a parameter of a shape that is not supported")
        }
    }

    /// What a documentation comment says about the limits.
    var limitsInWords: String {
        switch self {
        case .string(let length, _): length.words("characters")
        case .int32(let limits), .int64(let limits): limits.words("")
        case .array(_, let count): count.words("elements")
        case .map(_, let count): count.words("keys")
        default: ""
        }
    }
}

extension Limits {
    /// As a range of lengths or counts.
    var counts: String { "\(grouped(minimum ?? 0))...\(maximum.map(grouped) ?? "Int.max")" }

    var int32: String { "\(grouped(minimum ?? -2_147_483_648))...\(grouped(maximum ?? 2_147_483_647))" }

    var int64: String { "\(minimum.map(grouped) ?? "Int64.min")...\(maximum.map(grouped) ?? "Int64.max")" }

    func words(_ unit: String) -> String {
        let unit = unit.isEmpty ? "" : " " + unit
        switch (minimum, maximum) {
        case (nil, nil): return ""
        case (let low?, nil): return "At least \(grouped(low))\(unit)"
        case (nil, let high?): return "At most \(grouped(high))\(unit)"
        case (let low?, let high?): return "\(grouped(low)) to \(grouped(high))\(unit)"
        }
    }
}

/// A number as Swift sources write it, thousands apart from five digits on.
func grouped(_ value: Int64) -> String {
    let digits = String(value.magnitude)
    guard digits.count > 4 else { return String(value) }
    var text = ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { text += "_" }
        text.append(digit)
    }
    return value < 0 ? "-" + text : text
}
