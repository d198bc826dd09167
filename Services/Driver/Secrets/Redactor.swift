internal import Core
internal import JupyterKernel
internal import Synchronization

/// Takes secrets out of what leaves the driver. Texts shorter than four bytes are left alone: too much else looks alike.
///
/// One for the whole driver: what a command has read, others may print.
final class Redactor: Sendable {
    static let mark = "[REDACTED]"
    private static let shortest = 4
    /// Each output is searched for all of them.
    private static let countLimit = 2_000
    private static let byteLimit = 8 << 20
    private let known: Mutex<SecretPatterns>

    init(_ secrets: [String] = []) {
        var found: Set<[UInt8]> = []
        for secret in secrets { Redactor.insert(secret, into: &found) }
        known = Mutex(SecretPatterns(found.map { SecretPattern($0) }))
    }

    /// Takes this one out as well from now on.
    /// - Returns: false when so many are known that no output could be held against more; then it is not.
    func learn(_ secret: String) -> Bool {
        known.withLock { known in
            let before = Set(known.all.map(\.bytes))
            var found = before
            Redactor.insert(secret, into: &found)
            if found.count == before.count { return true }
            guard found.count <= Redactor.countLimit, found.reduce(0, { $0 + $1.count }) <= Redactor.byteLimit else {
                return false
            }
            known = SecretPatterns(known.all + found.subtracting(before).map { SecretPattern($0) })
            return true
        }
    }

    /// As it is, as it looks inside JSON and HTML, and line by line, because logs come in lines.
    private static func insert(_ secret: String, into found: inout Set<[UInt8]>) {
        let lines = secret.split(separator: "\n").filter { $0.utf8.count >= 8 }.map(String.init)
        for text in [secret] + lines {
            let quoted = JSONValue.string(text).encodedJSON().dropFirst().dropLast()
            for pattern in [Array(text.utf8), Array(quoted)] + html(text) where pattern.count >= shortest {
                found.insert(pattern)
            }
        }
    }

    /// As in the text of HTML, and with quotes escaped in the ways of Python's and Jinja's `escape`.
    private static func html(_ secret: String) -> [[UInt8]] {
        let text: [Character: String] = ["&": "&amp;", "<": "&lt;", ">": "&gt;"]
        let quotes: [[Character: String]] = [
            [:], ["\"": "&quot;"], ["\"": "&quot;", "'": "&#x27;"], ["\"": "&#34;", "'": "&#39;"],
        ]
        return quotes.map { more in
            let escapes = text.merging(more) { $1 }
            return secret.flatMap { Array((escapes[$0] ?? String($0)).utf8) }
        }
    }

    /// What is looked for now.
    var patterns: SecretPatterns { known.withLock { $0 } }

    /// Whether there is nothing to take out.
    var isEmpty: Bool { patterns.all.isEmpty }

    /// The text without secrets.
    func callAsFunction(_ text: String) -> String {
        let patterns = patterns
        if patterns.all.isEmpty { return text }
        var whole = StreamRedactor(patterns)
        return whole.take(text, patterns) + whole.flush()
    }

    private func redact(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): .string(self(text))
        case .array(let values): .array(values.map(redact))
        case .object(let object): .object(redact(object))
        case .null, .bool, .number: value
        }
    }

    private func redact(_ object: JSONObject) -> JSONObject {
        JSONObject(object.fields.map { (self($0.key), redact($0.value)) })
    }

    /// The values without secrets.
    func redact(_ bundle: KernelBundle) -> KernelBundle {
        var bundle = bundle
        // Media types are nobody's text: without them an output is none any more.
        bundle.data = JSONObject(bundle.data.fields.map { ($0.key, redact($0.value)) })
        bundle.metadata = JSONObject(bundle.metadata.fields.map { ($0.key, redact($0.value)) })
        return bundle
    }

    func redact(_ error: KernelError) -> KernelError {
        if isEmpty { return error }
        var error = error
        error.name = self(error.name)
        error.message = self(error.message)
        error.traceback = error.traceback.map { self($0) }
        error.metadata = redact(error.metadata)
        return error
    }

    /// The output without secrets.
    func redact(_ output: KernelOutput) -> KernelOutput {
        if isEmpty { return output }
        switch output {
        case .stream(let name, let text): return .stream(name: name, text: self(text))
        case .display(let bundle, let id): return .display(redact(bundle), displayID: id)
        case .updateDisplay(let bundle, let id): return .updateDisplay(redact(bundle), displayID: id)
        case .result(let bundle, let count): return .result(redact(bundle), executionCount: count)
        case .error(let error): return .error(redact(error))
        case .comm, .clearOutput, .oversized: return output
        }
    }
}
