internal import Core

/// Finds the rows of a JSON file without having all of it: the elements of an array, or the values of lines.
enum JSONRows {
    /// The text of each element of the array that the bytes begin with. The last one may be missing when the bytes are
    /// not the whole file. Nil when they begin with no array.
    static func elements(of bytes: [UInt8]) -> [ArraySlice<UInt8>]? {
        guard let open = bytes.firstIndex(where: { !isBlank($0) }), bytes[open] == UInt8(ascii: "[") else { return nil }
        var elements: [ArraySlice<UInt8>] = []
        var depth = 0
        var isInString = false
        var isEscaped = false
        var start = open + 1
        for index in (open + 1)..<bytes.count {
            let byte = bytes[index]
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0 {
                    if bytes[start..<index].contains(where: { !isBlank($0) }) { elements.append(bytes[start..<index]) }
                    return elements
                }
                depth -= 1
            case UInt8(ascii: ",") where depth == 0:
                elements.append(bytes[start..<index])
                start = index + 1
            default: break
            }
        }
        return elements
    }

    /// The lines that are not empty; without the last one when it may be a part of one.
    static func lines(of bytes: [UInt8], isWhole: Bool) -> [ArraySlice<UInt8>] {
        var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        if !isWhole, !lines.isEmpty { lines.removeLast() }
        return lines.filter { $0.contains { !isBlank($0) } }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 }
}
