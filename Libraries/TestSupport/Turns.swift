internal import Synchronization

/// Lets so many bodies run at once and no more: hundreds of tests are started together, and services that all migrate
/// their databases at the same moment on two processors time out for it.
final class Turns: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
        var head = 0
    }

    /// Whoever has a turn takes no other, for whose end it might wait in vain.
    @TaskLocal private static var isHeld = false

    /// Those of tests that have a database of their own.
    static let ofDatabases = Turns(24)

    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(free: count)) }

    func run<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        guard !Turns.isHeld else { return try await body() }
        await begin()
        defer { end() }
        return try await Turns.$isHeld.withValue(true) { try await body() }
    }

    private func begin() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.free == 0 else {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func end() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard state.head < state.waiting.count else {
                state.free += 1
                return nil
            }
            state.head += 1
            return state.waiting[state.head - 1]
        }
        next?.resume()
    }
}
