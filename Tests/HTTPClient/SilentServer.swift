import Core
import EventLoop
import Transport

/// Takes connections and never says a word.
final class SilentServer: SocketStreamHandler, @unchecked Sendable {
    private var listener: Listener?
    private var streams: [SocketStream] = []

    init(path: String, loop: EventLoop) throws {
        listener = try Listener(SocketAddress.unix(path), loop: loop) { [weak self] descriptor, peer in
            guard let self else { return }
            if let stream = try? SocketStream(descriptor: descriptor, peer: peer, loop: loop, handler: self) {
                streams.append(stream)
            }
        }
    }

    func close() {
        listener?.close()
        for stream in streams { stream.close() }
    }

    func streamReceived(_ bytes: UnsafeRawBufferPointer) {}
    func streamReadingPaused() {}
    func streamDrained() {}
    func streamEnded() {}
    func streamClosed(_ error: HarbourError) {}
}
