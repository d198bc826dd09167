internal import Core

/// One sample of an exposition.
struct ExposedSample: Sendable, Equatable {
    var name: String
    /// Names and values, in the order they were written.
    var labels: [(name: String, value: String)]
    var value: Double

    static func == (left: ExposedSample, right: ExposedSample) -> Bool {
        left.name == right.name && left.value.bitPattern == right.value.bitPattern
            && left.labels.elementsEqual(right.labels) { $0.name == $1.name && $0.value == $1.value }
    }
}

/// What of an exposition is taken in at most.
struct ExpositionLimits: Sendable {
    var bytes = 16 << 20
    var samples = 50_000
    var labels = 64
    var labelBytes = 1024
}

/// Reads Prometheus' text format 0.0.4, and OpenMetrics 1.0 as far as the samples go; comments are passed over.
///
/// Strict: what is not the format is refused with the line's number, so that a page of something else is never taken
/// for metrics. Timestamps are checked and dropped: a scrape has one time.
struct PrometheusText {
    private let bytes: [UInt8]
    private let limits: ExpositionLimits
    private var place = 0
    private var line = 1

    private init(_ bytes: [UInt8], _ limits: ExpositionLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// - Throws: `BAD_UPSTREAM_RESPONSE` naming the line that is wrong, `REQUEST_TOO_LARGE` past a limit.
    static func parse(
        _ bytes: [UInt8], limits: ExpositionLimits = ExpositionLimits()
    ) throws(HarbourError) -> [ExposedSample] {
        guard bytes.count <= limits.bytes else {
            throw HarbourError(.tooLarge, "The metrics are larger than \(limits.bytes >> 20) MiB.")
        }
        var parser = PrometheusText(bytes, limits)
        return try parser.parseAll()
    }

    private mutating func parseAll() throws(HarbourError) -> [ExposedSample] {
        var samples: [ExposedSample] = []
        while place < bytes.count {
            skipBlanks()
            if peek == UInt8(ascii: "#") {
                while let byte = peek, byte != UInt8(ascii: "\n") { advance(byte) }
            } else if peek != UInt8(ascii: "\n") && peek != nil {
                guard samples.count < limits.samples else {
                    throw HarbourError(.tooLarge, "There are more than \(limits.samples) samples.")
                }
                samples.append(try sample())
            }
            skipBlanks()
            guard peek == nil || peek == UInt8(ascii: "\n") else { throw wrong("there is something after the sample") }
            if peek != nil {
                place += 1
                line += 1
            }
        }
        return samples
    }

    private var peek: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func advance(_ byte: UInt8) { place += 1 }

    private mutating func skipBlanks() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0d { place += 1 }
    }

    private func wrong(_ reason: String) -> HarbourError {
        HarbourError(.badGateway, "The metrics are not in Prometheus' text format: line \(line): \(reason).")
    }

    private mutating func sample() throws(HarbourError) -> ExposedSample {
        let name = try word("a metric's name", colon: true)
        var labels: [(name: String, value: String)] = []
        if peek == UInt8(ascii: "{") {
            place += 1
            labels = try self.labels()
        }
        guard peek == 0x20 || peek == 0x09 else { throw wrong("a blank is missing before the value") }
        skipBlanks()
        let value = try number()
        skipBlanks()
        if let byte = peek, byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "#") { _ = try number() }
        skipBlanks()
        // An exemplar of OpenMetrics is part of the sample's line and not kept.
        if peek == UInt8(ascii: "#") { while let byte = peek, byte != UInt8(ascii: "\n") { advance(byte) } }
        return ExposedSample(name: name, labels: labels, value: value)
    }

    private mutating func labels() throws(HarbourError) -> [(name: String, value: String)] {
        var labels: [(name: String, value: String)] = []
        skipBlanks()
        while peek != UInt8(ascii: "}") {
            let name = try word("a label's name", colon: false)
            skipBlanks()
            guard peek == UInt8(ascii: "=") else { throw wrong("an equals sign is missing after the label \(name)") }
            place += 1
            skipBlanks()
            guard peek == UInt8(ascii: "\"") else { throw wrong("the value of the label \(name) is not quoted") }
            place += 1
            labels.append((name, try quoted()))
            guard labels.count <= limits.labels else { throw wrong("there are more than \(limits.labels) labels") }
            guard !labels.dropLast().contains(where: { $0.name == name }) else {
                throw wrong("the label \(name) is there twice")
            }
            skipBlanks()
            if peek == UInt8(ascii: ",") {
                place += 1
                skipBlanks()
            } else if peek != UInt8(ascii: "}") {
                throw wrong("a comma or a brace is missing after the label \(name)")
            }
        }
        place += 1
        return labels
    }

    private mutating func word(_ what: String, colon: Bool) throws(HarbourError) -> String {
        let start = place
        while let byte = peek {
            let isLetter = (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
            let isDigit = byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
            guard
                isLetter || byte == UInt8(ascii: "_") || (colon && byte == UInt8(ascii: ":"))
                    || (isDigit && place > start)
            else { break }
            place += 1
        }
        guard place > start, place - start <= limits.labelBytes else { throw wrong("\(what) is missing") }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private mutating func quoted() throws(HarbourError) -> String {
        var text: [UInt8] = []
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte != UInt8(ascii: "\n") else { throw wrong("a label's value does not end") }
            place += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            switch peek {
            case UInt8(ascii: "n"): text.append(UInt8(ascii: "\n"))
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): text.append(bytes[place])
            default: throw wrong("a label's value has an escape that is not one")
            }
            place += 1
        }
        guard peek != nil else { throw wrong("a label's value does not end") }
        place += 1
        guard text.count <= limits.labelBytes else { throw wrong("a label's value is too long") }
        guard let value = String(validating: text, as: UTF8.self) else { throw wrong("a label's value is not UTF-8") }
        return value
    }

    private mutating func number() throws(HarbourError) -> Double {
        let start = place
        while let byte = peek, byte > 0x20, byte < 0x7f, place - start < 64 { place += 1 }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        switch text {
        case "NaN": return .nan
        case "+Inf", "Inf": return .infinity
        case "-Inf": return -.infinity
        default:
            let digits = text.utf8.allSatisfy { byte in
                (byte >= 0x30 && byte <= 0x39) || [0x2b, 0x2d, 0x2e, 0x45, 0x65].contains(byte)
            }
            guard digits, let value = Double(text) else { throw wrong("“\(text.prefix(20))” is not a number") }
            return value
        }
    }
}
