internal import Core

extension SourceValue {
    /// Reads a JSON document.
    /// - Throws: where the first thing stands that is not JSON.
    public init(json bytes: [UInt8]) throws(SourceProblem) {
        try SourceValue.checkSize(bytes)
        do throws(JSONError) {
            self = try JSONReader.read(bytes, maximumDepth: SourceLimits.depth) {
                (reader: inout JSONReader) throws(JSONError) -> SourceValue in
                var source = JSONSource(lines: LineIndex(bytes))
                return try source.value(&reader)
            }
        } catch {
            throw SourceProblem(LineIndex(bytes).place(of: error.offset), "\(error.message).")
        }
    }

    static func checkSize(_ bytes: [UInt8]) throws(SourceProblem) {
        guard bytes.count > SourceLimits.bytes else { return }
        throw SourceProblem(
            SourcePlace(line: 1, column: 1), "the file is larger than \(SourceLimits.bytes >> 20) MiB.")
    }
}

/// Where the lines of a text begin.
struct LineIndex {
    private let bytes: [UInt8]
    private let starts: [Int]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        starts = [0] + bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    }

    func place(of offset: Int) -> SourcePlace {
        var (low, high) = (0, starts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle } else { high = middle }
        }
        let end = min(max(offset, starts[low]), bytes.count)
        // Continuation bytes of UTF-8 are no characters of their own.
        let column = bytes[starts[low]..<end].count { $0 & 0xc0 != 0x80 }
        return SourcePlace(line: low + 1, column: column + 1)
    }
}

private struct JSONSource {
    let lines: LineIndex
    private var count = 0

    init(lines: LineIndex) { self.lines = lines }

    mutating func value(_ reader: inout JSONReader) throws(JSONError) -> SourceValue {
        let offset = try reader.valueOffset()
        count += 1
        guard count <= SourceLimits.values else {
            throw JSONError(.tooDeep, at: offset, "the file has more than \(SourceLimits.values) values")
        }
        let place = lines.place(of: offset)
        switch try reader.peek() {
        case .object: return SourceValue(.object(try fields(&reader)), at: place)
        case .array:
            var elements: [SourceValue] = []
            if try reader.beginArray() {
                repeat { elements.append(try value(&reader)) } while try reader.nextElement()
            }
            return SourceValue(.array(elements), at: place)
        case .string: return SourceValue(.string(try reader.string()), at: place)
        case .number: return SourceValue(.number(try reader.number()), at: place)
        case .bool: return SourceValue(.bool(try reader.bool()), at: place)
        case .null:
            _ = try reader.null()
            return SourceValue(.null, at: place)
        }
    }

    private mutating func fields(_ reader: inout JSONReader) throws(JSONError) -> [SourceField] {
        var fields: [SourceField] = []
        var keys: Set<String> = []
        guard try reader.beginObject() else { return fields }
        repeat {
            let offset = try reader.valueOffset()
            let key = try reader.key().string
            guard keys.insert(key).inserted else {
                throw JSONError(.duplicateKey, at: offset, "the key \(key) appears twice")
            }
            fields.append(SourceField(key: key, place: lines.place(of: offset), value: try value(&reader)))
        } while try reader.nextKey()
        return fields
    }
}
