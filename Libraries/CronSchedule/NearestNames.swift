/// Finds what somebody may have meant by a name that does not exist.
enum NearestNames {
    /// At most `count` names, the nearest first; none when nothing comes close.
    static func find(_ wanted: String, among names: [String], count: Int = 3) -> [String] {
        let text = Array(wanted.prefix(64).lowercased().utf8)
        guard !text.isEmpty else { return [] }
        // A city alone is a frequent mistake, so the last part of a name counts as a name too.
        let scored = names.map { name in
            let lower = name.lowercased()
            let whole = distance(text, Array(lower.utf8))
            let city = lower.split(separator: "/").last.map { distance(text, Array($0.utf8)) + 1 } ?? whole
            return (min(whole, city), name)
        }
        let limit = max(2, text.count / 3)
        return scored.filter { $0.0 <= limit }.sorted { $0 < $1 }.prefix(count).map(\.1)
    }

    /// How many letters must be inserted, removed or replaced (Levenshtein's distance); spaces count as underscores.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (leftIndex, leftByte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = leftIndex + 1
            for (rightIndex, rightByte) in right.enumerated() {
                let isSame = leftByte == rightByte || (leftByte == 0x20 && rightByte == UInt8(ascii: "_"))
                let cost = min(diagonal + (isSame ? 0 : 1), row[rightIndex] + 1, row[rightIndex + 1] + 1)
                diagonal = row[rightIndex + 1]
                row[rightIndex + 1] = cost
            }
        }
        return row[right.count]
    }
}
