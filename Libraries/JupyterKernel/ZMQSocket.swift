internal import CZeroMQ
internal import Core
internal import EventLoop
internal import Glibc

/// The process's one libzmq context: a thread for input and output and one that closes sockets, both asleep when idle.
/// Never ended: ending it would wait for what a dead kernel does not take any more.
private enum ZMQContext {
    nonisolated(unsafe) static let handle: UnsafeMutableRawPointer? = zmq_ctx_new()
}

/// One ZeroMQ socket on the event loop.
///
/// libzmq's descriptor becomes readable when the socket's state *may* have changed, and only reading `ZMQ_EVENTS` takes
/// that back. A send or a receive can swallow the change, so `pump` asks for the events again after each of them and
/// stops only when there is nothing to do in either direction.
///
/// Touched on its loop only.
final class ZMQSocket {
    enum Kind {
        case dealer(identity: String)
        case subscriber
        case request
    }

    /// A received message, or the number of bytes of one that was over the limit and has been thrown away.
    enum Received {
        case frames([[UInt8]])
        case oversized(Int)
    }

    private let loop: EventLoop
    private let limit: Int
    private let receive: (Received) -> Void
    private var handle: UnsafeMutableRawPointer?
    private var descriptor: Int32 = -1
    private var outgoing: [[[UInt8]]] = []
    private var sent = 0
    private var pumping = false

    /// Frames of one message; Jupyter's have six and one for each buffer.
    private static let frameLimit = 256
    /// Messages of one turn of the loop, so that a flood on one socket leaves the others their turn.
    private static let turnLimit = 128
    /// Bytes after which a turn is over, for messages may be large and take long to be digested.
    private static let turnBytes = 1_048_576

    init(
        _ kind: Kind, endpoint: String, loop: EventLoop, messageLimit: Int, receive: @escaping (Received) -> Void
    ) throws(HarbourError) {
        self.loop = loop
        self.receive = receive
        limit = messageLimit
        let type =
            switch kind {
            case .dealer: ZMQ_DEALER
            case .subscriber: ZMQ_SUB
            case .request: ZMQ_REQ
            }
        guard let context = ZMQContext.handle, let handle = zmq_socket(context, type) else {
            throw .zmq("A channel to the kernel could not be made")
        }
        self.handle = handle
        do throws(HarbourError) {
            try configure(kind, handle)
            guard zmq_connect(handle, endpoint) == 0 else { throw .zmq("A kernel's channel could not be connected") }
            var size = MemoryLayout<Int32>.size
            guard zmq_getsockopt(handle, ZMQ_FD, &descriptor, &size) == 0 else {
                throw .zmq("A kernel's channel could not be watched")
            }
            try loop.register(descriptor, .readable, Door(self))
        } catch {
            zmq_close(handle)
            self.handle = nil
            throw error
        }
    }

    deinit { if let handle { zmq_close(handle) } }

    private func configure(_ kind: Kind, _ handle: UnsafeMutableRawPointer) throws(HarbourError) {
        // What a closed socket had not sent is nobody's business.
        try set(handle, ZMQ_LINGER, Int32(0))
        // The kernel binds its addresses some time after we connect. Later reconnections mean that it is dead.
        try set(handle, ZMQ_RECONNECT_IVL, Int32(20))
        // A publisher that is not read fast enough throws messages away, the end of the cell too: rather keep them
        // here, where the loop takes them out as fast as they come.
        try set(handle, ZMQ_RCVHWM, Int32(0))
        try set(handle, ZMQ_SNDHWM, Int32(0))
        // libzmq answers a larger frame by a disconnection, so it is only the last line.
        try set(handle, ZMQ_MAXMSGSIZE, Int64(limit) * 2)
        switch kind {
        case .dealer(let identity):
            // Shell and input channel must have the same, or the kernel asks into the void.
            guard zmq_setsockopt(handle, ZMQ_ROUTING_ID, identity, identity.utf8.count) == 0 else {
                throw .zmq("A channel to the kernel could not be set up")
            }
        case .subscriber:
            guard zmq_setsockopt(handle, ZMQ_SUBSCRIBE, "", 0) == 0 else {
                throw .zmq("A channel to the kernel could not be set up")
            }
        case .request:
            // A second question may follow one that was never answered.
            try set(handle, ZMQ_REQ_RELAXED, Int32(1))
            try set(handle, ZMQ_REQ_CORRELATE, Int32(1))
        }
    }

