internal import Core
internal import HarbourProtocol
internal import JupyterKernel

/// Turns outputs of a kernel into events, and sees to it that a command puts out no more than it may.
///
/// Beyond the limit, text goes to a file, pictures and tables are left out with a line in that file, and a marker event
/// says so, once. Errors and the ends of commands always pass.
struct OutputLimiter {
    /// An event without its number and time.
    struct Draft {
        var type: CommandEventType
        var name: String?
        var text: String?
        var data: JSONObject?
        var metadata: JSONObject?
        var displayID: String?
        var wait: Bool?
        var executionCount: Int64?
        var error: CommandError?

        init(_ type: CommandEventType) { self.type = type }
    }

    /// Text events are cut to pieces of this size, so that no line of a stream gets out of hand.
    static let pieceSize = 262_144
    static let errorTextLimit = 65_536
    /// `dbutils.notebook.exit` was called.
    static let exitType = "application/vnd.dataharbour.exit+json"
    /// The command has changed the notebook's widgets.
    static let widgetsType = "application/vnd.dataharbour.widgets+json"
    /// The kernel tells of them once a command and in less than this; what is more is left out and said to be.
    private static let widgetEvents = 16
    private static let widgetBytes = 1_048_576

    let byteLimit: Int
    let eventLimit: Int
    private let overflow: OverflowFile
    private let redactor: Redactor
    /// What is held back of each stream, by its name, because it may be the beginning of a secret.
    private var streams: [(name: String, text: StreamRedactor)] = []
    private var bytes = 0
    private var events = 0
    private var widgetChanges = 0
    private(set) var isTruncated = false

    init(byteLimit: Int, eventLimit: Int, overflow: OverflowFile, redactor: Redactor = Redactor()) {
        self.byteLimit = byteLimit
        self.eventLimit = eventLimit
        self.overflow = overflow
        self.redactor = redactor
    }

    func removeOverflow() { overflow.remove() }

    /// The file that keeps what was cut.
    var overflowPath: String { overflow.path }

    /// Whether text is held back, to be given out by `rest` if nothing follows.
    var isHolding: Bool { streams.contains { $0.text.isHolding } }

    mutating func drafts(of output: KernelOutput) -> [Draft] {
        switch output {
        case .stream(let kernelsName, let text):
            let name = OutputLimiter.streamName(kernelsName)
            return streamed(name, redacted(text, of: name))
        case .comm: return []
        // Text that came before it is to stay before it.
        default: return rest() + whole(output)
        }
    }

    /// The text that was held back: nothing follows it, or not soon.
    mutating func rest() -> [Draft] {
        var drafts: [Draft] = []
        for index in streams.indices where streams[index].text.isHolding {
            let text = streams[index].text.flush()
            drafts += streamed(streams[index].name, text)
        }
        return drafts
    }

    /// A kernel has these two. Text of one that it calls otherwise stays, as `stdout`: text is held back for each name, and
    /// user code could make up any number of them.
    private static func streamName(_ name: String) -> String { name == "stderr" ? name : "stdout" }

    private mutating func redacted(_ text: String, of name: String) -> String {
        let patterns = redactor.patterns
        guard let index = streams.firstIndex(where: { $0.name == name }) else {
            if patterns.all.isEmpty { return text }
            streams.append((name, StreamRedactor(patterns)))
            return streams[streams.count - 1].text.take(text, patterns)
        }
        return streams[index].text.take(text, patterns)
    }

    private mutating func streamed(_ name: String, _ text: String) -> [Draft] {
        text.isEmpty ? [] : OutputLimiter.pieces(text).flatMap { stream(name, $0) }
    }

    private mutating func whole(_ output: KernelOutput) -> [Draft] {
        switch redactor.redact(output) {
        case .stream, .comm: return []
        case .display(let bundle, let id):
            if let value = OutputLimiter.exitValue(bundle) { return [exit(value)] }
            if let changes = bundle.data[OutputLimiter.widgetsType]?.object { return widgets(changes) }
            return bundled(.display, bundle, id)
        case .updateDisplay(let bundle, let id): return bundled(.updateDisplay, bundle, id)
        case .result(let bundle, let count):
            return bundled(.result, bundle, nil).map { draft in
                var draft = draft
                if draft.type == .result { draft.executionCount = count }
                return draft
            }
        case .error(let error): return [OutputLimiter.error(error)]
        case .clearOutput(let wait):
            var draft = Draft(.clearOutput)
            draft.wait = wait
            return admit(draft, size: 16, instead: "")
        case .oversized(let bytes):
            return stream("stderr", "An output of \(bytes) bytes was too large to be passed on.\n")
        }
    }

