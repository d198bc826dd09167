public import Core

/// One output of a code cell, in the shape of nbformat 4. Unknown fields and any media type are kept as they are.
public struct CellOutput: Sendable, Hashable {
    /// The kinds of nbformat.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Text on standard output or error.
        case stream
        /// Something shown, by media types.
        case displayData = "display_data"
        /// The value of the cell's last expression.
        case executeResult = "execute_result"
        /// An exception.
        case error
    }

    /// What kind it is.
    public let kind: Kind
    /// All of its fields.
    public private(set) var json: JSONObject

    /// Text on `stdout` or `stderr`.
    public static func stream(_ name: String, _ text: String) -> CellOutput {
        CellOutput(.stream, ["name": .string(name), "text": .lines(text)])
    }

    /// Something shown; values of text types may hold one string, which is split into lines as Jupyter does.
    public static func displayData(_ data: JSONObject, metadata: JSONObject = [:]) -> CellOutput {
        CellOutput(.displayData, ["data": .object(splitBundle(data)), "metadata": .object(metadata)])
    }

    /// The value of the last expression.
    public static func executeResult(count: Int64?, _ data: JSONObject, metadata: JSONObject = [:]) -> CellOutput {
        CellOutput(
            .executeResult,
            [
                "data": .object(splitBundle(data)), "execution_count": count.map { .integer($0) } ?? .null,
                "metadata": .object(metadata),
            ])
    }

    /// An exception with its trace, each entry a piece of text that may hold terminal colours.
    public static func error(name: String, value: String, traceback: [String]) -> CellOutput {
        CellOutput(
            .error,
            [
                "ename": .string(name), "evalue": .string(value),
                "traceback": .array(traceback.map { .string($0) }),
            ])
    }

    private init(_ kind: Kind, _ fields: JSONObject) {
        self.kind = kind
        var json = fields
        json["output_type"] = .string(kind.rawValue)
        self.json = json
    }

    /// Reads an output and checks the types of what nbformat names.
    ///
    /// - Throws: `INVALID_NOTEBOOK`, with the place below `place`.
    public init(_ value: JSONValue, at place: String = "output") throws(HarbourError) {
        guard let json = value.object else { throw .notebook(place, "must be an object") }
        guard let name = json["output_type"]?.string, let kind = Kind(rawValue: name) else {
            throw .notebook(
                "\(place).output_type", "must be one of \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        switch kind {
        case .stream:
            guard json["name"]?.string != nil else { throw .notebook("\(place).name", "must be a string") }
            guard json["text"]?.joinedLines != nil else {
                throw .notebook("\(place).text", "must be a string or a list of strings")
            }
        case .displayData, .executeResult:
            guard json["data"]?.object != nil else { throw .notebook("\(place).data", "must be an object") }
            if let metadata = json["metadata"], metadata.object == nil {
                throw .notebook("\(place).metadata", "must be an object")
            }
            if let count = json["execution_count"], !count.isNull, count.int64 == nil {
                throw .notebook("\(place).execution_count", "must be a whole number or null")
            }
        case .error:
            for key in ["ename", "evalue"] where json[key]?.string == nil {
                throw .notebook("\(place).\(key)", "must be a string")
            }
            guard let traceback = json["traceback"]?.array, traceback.allSatisfy({ $0.string != nil }) else {
                throw .notebook("\(place).traceback", "must be a list of strings")
            }
        }
        self.kind = kind
        self.json = json
    }

    /// STREAM: `stdout` or `stderr`.
    public var streamName: String? { kind == .stream ? json["name"]?.string : nil }
    /// STREAM: the text.
    public var text: String? { kind == .stream ? json["text"]?.joinedLines : nil }
    /// DISPLAY and RESULT: the representations by media type.
    public var data: JSONObject? { json["data"]?.object }
    /// DISPLAY and RESULT: metadata by media type.
    public var metadata: JSONObject? { json["metadata"]?.object }
    /// ERROR: the exception's name, such as `ValueError`.
    public var errorName: String? { json["ename"]?.string }
    /// ERROR: the exception's text.
    public var errorValue: String? { json["evalue"]?.string }
    /// ERROR: the trace.
    public var traceback: [String] { (json["traceback"]?.array ?? []).compactMap(\.string) }

    /// The representation of a media type as text, whether it is stored as one string or as lines; nil for JSON types
    /// and for those that are not there.
    public func text(ofType mediaType: String) -> String? { data?[mediaType]?.joinedLines }

    /// Splits the text types of a bundle into lines, as nbformat does when it writes: text, scripts and drawings, but
    /// no base64.
    static func splitBundle(_ data: JSONObject) -> JSONObject {
        JSONObject(
            data.fields.map { key, value in
                let isText = key.hasPrefix("text/") || key == "application/javascript" || key == "image/svg+xml"
                guard isText, case .string(let text) = value else { return (key, value) }
                return (key, .lines(text))
            })
    }
}

extension JSONValue {
    /// Text as a list of its lines with their ends, as nbformat stores text.
    static func lines(_ text: String) -> JSONValue { .array(splitLines(text).map { .string($0) }) }

    /// The text of a string, or of a list of strings; nil for anything else.
    var joinedLines: String? {
        switch self {
        case .string(let text): return text
        case .array(let parts):
            var text = ""
            for part in parts {
                guard let string = part.string else { return nil }
                text += string
            }
            return text
        default: return nil
        }
    }
}

/// Splits as Python's `str.splitlines(True)` does, so that files come out as nbformat writes them: after `\n`, `\r\n`,
/// `\r`, and the rarer line ends of Unicode.
func splitLines(_ text: String) -> [String] {
    var lines: [String] = []
    let scalars = text.unicodeScalars
    var start = scalars.startIndex
    var index = start
    while index < scalars.endIndex {
        let scalar = scalars[index]
        scalars.formIndex(after: &index)
        switch scalar.value {
        case 0x0d:
            if index < scalars.endIndex, scalars[index] == "\n" { scalars.formIndex(after: &index) }
        case 0x0a, 0x0b, 0x0c, 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029: break
        default: continue
        }
        lines.append(String(scalars[start..<index]))
        start = index
    }
    if start < scalars.endIndex { lines.append(String(scalars[start...])) }
    return lines
}
