public import Core
internal import EventLoop
public import HarbourProtocol
internal import JupyterKernel

extension Driver {
    /// Most matches of one answer.
    static let matchLimit = 200
    /// Most bytes of one match and of its signature.
    static let matchBytes = 1024
    /// Most bytes of a documentation.
    static let inspectionBytes = 65536
    /// How long a question waits for a kernel that runs something: the user waits too.
    static let questionPatience = Duration.seconds(2)

    /// How the name at the cursor may go on; nothing for languages of which the kernel does not know.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` for the context, `INVALID_STATE` when that has ended,
    ///   `INVALID_PARAMETER_VALUE` for a cursor behind the code.
    public func complete(_ spec: CompleteCode, in contextID: String) async throws(HarbourError) -> Completion {
        let nothing = Completion(matches: [], cursorStart: spec.cursorPos, cursorEnd: spec.cursorPos, busy: false)
        let context = try find(contextID)
        let question = try question(.complete, spec.code, spec.cursorPos, spec.language, context)
        guard let question else { return nothing }
        guard let found = await context.complete(question, within: Driver.questionPatience) else {
            var busy = nothing
            busy.busy = true
            return busy
        }
        let code = 0...spec.code.unicodeScalars.count
        // A kernel that tells of a place outside the code is not believed.
        guard code.contains(found.start), code.contains(found.end), found.start <= found.end else { return nothing }
        let redactor = configuration.redactor
        // What is only written differently by us would not be what the kernel knows.
        let matches = found.matches.filter { $0.text.utf8.count <= Driver.matchBytes && redactor($0.text) == $0.text }
        return Completion(
            matches: matches.prefix(Driver.matchLimit).map { match in
                CompletionMatch(
                    text: match.text, type: match.type.map { Driver.cut($0, Driver.matchBytes).text },
                    signature: match.signature.map { Driver.cut(redactor($0), Driver.matchBytes).text })
            }, cursorStart: found.start, cursorEnd: found.end, busy: false,
            truncated: matches.count > Driver.matchLimit ? true : nil)
    }

    /// What is known of the name at the cursor.
    /// - Throws: as `complete`.
    public func inspect(_ spec: InspectCode, in contextID: String) async throws(HarbourError) -> Inspection {
        let context = try find(contextID)
        let question = try question(
            .inspect(detail: spec.detailLevel ?? 0), spec.code, spec.cursorPos, spec.language, context)
        guard let question else { return Inspection(found: false, busy: false) }
        guard let told = await context.inspect(question, within: Driver.questionPatience) else {
            return Inspection(found: false, busy: true)
        }
        guard let bundle = told.bundle else { return Inspection(found: false, busy: false) }
        // The value of a variable is part of what is told, and may be a secret.
        let data = configuration.redactor.redact(bundle).data
        let text = data["text/plain"]?.string.map { Driver.cut($0, Driver.inspectionBytes) }
        let html = data["text/html"]?.string.flatMap { $0.utf8.count <= Driver.inspectionBytes ? $0 : nil }
        return Inspection(
            found: true, text: text?.text, html: html, busy: false, truncated: text?.isCut == true ? true : nil)
    }

    /// The question for the context's kernel; nil when it does not know about code of the language.
    private func question(
        _ kind: KernelQuestion.Kind, _ code: String, _ cursor: Int, _ language: String?, _ context: DriverContext
    ) throws(HarbourError) -> KernelQuestion? {
        guard !context.isTerminated else {
            throw HarbourError(.invalidState, "The context \(context.id) has ended. Make a new one.")
        }
        guard cursor <= code.unicodeScalars.count else {
            throw HarbourError(
                .invalidParameter, "cursor_pos is behind the end of the code. Count Unicode code points from its start."
            )
        }
        let language = language.map(KernelChoice.canonical) ?? context.language
        guard context.kernelName == KernelPool.ownName else {
            return language == context.language ? KernelQuestion(kind, code: code, cursor: cursor) : nil
        }
        guard language == "python" || language == "sql" else { return nil }
        return KernelQuestion(
            kind, code: code, cursor: cursor, metadata: ["dataharbour": ["language": .string(language)]])
    }

    private static func cut(_ text: String, _ limit: Int) -> (text: String, isCut: Bool) {
        guard text.utf8.count > limit else { return (text, false) }
        // At a whole character: what is half of one there is left out.
        var end = text.utf8.index(text.startIndex, offsetBy: limit)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return (String(text[..<end]), true)
    }
}
