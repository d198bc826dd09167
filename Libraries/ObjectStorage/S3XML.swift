/// The XML that object storages answer with: elements without attributes that matter, and texts with the five named
/// entities and numbers. It is no reader for other XML.
public enum S3XML {
    /// The first element of that name: what is in it, and where it ends.
    public static func element(
        _ name: String, in text: Substring
    ) -> (content: Substring, end: Substring.Index)? {
        var rest = text
        while let start = rest.firstRange(of: "<\(name)") {
            let after = rest[start.upperBound...]
            guard let first = after.first, first == ">" || first == " " else {
                rest = after
                continue
            }
            guard let open = after.firstIndex(of: ">") else { return nil }
            let content = after[after.index(after: open)...]
            guard let end = content.firstRange(of: "</\(name)>") else { return nil }
            return (content[..<end.lowerBound], end.upperBound)
        }
        return nil
    }

    /// The text of the first element of that name.
    public static func text(_ name: String, in text: Substring) -> String? {
        element(name, in: text).map { decodeEntities($0.content) }
    }

    /// Text as it may stand in an element.
    public static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    private static func decodeEntities(_ text: Substring) -> String {
        guard text.contains("&") else { return String(text) }
        let names: [Substring: String] = ["amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'"]
        var decoded = ""
        var rest = text
        while let mark = rest.firstIndex(of: "&") {
            decoded += rest[..<mark]
            rest = rest[rest.index(after: mark)...]
            guard let end = rest.firstIndex(of: ";") else { return decoded + "&" + rest }
            let name = rest[..<end]
            let number = name.hasPrefix("#x") ? UInt32(name.dropFirst(2), radix: 16) : UInt32(name.dropFirst(1))
            if let text = names[name] {
                decoded += text
            } else if name.hasPrefix("#"), let scalar = number.flatMap({ Unicode.Scalar($0) }) {
                decoded.unicodeScalars.append(scalar)
            } else {
                decoded += "&\(name);"
            }
            rest = rest[rest.index(after: end)...]
        }
        return decoded + rest
    }
}
