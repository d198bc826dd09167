internal import Core
public import EventLoop
internal import Glibc

/// Makes outgoing connections without blocking.
public enum Connector {
    /// Connects to the first of the addresses that answers, each in turn, all within the time, and gives `completion`
    /// the descriptor, which is then the callee's, or the failure. Only on the loop.
    public static func connect(
        _ addresses: [SocketAddress], within limit: Duration, loop: EventLoop,
        completion: @escaping (Result<(Int32, SocketAddress), ConnectFailure>) -> Void
    ) {
        Attempt(addresses, deadline: .now + limit, loop, completion).next()
    }
}

/// Why nobody answered.
public struct ConnectFailure: Error, Sendable {
    /// In a few plain words, such as `connection refused`.
    public let reason: String
}

/// One try after another; kept alive by the loop's registration and timer.
private final class Attempt: DescriptorHandler {
    private var addresses: ArraySlice<SocketAddress>
    private let deadline: MonotonicTime
    private let loop: EventLoop
    private var completion: ((Result<(Int32, SocketAddress), ConnectFailure>) -> Void)?
    private var descriptor: Int32 = -1
    private var timer: LoopTimer?
    private var current: SocketAddress?
    private var reason = "the name has no address"

    init(
        _ addresses: [SocketAddress], deadline: MonotonicTime, _ loop: EventLoop,
        _ completion: @escaping (Result<(Int32, SocketAddress), ConnectFailure>) -> Void
    ) {
        self.addresses = addresses[...]
        self.deadline = deadline
        self.loop = loop
        self.completion = completion
    }

    func next() {
        while let address = addresses.popFirst() {
            let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | flags, 0)
            guard descriptor >= 0 else {
                reason = Attempt.plain(errno)
                continue
            }
            if address.withSockaddr({ Glibc.connect(descriptor, $0, $1) }) == 0 {
                succeed(address)
                return
            }
            if errno == EINPROGRESS && wait(address) { return }
            reason = Attempt.plain(errno)
            close(descriptor)
        }
        end(.failure(ConnectFailure(reason: reason)))
    }

    private func wait(_ address: SocketAddress) -> Bool {
        do { try loop.register(descriptor, .writable, self) } catch { return false }
        timer = loop.schedule(at: deadline) { [self] in
            loop.deregister(descriptor)
            close(descriptor)
            end(.failure(ConnectFailure(reason: "no answer in time")))
        }
        current = address
        return true
    }
    func descriptorReady(_ events: ReadyEvents) {
        guard let address = current else { return }
        current = nil
        timer?.cancel()
        loop.deregister(descriptor)
        var failure: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size)
        if failure == 0 {
            succeed(address)
        } else {
            reason = Attempt.plain(failure)
            close(descriptor)
            next()
        }
    }

    private func succeed(_ address: SocketAddress) { end(.success((descriptor, address))) }

    private func end(_ result: Result<(Int32, SocketAddress), ConnectFailure>) {
        let done = completion
        completion = nil
        timer = nil
        done?(result)
    }

    private static func plain(_ number: Int32) -> String {
        switch number {
        case ECONNREFUSED: "connection refused"
        case ENOENT: "there is no such socket"
        case ETIMEDOUT: "no answer in time"
        case EHOSTUNREACH, ENETUNREACH: "there is no route to it"
        default: String(cString: strerror(number)).lowercased()
        }
    }
}
