/// The table of error codes, collected from the sources: every `static let x = ErrorCode("NAME", status: 404)` with its
/// documentation comment.
public struct ErrorTable {
    private struct Row {
        let name: String
        let status: Int
        let meaning: String
        let module: String
    }

    private var rows: [Row] = []

    /// An empty table.
    public init() {}

    /// Adds the codes that a source file declares.
    public mutating func add(source: String, module: String) {
        var comment: [Substring] = []
        let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let text = line.drop { $0 == " " }
            if text.hasPrefix("/// ") {
                comment.append(text.dropFirst(4))
                continue
            }
            if text.hasPrefix("public static let ") || text.hasPrefix("static let ") {
                // A long declaration is broken after the equals sign.
                let next = index + 1 < lines.count ? lines[index + 1] : ""
                if let row = ErrorTable.row(text + next, meaning: comment.joined(separator: " "), module: module) {
                    rows.append(row)
                }
            }
            comment = []
        }
    }

    private static func row(_ line: Substring, meaning: String, module: String) -> Row? {
        let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0].hasSuffix("ErrorCode("), let colon = parts[2].firstIndex(of: ":"),
            parts[2].hasPrefix(", status")
        else { return nil }
        let digits = parts[2][colon...].dropFirst().drop { $0 == " " }.prefix { $0.isNumber }
        return Int(digits).map { Row(name: String(parts[1]), status: $0, meaning: meaning, module: module) }
    }

    /// Codes that two modules give different statuses.
    public var contradictions: [String] {
        Dictionary(grouping: rows, by: \.name).filter { Set($0.value.map(\.status)).count > 1 }.keys.sorted()
    }

    /// The table in Markdown, by name.
    public func markdown() -> String {
        var text = """
            # Error codes

            Every failure answers with `{"error_code", "message", "request_id"}` and the status of its code. Decide on the code,
            never on the message. Generated from the sources by `swift run ContractGenerator`.

            | code | status | meaning | declared in |
            | --- | --- | --- | --- |

            """
        let grouped = Dictionary(grouping: rows, by: \.name)
        for name in grouped.keys.sorted() {
            let same = grouped[name] ?? []
            guard let first = same.first else { continue }
            let modules = Set(same.map(\.module)).sorted().joined(separator: ", ")
            text += "| `\(name)` | \(first.status) | \(first.meaning) | \(modules) |\n"
        }
        return text
    }
}
