public import EventLoop

/// Runs the body with an event loop on a thread of its own, and stops the loop afterwards. The body runs on the loop.
public func withEventLoop<Value: Sendable>(
    _ body: @escaping @Sendable (EventLoop) async throws -> Value
) async throws -> Value {
    let loop = try EventLoop()
    let thread = loop.start()
    defer { thread.stopAndJoin() }
    return try await withTaskExecutorPreference(loop) { try await body(loop) }
}
