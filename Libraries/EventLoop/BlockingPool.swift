internal import Glibc
internal import Synchronization

/// A few threads for work that would hold up a loop: blocking system calls and heavy computation.
public final class BlockingPool: Sendable {
    private struct State {
        var queue: [@Sendable () -> Void] = []
        var head = 0
        var threads = 0
        var idle = 0
    }

    /// The pool of the process: as many threads as it has processors, at least two.
    public static let shared = BlockingPool(threads: max(2, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))

    private let limit: Int
    private let state = Mutex(State())
    private let available = Semaphore()

    /// Makes a pool; threads start as work comes and then stay.
    public init(threads: Int) { limit = threads }

    /// Runs the work on a thread of the pool and returns its result to the caller's executor.
    public func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            enqueue { continuation.resume(with: Result { try work() }) }
        }
    }

    private func enqueue(_ work: @escaping @Sendable () -> Void) {
        let startThread = state.withLock { state in
            state.queue.append(work)
            let waiting = state.queue.count - state.head
            guard state.threads < limit, state.idle < waiting else { return false }
            state.threads += 1
            return true
        }
        if startThread { spawnThread() }
        available.post()
    }

    private func spawnThread() {
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<BlockingPool>.fromOpaque(argument).takeRetainedValue().work()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(status == 0, "the system has no thread left for blocking work")
        pthread_detach(thread)
    }

    private func work() {
        while true {
            state.withLock { $0.idle += 1 }
            available.wait()
            let next = state.withLock { state in
                state.idle -= 1
                let next = state.queue[state.head]
                state.head += 1
                if state.head == state.queue.count {
                    state.queue.removeAll(keepingCapacity: true)
                    state.head = 0
                }
                return next
            }
            next()
        }
    }
}

/// A POSIX semaphore at a fixed address.
private final class Semaphore: @unchecked Sendable {
    private let handle = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    init() { sem_init(handle, 0, 0) }
    deinit {
        sem_destroy(handle)
        handle.deallocate()
    }
    func post() { sem_post(handle) }
    func wait() { while sem_wait(handle) != 0 {} }
}
