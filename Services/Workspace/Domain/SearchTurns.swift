internal import Core
internal import Synchronization

/// Lets few search at a time: what is in no index reads everything, and holds one of the few connections to the database
/// for as long.
final class SearchTurns: Sendable {
    private struct State {
        var running = 0
        var lastID = 0
        var waiting: [(id: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    }

    private let limit: Int
    private let queue: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: how many search at a time.
    ///   - queue: how many more may wait for it.
    init(limit: Int, queue: Int) {
        self.limit = limit
        self.queue = queue
    }

    /// How many wait now.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs the body when it is its turn, in the order of coming.
    /// - Throws: `RESOURCE_EXHAUSTED` when too many wait; what the body throws.
    func run<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        try await begin()
        defer { end() }
        return try await body()
    }

    private func begin() async throws {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = state.withLock { state in enter(id, continuation, &state) }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            // Nobody waits for the answer of this one any more.
            let gone: CheckedContinuation<Void, any Error>? = state.withLock { state in
                guard let place = state.waiting.firstIndex(where: { $0.id == id }) else { return nil }
                return state.waiting.remove(at: place).continuation
            }
            gone?.resume(throwing: CancellationError())
        }
    }

    /// Returns nil when it has to wait.
    private func enter(
        _ id: Int, _ continuation: CheckedContinuation<Void, any Error>, _ state: inout State
    ) -> Result<Void, any Error>? {
        if Task.isCancelled { return .failure(CancellationError()) }
        guard state.running == limit else {
            state.running += 1
            return .success(())
        }
        guard state.waiting.count < queue else {
            return .failure(
                HarbourError(
                    .resourceExhausted,
                    "Too many searches are under way at the moment. Try again soon; words of three letters and more, and "
                        + "a folder to search in, make a search fast."))
        }
        state.waiting.append((id, continuation))
        return nil
    }

    private func end() {
        let next: CheckedContinuation<Void, any Error>? = state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst().continuation
        }
        next?.resume()
    }
}
