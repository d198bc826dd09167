internal import Core

/// A text with references such as `{{job.run_id}}` in it, taken apart.
///
/// Only what begins with one of our roots is a reference; other braces stay as they are, because templates of other
/// programs look the same.
struct ReferenceText: Sendable {
    enum Part: Sendable, Hashable {
        case text(String)
        /// The names between the dots.
        case reference([String])
    }

    static let roots: Set<String> = ["job", "task", "tasks", "input"]

    var parts: [Part] = []

    init(_ text: String) {
        var rest = text[...]
        while let open = rest.firstRange(of: "{{") {
            guard let close = rest[open.upperBound...].firstRange(of: "}}") else { break }
            let path = rest[open.upperBound..<close.lowerBound].trimmed.split(
                separator: ".", omittingEmptySubsequences: false
            ).map(String.init)
            if let root = path.first, ReferenceText.roots.contains(root) {
                append(rest[..<open.lowerBound])
                parts.append(.reference(path))
                rest = rest[close.upperBound...]
            } else {
                append(rest[..<open.upperBound])
                rest = rest[open.upperBound...]
            }
        }
        append(rest)
    }

    private mutating func append(_ text: Substring) {
        guard !text.isEmpty else { return }
        if case .text(let before) = parts.last {
            parts[parts.count - 1] = .text(before + text)
        } else {
            parts.append(.text(String(text)))
        }
    }

    var references: [[String]] {
        parts.compactMap { if case .reference(let path) = $0 { path } else { nil } }
    }

    /// The text with what the references stand for.
    func resolved(_ value: ([String]) throws(HarbourError) -> String) throws(HarbourError) -> String {
        var text = ""
        for part in parts {
            switch part {
            case .text(let part): text += part
            case .reference(let path): text += try value(path)
            }
        }
        return text
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }
}

extension JSONValue {
    /// What a reference to the value is replaced by: text as it is, everything else as JSON.
    var referenceText: String { string ?? jsonText() }
}
