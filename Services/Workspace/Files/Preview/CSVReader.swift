internal import Core

/// Reads the records of a text of separated values (RFC 4180), as forgiving as spreadsheets are: any line end, quotes
/// within unquoted fields, records of any length.
struct CSVReader {
    private let bytes: [UInt8]
    private let separator: UInt8
    private var position = 0
    /// Whether the bytes are the whole file: otherwise the last record may be a part of one, and is left out.
    private let isWhole: Bool
    /// A field that has more is cut.
    private static let fieldLimit = 1 << 16
    static let columnLimit = 512

    init(_ bytes: [UInt8], separator: UInt8, isWhole: Bool) {
        self.bytes = bytes
        self.separator = separator
        self.isWhole = isWhole
        // The mark that some programs begin UTF-8 with.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
    }

    /// The separator that gives the first lines the same number of fields, and the most.
    static func separator(of bytes: [UInt8], name: String) -> UInt8 {
        if name.lowercased().hasSuffix(".tsv") { return 0x09 }
        let sample = Array(bytes.prefix(64 << 10))
        var best: (separator: UInt8, score: Int) = (0x2c, 0)
        for candidate in [UInt8(ascii: ","), UInt8(ascii: ";"), 0x09, UInt8(ascii: "|")] {
            var reader = CSVReader(sample, separator: candidate, isWhole: sample.count == bytes.count)
            guard let first = reader.next(), first.count > 1 else { continue }
            var alike = 1
            for _ in 0..<20 {
                guard let record = reader.next() else { break }
                alike += record.count == first.count ? 1 : -1
            }
            let score = alike * 1000 + first.count
            if score > best.score { best = (candidate, score) }
        }
        return best.separator
    }

    /// The next record; nil at the end. Empty lines are none.
    mutating func next() -> [String]? {
        while position < bytes.count {
            let start = position
            var fields: [String] = []
            var isComplete = false
            while true {
                let (field, end) = readField()
                if fields.count < CSVReader.columnLimit { fields.append(field) }
                guard end != .field else { continue }
                isComplete = end == .record
                break
            }
            if !isComplete, !isWhole {
                position = bytes.count
                return nil
            }
            if fields.count == 1, fields[0].isEmpty, position > start { continue }
            return fields
        }
        return nil
    }

    private enum End { case field, record, text }

    private mutating func readField() -> (String, End) {
        var field: [UInt8] = []
        var isQuoted = false
        if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
            isQuoted = true
            position += 1
        }
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if isQuoted {
                if byte != UInt8(ascii: "\"") {
                    if field.count < CSVReader.fieldLimit { field.append(byte) }
                } else if position < bytes.count, bytes[position] == byte {
                    position += 1
                    if field.count < CSVReader.fieldLimit { field.append(byte) }
                } else {
                    isQuoted = false
                }
                continue
            }
            switch byte {
            case separator: return (String(decoding: field, as: UTF8.self), .field)
            case 0x0a: return (String(decoding: field, as: UTF8.self), .record)
            case 0x0d:
                if position < bytes.count, bytes[position] == 0x0a { position += 1 }
                return (String(decoding: field, as: UTF8.self), .record)
            default: if field.count < CSVReader.fieldLimit { field.append(byte) }
            }
        }
        return (String(decoding: field, as: UTF8.self), .text)
    }
}
