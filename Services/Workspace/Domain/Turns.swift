internal import Core
internal import Synchronization

/// Lets few do something at a time, in the order of coming: each may hold a lot in memory, keep a processor busy, or one
/// of the few connections to the database.
final class Turns: Sendable {
    private struct State {
        var taken = 0
        var lastID = 0
        var waiting: [(id: Int, continuation: CheckedContinuation<Turn, any Error>)] = []
    }

    private let limit: Int
    private let queue: Int
    private let refusal: String
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: how many do it at a time.
    ///   - queue: how many more may wait for it.
    ///   - refusal: what all others are told.
    init(limit: Int, queue: Int = 0, refusal: String) {
        self.limit = limit
        self.queue = queue
        self.refusal = refusal
    }

    /// How many wait now.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs the body when it is its turn.
    /// - Throws: `RESOURCE_EXHAUSTED` when too many wait; what the body throws.
    func run<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let turn = try await take()
        defer { withExtendedLifetime(turn) {} }
        return try await body()
    }

    /// Waits for a turn, which ends with its last owner.
    /// - Throws: `RESOURCE_EXHAUSTED` when too many wait.
    func take() async throws -> Turn {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = state.withLock { state in enter(id, continuation, &state) }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            // Nobody waits for the answer of this one any more.
            let gone: CheckedContinuation<Turn, any Error>? = state.withLock { state in
                guard let place = state.waiting.firstIndex(where: { $0.id == id }) else { return nil }
                return state.waiting.remove(at: place).continuation
            }
            gone?.resume(throwing: CancellationError())
        }
    }

    /// Returns nil when it has to wait.
    private func enter(
        _ id: Int, _ continuation: CheckedContinuation<Turn, any Error>, _ state: inout State
    ) -> Result<Turn, any Error>? {
        if Task.isCancelled { return .failure(CancellationError()) }
        guard state.taken == limit else {
            state.taken += 1
            return .success(Turn(self))
        }
        guard state.waiting.count < queue else { return .failure(HarbourError(.resourceExhausted, refusal)) }
        state.waiting.append((id, continuation))
        return nil
    }

    private func end() {
        let next: CheckedContinuation<Turn, any Error>? = state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.taken -= 1
                return nil
            }
            return state.waiting.removeFirst().continuation
        }
        next?.resume(returning: Turn(self))
    }

    /// One of the places.
    final class Turn: Sendable {
        private let turns: Turns
        fileprivate init(_ turns: Turns) { self.turns = turns }
        deinit { turns.end() }
    }
}