    private func set<Value: BitwiseCopyable>(
        _ handle: UnsafeMutableRawPointer, _ option: Int32, _ value: Value
    ) throws(HarbourError) {
        var value = value
        guard zmq_setsockopt(handle, option, &value, MemoryLayout<Value>.size) == 0 else {
            throw .zmq("A channel to the kernel could not be set up")
        }
    }

    /// Queues a message; it leaves as soon as the socket takes it.
    func send(_ frames: [[UInt8]]) {
        guard handle != nil else { return }
        outgoing.append(frames)
        pump()
    }

    func close() {
        guard let handle else { return }
        loop.deregister(descriptor)
        zmq_close(handle)
        self.handle = nil
        outgoing = []
    }

    fileprivate func pump() {
        // Called from a receiver that answers at once: the loop below comes to the answer.
        guard !pumping else { return }
        pumping = true
        defer { pumping = false }
        var (received, bytes) = (0, 0)
        while let handle {
            var events: Int32 = 0
            var size = MemoryLayout<Int32>.size
            guard zmq_getsockopt(handle, ZMQ_EVENTS, &events, &size) == 0 else {
                if zmq_errno() == EINTR { continue }
                return close()
            }
            if events & ZMQ_POLLOUT != 0, sent < outgoing.count {
                sendNext(handle)
            } else if events & ZMQ_POLLIN != 0 {
                if received == ZMQSocket.turnLimit || bytes >= ZMQSocket.turnBytes {
                    // The descriptor will not speak again for these: come back by ourselves, after the others.
                    let door = Door(self)
                    loop.submit { door.socket?.pump() }
                    return
                }
                received += 1
                bytes += receiveNext(handle)
            } else {
                return
            }
        }
    }

    private func sendNext(_ handle: UnsafeMutableRawPointer) {
        let frames = outgoing[sent]
        sent += 1
        if sent == outgoing.count {
            outgoing.removeAll()
            sent = 0
        }
        for (index, frame) in frames.enumerated() {
            let more = index + 1 < frames.count ? ZMQ_SNDMORE : 0
            while zmq_send(handle, frame, frame.count, ZMQ_DONTWAIT | more) < 0 {
                // Without high-water mark a socket that can write takes the whole message.
                if zmq_errno() != EINTR { return close() }
            }
        }
    }

    /// - Returns: how large the message was.
    private func receiveNext(_ handle: UnsafeMutableRawPointer) -> Int {
        var frames: [[UInt8]] = []
        var total = 0
        var count = 0
        var more = true
        var message = zmq_msg_t()
        while more {
            zmq_msg_init(&message)
            guard zmq_msg_recv(&message, handle, ZMQ_DONTWAIT) >= 0 else {
                zmq_msg_close(&message)
                if zmq_errno() == EINTR { continue }
                if zmq_errno() != EAGAIN { close() }
                return total
            }
            let size = zmq_msg_size(&message)
            total += size
            count += 1
            if total <= limit, count <= ZMQSocket.frameLimit {
                frames.append(Array(UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: size)))
            }
            more = zmq_msg_more(&message) != 0
            zmq_msg_close(&message)
        }
        receive(frames.count == count ? .frames(frames) : .oversized(total))
        return total
    }
}

/// What the loop holds: it must not keep alive a socket that nobody uses any more.
private final class Door: DescriptorHandler, @unchecked Sendable {
    weak var socket: ZMQSocket?
    init(_ socket: ZMQSocket) { self.socket = socket }
    func descriptorReady(_ events: ReadyEvents) { socket?.pump() }
}

extension HarbourError {
    static func zmq(_ message: String) -> HarbourError {
        let number = zmq_errno()
        return HarbourError(
            .unavailable, "\(message): \(String(cString: zmq_strerror(number))).", detail: "zmq errno \(number)")
    }
}
