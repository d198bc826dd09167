internal import Core
internal import HTTPMessage
internal import Synchronization

/// What Spark's pages find instead of the browser's storage, which an origin of their own does not have: the scripts of
/// Spark remember there what was unfolded, and would stop at the first look.
///
/// It goes behind the document type, so that it runs before anything of the page. What does not begin with one is no page
/// of Spark's and stays as it is.
struct SparkPageShim: Sendable {
    /// Kept for as long as the page is; what Spark then finds is what a browser finds that comes for the first time.
    static let script = """
        <script>(() => {
        const storage = () => {
          const kept = new Map();
          return {
            getItem: (key) => kept.get(String(key)) ?? null,
            setItem: (key, value) => { kept.set(String(key), String(value)); },
            removeItem: (key) => { kept.delete(String(key)); },
            clear: () => { kept.clear(); },
            key: (index) => [...kept.keys()][index] ?? null,
            get length() { return kept.size; },
          };
        };
        for (const name of ["localStorage", "sessionStorage"]) {
          Object.defineProperty(window, name, { value: storage(), configurable: true });
        }
        Object.defineProperty(document, "cookie", { get: () => "", set: () => {}, configurable: true });
        })();</script>
        """
    private static let doctype = Array("<!doctype html>".utf8)

    /// What has come of the beginning; nil once it was seen.
    private var held: [UInt8]? = []

    /// Takes what comes next of the page, and gives what goes on.
    mutating func take(_ bytes: [UInt8]) -> [UInt8] {
        guard let before = held else { return bytes }
        let all = before + bytes
        let start = all.firstIndex { $0 > 0x20 } ?? all.endIndex
        let seen = all[start...].prefix(SparkPageShim.doctype.count).map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
        let isWhole = seen.count == SparkPageShim.doctype.count
        // No more is held than a page may have before its type.
        guard SparkPageShim.doctype.starts(with: seen), isWhole || all.count < 1024 else {
            held = nil
            return all
        }
        held = isWhole ? nil : all
        guard isWhole else { return [] }
        let end = start + seen.count
        return all[..<end] + Array(SparkPageShim.script.utf8) + all[end...]
    }

    /// What is left when nothing more comes.
    mutating func finish() -> [UInt8] {
        defer { held = nil }
        return held ?? []
    }

    /// Puts it into an answer that is a page.
    static func add(to response: inout HTTPResponse) {
        guard !response.fields.contains("content-encoding"),
            response.fields["content-type"]?.lowercased().hasPrefix("text/html") ?? false
        else { return }
        // They are of the page as it was.
        response.fields.removeAll("etag")
        response.fields.removeAll("last-modified")
        switch response.body {
        case .bytes(let bytes):
            var shim = SparkPageShim()
            response.body = .bytes(shim.take(bytes) + shim.finish())
        case .stream(let write):
            response.streamLength = nil
            response.body = .stream { writer in
                let filtered = SparkPageSink(writer)
                try await write(HTTPBodyWriter(filtered))
                try await filtered.finish()
            }
        case .empty, .file: return
        }
    }
}

/// Sends on what is written to it, with what pages are given.
private final class SparkPageSink: HTTPBodySink {
    private let writer: HTTPBodyWriter
    private let shim = Mutex(SparkPageShim())

    init(_ writer: HTTPBodyWriter) { self.writer = writer }

    func write(_ bytes: [UInt8]) async throws(HarbourError) {
        try await writer.write(shim.withLock { $0.take(bytes) })
    }

    func finish() async throws(HarbourError) { try await writer.write(shim.withLock { $0.finish() }) }
}
