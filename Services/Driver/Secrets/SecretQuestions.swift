internal import Core
internal import EventLoop
internal import HarbourProtocol

/// What commands ask about secrets, until the cluster service has answered: it alone knows whose commands they are, and
/// may ask the workspace. Used on the driver's loop only.
final class SecretQuestions: @unchecked Sendable {
    /// How long a command waits; the service may be away for a moment.
    static let patience = Duration.seconds(60)
    /// How many commands may ask at a time.
    static let limit = 1024
    private static let nameLength = 128

    private struct Open {
        var wanted: WantedSecret
        var timer: LoopTimer
        var answer: (SecretAnswer) -> Void
    }

    private let redactor: Redactor
    private let loop: EventLoop
    private let patience: Duration
    private let changed: LoopSignal
    private var open: [Int64: Open] = [:]
    private var last: Int64 = 0

    /// What is read is taken out of outputs by the redactor.
    init(_ redactor: Redactor, loop: EventLoop, patience: Duration = SecretQuestions.patience) {
        self.redactor = redactor
        self.loop = loop
        self.patience = patience
        changed = LoopSignal(loop)
    }

    /// Asks for a command; the answer comes once, unless the question is withdrawn.
    func ask(
        _ question: JSONObject, context: String, command: String, answer: @escaping (SecretAnswer) -> Void
    ) {
        last += 1
        guard let wanted = SecretQuestions.wanted(question, last, context, command) else {
            return answer(
                .failed(
                    last, .invalidParameter,
                    "The question about secrets has no operation of ours, or a name of more than 128 characters."))
        }
        guard open.count < SecretQuestions.limit else {
            return answer(.failed(last, .resourceExhausted, "Too many commands ask for secrets. Try again."))
        }
        let timer = loop.schedule(after: patience) { [self, id = last] in
            take(
                .failed(
                    id, .unavailable,
                    "The secret could not be asked for: the cluster service did not answer. Try again when it runs."))
        }
        open[last] = Open(wanted: wanted, timer: timer, answer: answer)
        changed.notify()
    }

    private static func wanted(
        _ question: JSONObject, _ id: Int64, _ context: String, _ command: String
    ) -> WantedSecret? {
        guard let operation = question["operation"]?.string.flatMap(SecretOperation.init(rawValue:)) else { return nil }
        let (scope, key) = (question["scope"]?.string, question["key"]?.string)
        // Whoever follows refuses longer ones and would hear nothing more; anybody's code can write such a message.
        guard [scope, key].allSatisfy({ ($0?.unicodeScalars.count ?? 0) <= nameLength }) else { return nil }
        return WantedSecret(
            questionID: id, contextID: context, commandID: command, operation: operation, scope: scope, key: key)
    }

    /// Takes an answer; one that comes late or twice changes nothing.
    func take(_ answer: SecretAnswer) {
        guard let question = open.removeValue(forKey: answer.questionID) else { return }
        question.timer.cancel()
        // Before the command has it, so that it cannot be quicker than we are.
        guard let value = answer.value, !redactor.learn(value) else { return question.answer(answer) }
        question.answer(
            .failed(
                answer.questionID, .resourceExhausted,
                "So many secrets were read on this cluster that outputs cannot be held against more. Restart it."))
    }

    /// The command waits no more.
    func withdraw(command: String, context: String) {
        for (id, question) in open where question.wanted.commandID == command && question.wanted.contextID == context {
            question.timer.cancel()
            open[id] = nil
        }
    }

    /// Gives each question that is open, and those to come.
    /// - Throws: `CancellationError`, and what `body` throws.
    func follow(_ body: (WantedSecret) async throws -> Void) async throws {
        var seen: Int64 = 0
        while true {
            let version = changed.version
            if let next = open.keys.filter({ $0 > seen }).min(), let question = open[next] {
                seen = next
                try await body(question.wanted)
            } else {
                try await changed.wait(after: version)
            }
        }
    }
}

extension SecretAnswer {
    fileprivate static func failed(_ id: Int64, _ code: ErrorCode, _ message: String) -> SecretAnswer {
        SecretAnswer(questionID: id, error: CommandError(code: code.name, name: "SecretError", message: message))
    }

    /// What the kernel is told: `{"id", "value" | "names" | "error"}`.
    func reply(to question: JSONObject) -> String {
        var fields: [(String, JSONValue)] = [("id", question["id"] ?? .null)]
        if let value { fields.append(("value", .string(value))) }
        if let names { fields.append(("names", .array(names.map { .string($0) }))) }
        if let error {
            fields.append(("error", ["code": .string(error.code), "message": .string(error.message)]))
        }
        return JSONObject(fields).jsonText()
    }
}
