internal import Core
internal import Glibc

/// What commands print: tables and sentences for people, JSON for programs.
struct Terminal: Sendable {
    /// `--output json`: one JSON value on standard output and nothing else.
    let isJSON: Bool

    /// Whether standard output is a terminal that a person looks at.
    static var isInteractive: Bool { isatty(1) == 1 }

    /// A line for people; left out when the output is JSON.
    func say(_ line: String) {
        if !isJSON { Terminal.write(line + "\n", to: 1) }
    }

    /// Text as it is, such as the output of a cell; left out when the output is JSON.
    func show(_ text: String) {
        if !isJSON { Terminal.write(text, to: 1) }
    }

    /// The answer for programs; left out when the output is for people.
    func answer(_ value: some JSONEncodable) {
        if isJSON { Terminal.write(String(decoding: value.encodedJSON(), as: UTF8.self) + "\n", to: 1) }
    }

    /// Progress, on standard error so that it never mixes with results.
    func progress(_ line: String) { Terminal.write(line + "\n", to: 2) }

    /// Rows under headings, columns as wide as they need to be.
    func table(_ headings: [String], _ rows: [[String]]) {
        guard !isJSON else { return }
        let all = [headings] + rows
        let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        for row in all {
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            say(line)
        }
    }

    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            // Nobody reads any more, as when the output is piped into head.
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    /// A duration as people say it: `320 ms`, `4.2 s`, `3 min 12 s`, `2 h 5 min`.
    static func duration(milliseconds: Int64) -> String {
        switch milliseconds {
        case ..<1000: "\(milliseconds) ms"
        case ..<60_000: "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
        case ..<3_600_000: "\(milliseconds / 60_000) min \(milliseconds / 1000 % 60) s"
        default: "\(milliseconds / 3_600_000) h \(milliseconds / 60_000 % 60) min"
        }
    }
}
