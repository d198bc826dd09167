internal import Glibc

/// The thread a loop runs on when it is not the process's main one.
public struct EventLoopThread: @unchecked Sendable {
    private let loop: EventLoop
    private let thread: pthread_t

    init(_ loop: EventLoop) {
        self.loop = loop
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<EventLoop>.fromOpaque(argument).takeRetainedValue().run(lettingGo: true)
                return nil
            }, Unmanaged.passRetained(loop).toOpaque())
        precondition(status == 0, "the system has no thread left for an event loop")
        self.thread = thread
    }

    /// Stops the loop and waits for its thread to end. Not to be called from the loop itself.
    public func stopAndJoin() {
        loop.stop()
        pthread_join(thread, nil)
    }
}
