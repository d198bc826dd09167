internal import HarbourProtocol

/// A text in which `{{secrets/scope/key}}` stands for values.
struct SecretText: Sendable, Hashable {
    private enum Part: Sendable, Hashable {
        case text(String)
        case secret(SecretReference)
    }

    private var parts: [Part] = []

    init(_ text: String) {
        var rest = Substring(text)
        while let start = rest.firstRange(of: "{{secrets/"), let end = rest[start.upperBound...].firstRange(of: "}}") {
            let names = rest[start.upperBound..<end.lowerBound].split(separator: "/", omittingEmptySubsequences: false)
            guard names.count == 2, names.allSatisfy({ (1...128).contains($0.utf8.count) }) else {
                // Not one of ours: it stays as it was written.
                parts.append(.text(String(rest[..<start.upperBound])))
                rest = rest[start.upperBound...]
                continue
            }
            parts.append(.text(String(rest[..<start.lowerBound])))
            parts.append(.secret(SecretReference(scope: String(names[0]), key: String(names[1]))))
            rest = rest[end.upperBound...]
        }
        parts.append(.text(String(rest)))
    }

    /// The secrets in it, in order.
    var references: [SecretReference] {
        parts.compactMap { if case .secret(let reference) = $0 { reference } else { nil } }
    }

    /// The text with the values in their places.
    func filled(_ values: [SecretReference: String]) -> String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .secret(let reference): values[reference] ?? ""
            }
        }.joined()
    }
}
