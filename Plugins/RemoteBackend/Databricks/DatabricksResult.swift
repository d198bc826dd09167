internal import Core
internal import HarbourProtocol

/// Turns the `results` of a command (command execution 1.2) into the events that a driver of ours would have sent.
///
/// Always the same for the same results, so that the numbers stay what they are.
enum DatabricksResult {
    static let tableType = "application/vnd.dataharbour.table+json"
    private static let mostImages = 100

    /// The events of the outputs, numbered from there on, and the error when it is one.
    static func events(
        _ results: JSONValue, after sequence: Int64, at time: Timestamp
    ) -> (events: [CommandEvent], error: CommandError?) {
        var outputs: [CommandEvent] = []
        var error: CommandError?
        func add(_ type: CommandEventType, _ fill: (inout CommandEvent) -> Void) {
            var event = CommandEvent(
                sequence: sequence + Int64(outputs.count) + 1, timestamp: time, type: type)
            fill(&event)
            outputs.append(event)
        }
        switch results["resultType"]?.string {
        case "text":
            if let text = results["data"]?.string, !text.isEmpty {
                add(.stream) { event in
                    event.name = "stdout"
                    event.text = text
                }
            }
        case "table":
            let table = table(results)
            add(.result) { $0.data = [tableType: table, "text/plain": .string(plain(table))] }
        case "image", "images":
            for image in images(results).prefix(mostImages) {
                add(.display) { $0.data = [image.type: .string(image.data)] }
            }
        case "error":
            let failure = failure(results)
            add(.error) { $0.error = failure }
            error = failure
        default: break
        }
        if results["truncated"]?.bool == true {
            add(.truncated) { $0.text = "Databricks has cut the output; the rest is not to be had." }
        }
        return (outputs, error)
    }

    private static func failure(_ results: JSONValue) -> CommandError {
        let summary = results["summary"]?.string ?? results["cause"]?.string ?? "The command failed."
        // Such as "ValueError: no", perhaps with markup around the name.
        let plain = withoutMarkup(summary)
        let name = plain.prefix { $0 != ":" }.filter { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
        return CommandError(
            code: "COMMAND_FAILED", name: name.isEmpty ? "Error" : String(name.prefix(200)), message: plain,
            traceback: results["cause"]?.string.map {
                $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            })
    }

    private static func withoutMarkup(_ text: String) -> String {
        var depth = 0
        return text.filter { character in
            if character == "<" { depth += 1 }
            defer { if character == ">" && depth > 0 { depth -= 1 } }
            return depth == 0
        }
    }

    private static func table(_ results: JSONValue) -> JSONValue {
        let columns = (results["schema"]?.array ?? []).map { column -> JSONValue in
            // A type is JSON inside a string: "\"int\"".
            let type = column["type"]?.string ?? ""
            let inner = (try? JSONValue(json: Array(type.utf8)))?.string ?? type
            return ["name": .string(column["name"]?.string ?? ""), "type": .string(inner)]
        }
        return [
            "columns": .array(columns), "rows": .array(results["data"]?.array ?? []),
            "truncated": .bool(results["truncated"]?.bool ?? false), "total_rows": nil,
        ]
    }

    private static func plain(_ table: JSONValue) -> String {
        let header = (table["columns"]?.array ?? []).map { $0["name"]?.string ?? "" }.joined(separator: "\t")
        let rows = (table["rows"]?.array ?? []).prefix(1000).map { row in
            (row.array ?? []).map { $0.string ?? String(decoding: $0.encodedJSON(), as: UTF8.self) }
                .joined(separator: "\t")
        }
        return ([header] + rows).joined(separator: "\n")
    }

    private static func images(_ results: JSONValue) -> [(type: String, data: String)] {
        let texts = [results["data"], results["fileName"], results["fileNames"]].compactMap(\.self).flatMap { value in
            value.string.map { [$0] } ?? (value.array ?? []).compactMap(\.string)
        }
        return texts.compactMap { text in
            // data:image/png;base64,...
            guard text.hasPrefix("data:"), let comma = text.firstIndex(of: ",") else { return nil }
            let head = text[..<comma].dropFirst(5).split(separator: ";")
            guard let type = head.first, head.last == "base64" else { return nil }
            return (String(type), String(text[text.index(after: comma)...]))
        }
    }
}
