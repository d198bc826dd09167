internal import Core

/// Reads the contents of messages. They come from user code by way of the kernel: whatever is missing or of another
/// type becomes empty, so that a strange output is shown strangely and never stops the cell.
enum KernelContent {
    /// The output an `iopub` message carries, or nil when it carries none.
    static func output(of message: JupyterMessage) -> KernelOutput? {
        switch message.type {
        case "stream":
            let content = object(message.content)
            return .stream(name: text(content["name"], or: "stdout"), text: text(content["text"]))
        case "display_data", "update_display_data":
            let content = object(message.content)
            let bundle = bundle(content)
            let id = content["transient"]?["display_id"]?.string
            return message.type == "display_data"
                ? .display(bundle, displayID: id) : .updateDisplay(bundle, displayID: id)
        case "execute_result":
            let content = object(message.content)
            return .result(bundle(content), executionCount: content["execution_count"]?.int64 ?? 0)
        case "error":
            return .error(error(object(message.content), metadata: object(message.metadata)))
        case "clear_output":
            return .clearOutput(wait: object(message.content)["wait"]?.bool ?? false)
        case "comm_open", "comm_msg", "comm_close":
            return .comm(type: message.type, content: .object(object(message.content)))
        default:
            return nil
        }
    }

    /// The state in a `status` message.
    static func state(of message: JupyterMessage) -> String {
        text(object(message.content)["execution_state"])
    }

    /// The count in an `execute_input` message or an `execute_reply`.
    static func executionCount(of message: JupyterMessage) -> Int64? {
        object(message.content)["execution_count"]?.int64
    }

    static func result(of reply: JupyterMessage) -> KernelResult {
        let content = object(reply.content)
        let count = content["execution_count"]?.int64
        switch content["status"]?.string {
        case "ok": return KernelResult(.ok, executionCount: count)
        case "error":
            return KernelResult(.error(error(content, metadata: object(reply.metadata))), executionCount: count)
        default: return KernelResult(.aborted, executionCount: count)
        }
    }

    static func info(of reply: JupyterMessage) -> KernelInfo {
        let content = object(reply.content)
        let language = content["language_info"]
        return KernelInfo(
            protocolVersion: text(content["protocol_version"]), implementation: text(content["implementation"]),
            language: text(language?["name"]), languageVersion: text(language?["version"]),
            banner: text(content["banner"]))
    }

    /// The ways to go on in a `complete_reply`; none when the kernel failed to find them.
    static func completion(of reply: JupyterMessage) -> KernelCompletion {
        let content = object(reply.content)
        // IPython tells more of each match in its metadata, in another order perhaps, and with a place of its own.
        let start = content["cursor_start"]?.int ?? 0
        let end = content["cursor_end"]?.int ?? start
        let told = content["metadata"]?["_jupyter_types_experimental"]?.array ?? []
        var known: [String: JSONValue] = [:]
        for one in told where one["start"]?.int ?? start == start {
            if let text = one["text"]?.string { known[text] = one }
        }
        let texts = (content["matches"]?.array ?? []).compactMap(\.string)
        let matches = texts.map { text in
            KernelCompletion.Match(
                text: text, type: words(known[text]?["type"]), signature: words(known[text]?["signature"]))
        }
        return KernelCompletion(matches: matches, start: start, end: end)
    }

    /// What an `inspect_reply` tells.
    static func inspection(of reply: JupyterMessage) -> KernelInspection {
        let content = object(reply.content)
        return KernelInspection(bundle: content["found"]?.bool == true ? bundle(content) : nil)
    }

    /// A text that says something: IPython writes `<unknown>` where it does not know.
    private static func words(_ value: JSONValue?) -> String? {
        guard let text = value?.string, !text.isEmpty, text != "<unknown>" else { return nil }
        return text
    }

    /// What a kernel of ours asks in an `input_request`; nil when it is any other one's.
    static func question(of message: JupyterMessage) -> JSONObject? { object(message.content)["dataharbour"]?.object }

    /// The question in an `input_request`.
    static func prompt(of message: JupyterMessage) -> String { text(object(message.content)["prompt"]) }

    private static func error(_ content: JSONObject, metadata: JSONObject) -> KernelError {
        KernelError(
            name: text(content["ename"], or: "Error"), message: text(content["evalue"]),
            traceback: (content["traceback"]?.array ?? []).compactMap(\.string), metadata: metadata)
    }

    private static func bundle(_ content: JSONObject) -> KernelBundle {
        KernelBundle(data: content["data"]?.object ?? [:], metadata: content["metadata"]?.object ?? [:])
    }

    private static func text(_ value: JSONValue?, or other: String = "") -> String {
        if let text = value?.string { return text }
        // Some kernels write a list of lines where the protocol has a string, as notebook files do.
        if let lines = value?.array { return lines.compactMap(\.string).joined() }
        return other
    }

    /// Python's encoder lets bytes through that are not UTF-8 (surrogate escapes): repaired, as a terminal would.
    private static func object(_ bytes: [UInt8]) -> JSONObject {
        if let object = try? JSONObject(checkedJSON: bytes) { return object }
        let repaired = Array(String(decoding: bytes, as: UTF8.self).utf8)
        return (try? JSONObject(checkedJSON: repaired)) ?? [:]
    }
}
