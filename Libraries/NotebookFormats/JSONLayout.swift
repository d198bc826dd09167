import Core

/// How a JSON file is laid out, so that it is written as it was read.
struct JSONLayout: Sendable, Hashable {
    /// Spaces a level; nil for everything on one line.
    var indent: Int?
    /// What is put after a comma on one line; Python's own default is a space.
    var isSpaced: Bool
    /// Whether keys are sorted, as nbformat writes them.
    var sortsKeys: Bool
    /// Whether characters beyond ASCII are written as `\u` escapes.
    var escapesNonASCII: Bool
    /// Whether a line feed ends the file.
    var endsWithLineFeed: Bool
    /// Whether the file begins with a byte order mark.
    var hasByteOrderMark = false

    /// As Jupyter writes: one space a level, sorted keys, a line feed at the end.
    static let jupyter = JSONLayout(
        indent: 1, isSpaced: true, sortsKeys: true, escapesNonASCII: false, endsWithLineFeed: true)

    /// Reads the layout off a file. It is a guess: where a file mixes layouts, the first places decide.
    static func detect(_ bytes: ArraySlice<UInt8>, _ value: JSONValue) -> JSONLayout {
        var layout = jupyter
        layout.endsWithLineFeed = bytes.last == 0x0a
        layout.sortsKeys = hasSortedKeys(value)
        layout.escapesNonASCII = bytes.allSatisfy { $0 < 0x80 } && hasNonASCII(value)
        var index = bytes.startIndex + 1
        if index < bytes.endIndex, bytes[index] == 0x0a || bytes[index] == 0x0d {
            let start = bytes[index...].firstIndex { $0 != 0x0a && $0 != 0x0d } ?? bytes.endIndex
            let end = bytes[start...].firstIndex { $0 != 0x20 } ?? bytes.endIndex
            layout.indent = end - start
        } else {
            layout.indent = nil
            // The colon after the first key tells.
            while index < bytes.endIndex, bytes[index] != UInt8(ascii: ":") { index += 1 }
            layout.isSpaced = index + 1 < bytes.endIndex && bytes[index + 1] == 0x20
        }
        return layout
    }

    private static func hasSortedKeys(_ value: JSONValue) -> Bool {
        switch value {
        case .array(let elements): return elements.allSatisfy(hasSortedKeys)
        case .object(let object):
            var last: String?
            for (key, value) in object.fields {
                if let last, !precedes(last, key) { return false }
                guard hasSortedKeys(value) else { return false }
                last = key
            }
            return true
        default: return true
        }
    }

    private static func hasNonASCII(_ value: JSONValue) -> Bool {
        switch value {
        case .string(let text): return !text.utf8.allSatisfy { $0 < 0x80 }
        case .array(let elements): return elements.contains(where: hasNonASCII)
        case .object(let object):
            return object.fields.contains { key, value in
                !key.utf8.allSatisfy { $0 < 0x80 } || hasNonASCII(value)
            }
        default: return false
        }
    }

    /// Whether a key sorts before another as Python sorts them: by code point, which in UTF-8 is by byte.
    static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

/// Writes JSON in a layout, as Python's `json.dumps` does.
struct JSONLayoutWriter {
    let layout: JSONLayout
    private(set) var bytes: [UInt8] = []
    private var level = 0

    init(_ layout: JSONLayout) { self.layout = layout }

    mutating func write(_ value: JSONValue) {
        switch value {
        case .string(let text): string(text)
        case .array(let elements):
            if elements.isEmpty { return put("[]") }
            open("[")
            for (position, element) in elements.enumerated() {
                separate(position)
                write(element)
            }
            close("]")
        case .object(let object):
            if object.isEmpty { return put("{}") }
            open("{")
            let fields =
                layout.sortsKeys ? object.fields.sorted { JSONLayout.precedes($0.key, $1.key) } : object.fields
            for (position, field) in fields.enumerated() {
                separate(position)
                string(field.key)
                put(layout.indent == nil && !layout.isSpaced ? ":" : ": ")
                write(field.value)
            }
            close("}")
        case .null, .bool, .number: bytes += value.encodedJSON(capacity: 32)
        }
    }

    private mutating func put(_ text: StaticString) { text.withUTF8Buffer { bytes += $0 } }

    private mutating func open(_ bracket: StaticString) {
        put(bracket)
        level += 1
    }

    private mutating func separate(_ position: Int) {
        if position > 0 { put(layout.indent == nil && layout.isSpaced ? ", " : ",") }
        breakLine()
    }

    private mutating func close(_ bracket: StaticString) {
        level -= 1
        breakLine()
        put(bracket)
    }

    private mutating func breakLine() {
        guard let indent = layout.indent else { return }
        bytes.append(0x0a)
        bytes += repeatElement(0x20, count: indent * level)
    }

    /// Python's escapes: the short ones, `\u00xx` for other controls, and beyond printable ASCII only when asked for.
    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        if layout.escapesNonASCII {
            for unit in text.utf16 {
                if unit < 0x7f { ascii(UInt8(unit)) } else { escape(unit) }
            }
        } else {
            for byte in text.utf8 { ascii(byte) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func ascii(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case 0x0a: put("\\n")
        case 0x0d: put("\\r")
        case 0x09: put("\\t")
        case 0x08: put("\\b")
        case 0x0c: put("\\f")
        case 0..<0x20: escape(UInt16(byte))
        default: bytes.append(byte)
        }
    }

    private mutating func escape(_ unit: UInt16) {
        let digits = Array("0123456789abcdef".utf8)
        put("\\u")
        for shift in [12, 8, 4, 0] { bytes.append(digits[Int(unit >> UInt16(shift)) & 15]) }
    }
}
