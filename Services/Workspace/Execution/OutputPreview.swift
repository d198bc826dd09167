internal import Core

/// What stands for a large output until somebody wants all of it: how large it is, of what kind, and a piece of it.
enum OutputPreview {
    /// Its media type.
    static let type = "application/vnd.dataharbour.omitted+json"
    /// What is shown of the start and of the end of a long text, in characters.
    static let shown = 4096
    /// And in lines.
    private static let lines = 40
    /// How many rows of a table are shown, and how many of the media types are named.
    private static let rows = 10
    private static let types = 16
    private static let tableType = "application/vnd.dataharbour.table+json"
    /// The most that a piece of a table may take, in bytes.
    private static let tableBytes = 8192

    /// What stands for an output.
    /// - Parameters:
    ///   - bytes: what the output takes.
    ///   - characters: the most that is shown of the start and of the end of a text.
    static func of(_ output: JSONValue, bytes: Int, characters: Int = shown) -> JSONValue {
        var about: JSONObject = [:]
        if let text = text(output["text"]) {
            about["name"] = output["name"]
            about["head"] = .string(firstLines(start(text, characters)))
            about["tail"] = .string(lastLines(end(text, characters)))
        } else if let data = output["data"]?.object {
            about = piece(of: data, characters)
        } else if let name = output["ename"]?.string {
            about["head"] = .string(start("\(name): \(output["evalue"]?.string ?? "")", characters))
        }
        about["output_type"] = output["output_type"] ?? .null
        return display(about, bytes: bytes)
    }

    /// What stands for the bundle of an event that is too large to be told.
    static func bundle(of data: JSONObject, bytes: Int) -> JSONObject {
        var about = piece(of: data, shown)
        about["bytes"] = .integer(Int64(bytes))
        return [type: .object(about)]
    }

    /// What stands for several outputs.
    static func rest(_ count: Int, bytes: Int) -> JSONValue {
        display(["outputs": .integer(Int64(count))], bytes: bytes)
    }

    /// What stands for all outputs of a cell, which are asked for when it comes near.
    static func waiting(bytes: Int) -> JSONValue { display(["waits": true], bytes: bytes) }

    static func isPreview(_ output: JSONValue) -> Bool { output["data"]?[type] != nil }

    private static func display(_ about: JSONObject, bytes: Int) -> JSONValue {
        var about = about
        about["bytes"] = .integer(Int64(bytes))
        return ["output_type": "display_data", "metadata": [:], "data": .object([type: .object(about)])]
    }

    /// What is shown of a bundle: the first rows of a table, or the start of its text.
    private static func piece(of data: JSONObject, _ characters: Int) -> JSONObject {
        var about: JSONObject = ["types": .array(data.keys.prefix(types).map { .string(start($0, 100)) })]
        if let table = data[tableType].flatMap(firstRows), size(table) <= min(tableBytes, characters * 2) {
            about["table"] = table
        } else if let text = text(data["text/plain"]), !text.isEmpty {
            about["head"] = .string(firstLines(start(text, characters / 4)))
        }
        return about
    }

    private static func firstRows(_ table: JSONValue) -> JSONValue? {
        guard var object = table.object, let all = object["rows"]?.array, all.count > rows else { return nil }
        object["rows"] = .array(Array(all.prefix(rows)))
        object["truncated"] = true
        return .object(object)
    }

    // MARK: Texts and sizes

    static func start(_ text: String, _ count: Int) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(count)))
    }

    static func end(_ text: String, _ count: Int) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.suffix(count)))
    }

    private static func firstLines(_ text: String) -> String {
        var left = lines
        return String(
            text.unicodeScalars.prefix { scalar in
                if left > 0, scalar == "\n" { left -= 1 }
                return left > 0
            })
    }

    private static func lastLines(_ text: String) -> String {
        var left = lines
        var start = text.unicodeScalars.endIndex
        while start > text.unicodeScalars.startIndex {
            let before = text.unicodeScalars.index(before: start)
            if text.unicodeScalars[before] == "\n" {
                if left == 0 { break }
                left -= 1
            }
            start = before
        }
        return String(text.unicodeScalars[start...])
    }

    /// nbformat writes a text as one string or as a list of its lines.
    private static func text(_ value: JSONValue?) -> String? {
        value?.string ?? value?.array.map { $0.compactMap(\.string).joined() }
    }

    /// About what a value takes, without writing it.
    static func size(_ value: JSONValue) -> Int {
        switch value {
        case .string(let text): text.utf8.count + 2
        case .array(let elements): elements.reduce(2) { $0 + size($1) + 1 }
        case .object(let object): object.fields.reduce(2) { $0 + $1.key.utf8.count + 4 + size($1.value) }
        case .number(let number): number.text.utf8.count
        case .bool, .null: 4
        }
    }
}
