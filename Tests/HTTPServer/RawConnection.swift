import Core
import EventLoop
import Glibc
import Testing
import Transport

/// A bare connection to a server, for what well-behaved clients would not send.
final class RawConnection: SocketStreamHandler, @unchecked Sendable {
    private let loop: EventLoop
    private var stream: SocketStream?
    private var received: [UInt8] = []
    private var isEnded = false
    private var waiters: [() -> Void] = []

    private init(_ loop: EventLoop) { self.loop = loop }

    static func open(_ loop: EventLoop, port: Int) async throws -> RawConnection {
        let raw = RawConnection(loop)
        let addresses = try await SocketAddress.resolve(host: "127.0.0.1", port: port)
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            loop.onLoop {
                Connector.connect(addresses, within: .seconds(60), loop: loop) { result in
                    do {
                        let (descriptor, peer) = try result.get()
                        raw.stream = try SocketStream(
                            descriptor: descriptor, peer: peer, loop: loop, handler: raw)
                        done.resume()
                    } catch {
                        done.resume(throwing: error)
                    }
                }
            }
        }
        return raw
    }

    func send(_ bytes: [UInt8]) {
        loop.onLoop { [self] in
            bytes.withUnsafeBytes { stream?.append($0) }
            stream?.flush()
        }
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    func pauseReading() { stream?.pauseReading() }

    func resumeReading() { stream?.resumeReading() }

    func close() { loop.onLoop { [self] in stream?.close() } }

    /// Waits until the text has come that ends with `end`, or for the connection's end when it is nil.
    func read(until end: String? = nil) async throws -> String {
        let deadline = MonotonicTime.now + .seconds(120)
        while true {
            let text = String(decoding: received, as: UTF8.self)
            if let end, text.contains(end) {
                received = []
                return text
            }
            if isEnded { return text }
            try #require(MonotonicTime.now < deadline, "nothing more came in 120 s; so far: \(text)")
            await withCheckedContinuation { continuation in
                waiters.append { continuation.resume() }
                let waiting = waiters.count
                loop.schedule(at: deadline) { [weak self] in
                    if let self, waiters.count >= waiting { wake() }
                }
            }
        }
    }

    /// Waits for bytes and takes them; nil at the connection's end.
    func readBytes() async throws -> [UInt8]? {
        while received.isEmpty && !isEnded {
            await withCheckedContinuation { continuation in waiters.append { continuation.resume() } }
        }
        defer { received = [] }
        return received.isEmpty ? nil : received
    }

    private func wake() {
        let woken = waiters
        waiters = []
        for waiter in woken { waiter() }
    }

    func streamReceived(_ bytes: UnsafeRawBufferPointer) {
        received.append(contentsOf: bytes)
        wake()
    }
    func streamReadingPaused() {}
    func streamDrained() {}
    func streamEnded() {
        isEnded = true
        stream?.close()
        wake()
    }
    func streamClosed(_ error: HarbourError) {
        isEnded = true
        wake()
    }
}
