internal import Core

/// Names one series: a metric and its labels in the order of their names.
struct SeriesKey: Sendable, Hashable {
    let name: String
    /// As a JSON object, the same bytes for the same labels.
    let labels: String

    init(name: String, labels: [(name: String, value: String)]) {
        self.name = name
        let sorted = labels.sorted { $0.name < $1.name }
        self.labels = JSONValue.object(JSONObject(sorted.map { ($0.name, .string($0.value)) })).jsonText()
    }

    init(name: String, labelText: String) {
        self.name = name
        labels = labelText
    }

    /// The labels by name.
    var labelValues: [String: String] {
        guard let object = (try? JSONValue(json: Array(labels.utf8)))?.object else { return [:] }
        return Dictionary(object.map { ($0.key, $0.value.string ?? "") }, uniquingKeysWith: { $1 })
    }
}

/// Labels that a series has to have, as a query names them: `job=cluster,instance=c1`.
struct LabelMatch: Sendable {
    private let wanted: [String: String]

    /// - Throws: `INVALID_PARAMETER_VALUE` when it is not `name=value`, separated by commas.
    init(_ text: String?) throws(HarbourError) {
        var wanted: [String: String] = [:]
        for part in (text ?? "").split(separator: ",") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard sides.count == 2, !sides[0].isEmpty else {
                throw HarbourError(
                    .invalidParameter, "`match` has to be labels as name=value, separated by commas; \(part) is not.")
            }
            wanted[sides[0]] = sides[1]
        }
        self.wanted = wanted
    }

    func accepts(_ key: SeriesKey) -> Bool {
        if wanted.isEmpty { return true }
        let values = key.labelValues
        return wanted.allSatisfy { values[$0.key] == $0.value }
    }
}

/// The samples of one scrape as they are stored: series ids as differences, then values, in an LZ4 frame.
enum SampleFrame {
    /// The bytes before compression. Ids ascend.
    static func encode(_ samples: [(id: Int64, value: Double)]) -> [UInt8] {
        let sorted = samples.sorted { $0.id < $1.id }
        var bytes: [UInt8] = []
        append(UInt64(sorted.count), to: &bytes)
        var last: Int64 = 0
        for (id, _) in sorted {
            append(UInt64(id - last), to: &bytes)
            last = id
        }
        for (_, value) in sorted { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 } }
        return bytes
    }

    /// Calls back with each sample; a frame that is broken is refused.
    static func decode(_ bytes: [UInt8], _ body: (Int64, Double) -> Void) throws(HarbourError) {
        var place = 0
        func varint() throws(HarbourError) -> UInt64 {
            var (value, shift): (UInt64, UInt64) = (0, 0)
            while place < bytes.count, shift < 64 {
                let byte = bytes[place]
                place += 1
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
            throw HarbourError(.internalError, "A stored scrape cannot be read.")
        }
        let count = Int(clamping: try varint())
        guard count <= bytes.count else { throw HarbourError(.internalError, "A stored scrape cannot be read.") }
        var ids: [Int64] = []
        ids.reserveCapacity(count)
        var last: Int64 = 0
        for _ in 0..<count {
            last &+= Int64(truncatingIfNeeded: try varint())
            ids.append(last)
        }
        guard bytes.count - place == count * 8 else {
            throw HarbourError(.internalError, "A stored scrape cannot be read.")
        }
        for (index, id) in ids.enumerated() {
            var bits: UInt64 = 0
            for offset in 0..<8 { bits |= UInt64(bytes[place + index * 8 + offset]) << UInt64(offset * 8) }
            body(id, Double(bitPattern: bits))
        }
    }

    private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }
}
