internal import Core
internal import Glibc
internal import Synchronization

/// Calls a closure when a descriptor is ready; what conforms stays out of the public face of the types that use it.
final class ReadyCallback: DescriptorHandler {
    private let call: (ReadyEvents) -> Void
    init(_ call: @escaping (ReadyEvents) -> Void) { self.call = call }
    func descriptorReady(_ events: ReadyEvents) { call(events) }
}

/// A descriptor that one task at a time waits for. It is watched only during a wait.
///
/// `@unchecked Sendable`: the state is touched on the loop only.
final class DescriptorGate: @unchecked Sendable {
    let loop: EventLoop
    private(set) var descriptor: Int32
    private let interest: ReadyEvents
    private var continuation: CheckedContinuation<Void, any Error>?

    /// Owns the descriptor, which must be non-blocking.
    init(_ descriptor: Int32, _ interest: ReadyEvents, loop: EventLoop) {
        self.descriptor = descriptor
        self.interest = interest
        self.loop = loop
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    var isOpen: Bool { descriptor >= 0 }

    func close() {
        loop.onLoop { [self] in
            guard descriptor >= 0 else { return }
            wake()
            Glibc.close(descriptor)
            descriptor = -1
        }
    }

    /// Runs the body on the loop.
    func perform<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        if loop.isCurrent { return try body() }
        return try await withCheckedThrowingContinuation { continuation in
            loop.submit { continuation.resume(with: Result { try body() }) }
        }
    }

    /// Returns when the descriptor is ready or closed.
    func untilReady() async throws {
        let cancelled = CancellationFlag()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                loop.onLoop { [self] in
                    precondition(self.continuation == nil, "two tasks use one end of a pipe")
                    if cancelled.isSet { return continuation.resume(throwing: CancellationError()) }
                    guard descriptor >= 0 else { return continuation.resume() }
                    do {
                        try loop.register(descriptor, interest, ReadyCallback { [self] _ in wake() })
                        self.continuation = continuation
                    } catch {
                        continuation.resume(throwing: error)
                    }
                }
            }
        } onCancel: {
            cancelled.set()
            loop.submit { [self] in wake() }
        }
        try Task.checkCancellation()
    }

    private func wake() {
        guard let continuation = continuation.take() else { return }
        loop.deregister(descriptor)
        continuation.resume()
    }
}

/// Set before the loop is told, so that a wait which starts after the cancellation sees it.
private final class CancellationFlag: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}
