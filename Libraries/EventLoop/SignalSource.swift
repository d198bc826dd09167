internal import CPlatform
public import Core
internal import Glibc

/// Signals as events of a loop (signalfd), instead of handlers that interrupt any instruction.
public final class SignalSource: DescriptorHandler {
    private let loop: EventLoop
    private let descriptor: Int32
    private let handler: (Int32) -> Void
    private var isOpen = true

    /// Holds these signals back in this thread and in all threads it starts from now on, so that one that comes early
    /// waits for its source instead of ending the process. Call it first thing in `main`, before any thread exists.
    public static func block(_ signals: [Int32]) {
        var set = mask(signals)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Reads blocked signals on the loop, those that came before it was made too. Only on the loop.
    /// Throws `TEMPORARILY_UNAVAILABLE` when the process is out of descriptors.
    public init(_ signals: [Int32], loop: EventLoop, _ handler: @escaping (Int32) -> Void) throws(HarbourError) {
        var set = SignalSource.mask(signals)
        descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC))
        self.loop = loop
        self.handler = handler
        guard descriptor >= 0 else { throw .system("Signals could not be watched", errno) }
        do {
            try loop.register(descriptor, .readable, self)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// Stops reading; the signals stay blocked. Only on the loop.
    public func close() {
        guard isOpen else { return }
        isOpen = false
        loop.deregister(descriptor)
        Glibc.close(descriptor)
    }

    /// Reads what is there and hands each signal over.
    public func descriptorReady(_ events: ReadyEvents) {
        var info = signalfd_siginfo()
        while isOpen, read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) > 0 {
            handler(Int32(bitPattern: info.ssi_signo))
        }
    }

    private static func mask(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }
}