    private mutating func stream(_ name: String, _ text: String) -> [Draft] {
        var draft = Draft(.stream)
        draft.name = name
        draft.text = text
        return admit(draft, size: text.utf8.count, instead: text)
    }

    private mutating func bundled(_ type: CommandEventType, _ bundle: KernelBundle, _ id: String?) -> [Draft] {
        var draft = Draft(type)
        draft.data = bundle.data
        if !bundle.metadata.isEmpty { draft.metadata = bundle.metadata }
        draft.displayID = id
        let size = bundle.data.encodedJSON().count
        let types = bundle.data.keys.joined(separator: ", ")
        return admit(draft, size: size, instead: "[left out: \(types), \(size) bytes]\n")
    }

    /// The draft while there is room, else the marker the first time and then nothing.
    private mutating func admit(_ draft: Draft, size: Int, instead text: String) -> [Draft] {
        if !isTruncated, bytes + size <= byteLimit, events < eventLimit {
            bytes += size
            events += 1
            return [draft]
        }
        let kept = overflow.append(text)
        if isTruncated { return [] }
        isTruncated = true
        var marker = Draft(.truncated)
        marker.text =
            "The output was cut after \(bytes) bytes in \(events) parts. "
            + (kept
                ? "The rest is kept as a file: fetch it with `harbour clusters output`, or from the command's /overflow."
                : "The rest could not be kept.")
        return [marker]
    }

    // MARK: Pieces of outputs

    private static func exitValue(_ bundle: KernelBundle) -> String? {
        guard let value = bundle.data[exitType] else { return nil }
        return value["value"]?.string ?? ""
    }

    private func exit(_ value: String) -> Draft {
        var draft = Draft(.exit)
        draft.text = OutputLimiter.cut(value, 1_048_576)
        return draft
    }

    private mutating func widgets(_ changes: JSONObject) -> [Draft] {
        guard widgetChanges < OutputLimiter.widgetEvents, changes.encodedJSON().count <= OutputLimiter.widgetBytes
        else {
            return stream(
                "stderr",
                "A change of widgets was left out: a cell may make \(OutputLimiter.widgetEvents) of them, with "
                    + "\(OutputLimiter.widgetBytes >> 10) KiB each.\n")
        }
        widgetChanges += 1
        var draft = Draft(.widgets)
        draft.data = changes
        return [draft]
    }

    private static func error(_ error: KernelError) -> Draft {
        var draft = Draft(.error)
        draft.error = commandError(error)
        if let ours = error.metadata["dataharbour"]?.object, !ours.isEmpty { draft.metadata = ours }
        return draft
    }

    /// The error as the contract has it, its texts cut to their limits.
    static func commandError(_ error: KernelError) -> CommandError {
        var room = errorTextLimit * 4
        var traceback: [String] = []
        for line in error.traceback where room > 0 {
            traceback.append(cut(line, room))
            room -= line.utf8.count
        }
        return CommandError(
            code: "COMMAND_FAILED", name: cut(error.name, 1024), message: cut(error.message, errorTextLimit),
            traceback: traceback)
    }

    static func cut(_ text: String, _ limit: Int) -> String {
        text.utf8.count <= limit ? text : (pieces(text, limit).first ?? "") + "..."
    }

    /// The text in pieces of at most so many bytes, each whole UTF-8.
    static func pieces(_ text: String, _ size: Int = pieceSize) -> [String] {
        if text.utf8.count <= size { return [text] }
        var pieces: [String] = []
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            var end = min(start + size, bytes.count)
            while end < bytes.count, end > start, bytes[end] & 0xc0 == 0x80 { end -= 1 }
            pieces.append(String(decoding: bytes[start..<end], as: UTF8.self))
            start = end
        }
        return pieces
    }
}
