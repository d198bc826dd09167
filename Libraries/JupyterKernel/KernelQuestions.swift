internal import Core

/// The questions about code of one kernel: those that wait, and the one that it thinks about. Pure.
///
/// A question is sent only while the kernel has nothing to run, so none ever waits inside the kernel before a command
/// that comes later, and one at a time, so at most one does after all.
struct KernelQuestions {
    typealias Action = KernelSession.Action

    /// More are not kept waiting: whoever asks faster than that does not read the answers.
    static let limit = 16
    /// How long a kernel may think about one. IPython reads the sources of a large library, once, before it can tell.
    static let thinking = Duration.seconds(6)

    private var waiting: [(id: UInt64, question: KernelQuestion)] = []
    /// The one that was sent. Nobody waits for its answer any more where the id is nil.
    private var asked: (id: UInt64?, messageID: String)?

    /// Takes a question, which may wait for so long.
    mutating func add(_ id: UInt64, _ question: KernelQuestion, patience: Duration) -> [Action] {
        guard waiting.count < KernelQuestions.limit else { return [.answer(id, nil)] }
        waiting.append((id, question))
        return [.schedule(.question(id), patience)]
    }

    /// The next question, when none is with the kernel.
    func next() -> KernelQuestion? { asked == nil ? waiting.first?.question : nil }

    /// The next question is sent as that message; it has waited long enough.
    mutating func sent(as messageID: String) -> Action {
        let id = waiting.removeFirst().id
        asked = (id, messageID)
        return .schedule(.question(id), KernelQuestions.thinking)
    }

    /// Whether the message answers the one that was sent; if so, what follows.
    mutating func reply(_ message: JupyterMessage) -> [Action]? {
        guard let asked, message.parentID == asked.messageID else { return nil }
        self.asked = nil
        return asked.id.map { KernelQuestions.end($0, message) } ?? []
    }

    /// It has taken too long.
    mutating func expired(_ id: UInt64) -> [Action] {
        if asked?.id == id { asked?.id = nil } else { waiting.removeAll { $0.id == id } }
        return KernelQuestions.end(id, nil)
    }

    /// The kernel has worked off a command that was sent later: the answer got lost, as by an interrupt.
    mutating func passedOver() -> [Action] {
        defer { asked = nil }
        return asked?.id.map { KernelQuestions.end($0, nil) } ?? []
    }

    /// The kernel has ended.
    mutating func endAll() -> [Action] {
        let ids = (asked?.id).map { [$0] } ?? []
        let all = ids + waiting.map(\.id)
        (asked, waiting) = (nil, [])
        return all.flatMap { KernelQuestions.end($0, nil) }
    }

    private static func end(_ id: UInt64, _ answer: JupyterMessage?) -> [Action] {
        [.cancel(.question(id)), .answer(id, answer)]
    }
}
