internal import Core

/// Lets one task in at a time, in the order of their coming. Lives on one actor or loop.
struct AsyncGate {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Whether the caller may go in at once; otherwise it has to `wait`.
    mutating func tryEnter() -> Bool {
        if isTaken { return false }
        isTaken = true
        return true
    }

    /// Queues a task; it is resumed when it is its turn, and is inside then.
    mutating func wait(_ continuation: CheckedContinuation<Void, Never>) { waiting.append(continuation) }

    /// Lets the next one in.
    mutating func leave() {
        if waiting.isEmpty {
            isTaken = false
        } else {
            waiting.removeFirst().resume()
        }
    }
}
