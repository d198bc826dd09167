internal import Synchronization

/// Tasks that wait for one value which is set on a loop. Touched on that loop, but for the cancellation of a task.
struct Waiters<Value: Sendable> {
    private final class Waiter: Sendable {
        private enum State {
            case idle
            case waiting(CheckedContinuation<Value, any Error>)
            case done
        }
        private let state = Mutex(State.idle)

        /// False when the task was cancelled before it could wait.
        func park(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
            state.withLock { state in
                guard case .idle = state else { return false }
                state = .waiting(continuation)
                return true
            }
        }

        func resume(_ result: Result<Value, any Error>) {
            let waiting: CheckedContinuation<Value, any Error>? = state.withLock { state in
                defer { state = .done }
                guard case .waiting(let continuation) = state else { return nil }
                return continuation
            }
            waiting?.resume(with: result)
        }
    }

    private final class Storage: @unchecked Sendable {
        var waiters: [ObjectIdentifier: Waiter] = [:]
        var uncancelled: [CheckedContinuation<Value, Never>] = []
    }

    private let storage = Storage()

    /// Waits until `resumeAll`, unless `present` has the value already. `present` is called on the loop.
    func wait(on loop: EventLoop, unless present: @escaping @Sendable () -> Value?) async throws -> Value {
        let waiter = Waiter()
        let storage = storage
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard waiter.park(continuation) else {
                    continuation.resume(throwing: CancellationError())
                    return
                }
                loop.onLoop {
                    if let value = present() {
                        waiter.resume(.success(value))
                    } else {
                        storage.waiters[ObjectIdentifier(waiter)] = waiter
                    }
                }
            }
        } onCancel: {
            waiter.resume(.failure(CancellationError()))
            loop.submit { storage.waiters[ObjectIdentifier(waiter)] = nil }
        }
    }

    /// The same for a caller whose cancellation must not end the wait.
    func waitUncancelled(on loop: EventLoop, unless present: @escaping @Sendable () -> Value?) async -> Value {
        let storage = storage
        return await withCheckedContinuation { continuation in
            loop.onLoop {
                if let value = present() {
                    continuation.resume(returning: value)
                } else {
                    storage.uncancelled.append(continuation)
                }
            }
        }
    }

    /// Gives the value to all who wait. Only on the loop.
    func resumeAll(_ value: Value) {
        let waiters = storage.waiters.values
        storage.waiters = [:]
        for waiter in waiters { waiter.resume(.success(value)) }
        let uncancelled = storage.uncancelled
        storage.uncancelled = []
        for continuation in uncancelled { continuation.resume(returning: value) }
    }
}
