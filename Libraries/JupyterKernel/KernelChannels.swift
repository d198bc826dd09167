internal import Core
internal import EventLoop

/// Those who wait for a kernel's first answer.
struct Readiness {
    private var outcome: Result<KernelInfo, HarbourError>?
    private var waiting: [CheckedContinuation<KernelInfo, any Error>] = []
    private var deadline: LoopTimer?

    mutating func begin(_ deadline: LoopTimer) {
        self.deadline?.cancel()
        self.deadline = deadline
        outcome = nil
    }

    mutating func wait(_ continuation: CheckedContinuation<KernelInfo, any Error>) {
        if let outcome {
            continuation.resume(with: outcome.mapError { $0 as any Error })
        } else {
            waiting.append(continuation)
        }
    }

    /// The first outcome after `begin` decides for those who wait; a later failure for those who come after it.
    mutating func end(_ outcome: Result<KernelInfo, HarbourError>) {
        deadline?.cancel()
        deadline = nil
        self.outcome = outcome
        let waiting = waiting
        self.waiting = []
        for continuation in waiting { continuation.resume(with: outcome.mapError { $0 as any Error }) }
    }
}

/// The sockets of one kernel process.
final class KernelChannels {
    private let wire: JupyterWire
    /// Where the heartbeat is; nothing is connected there until somebody asks.
    let heartbeat: String
    private var sockets: [KernelChannel: ZMQSocket] = [:]

    init(_ kernel: JupyterKernel, _ connection: KernelConnection) throws(HarbourError) {
        wire = JupyterWire(key: connection.key, session: kernel.name)
        heartbeat = connection.endpoint(.heartbeat)
        for channel in [KernelChannel.output, .shell, .control, .input] {
            let kind: ZMQSocket.Kind = channel == .output ? .subscriber : .dealer(identity: kernel.name)
            do throws(HarbourError) {
                sockets[channel] = try ZMQSocket(
                    kind, endpoint: connection.endpoint(channel), loop: kernel.loop,
                    messageLimit: kernel.configuration.messageLimit
                ) { [weak self, weak kernel] received in
                    guard let self, let kernel else { return }
                    self.received(received, channel, kernel)
                }
            } catch {
                close()
                throw error
            }
        }
    }

    func send(_ channel: KernelChannel, _ message: JupyterMessage) {
        sockets[channel]?.send(wire.encode(message, now: .now))
    }

    func close() {
        for socket in sockets.values { socket.close() }
        sockets = [:]
    }

    private func received(_ received: ZMQSocket.Received, _ channel: KernelChannel, _ kernel: JupyterKernel) {
        switch received {
        case .oversized(let bytes): kernel.receivedOversized(channel, bytes)
        case .frames(let frames):
            do throws(JupyterWire.Failure) {
                kernel.received(channel, try wire.decode(frames))
            } catch .signature {
                kernel.refused.unsigned += 1
            } catch {
                kernel.refused.malformed += 1
            }
        }
    }
}

/// One question to a kernel's heartbeat, which sends back whatever it is sent.
final class Heartbeat {
    private var continuation: CheckedContinuation<Bool, Never>?
    private var socket: ZMQSocket?
    private var deadline: LoopTimer?

    init(_ continuation: CheckedContinuation<Bool, Never>) { self.continuation = continuation }

    func beat(_ endpoint: String, _ patience: Duration, _ loop: EventLoop) {
        deadline = loop.schedule(after: patience) { [self] in end(false) }
        do throws(HarbourError) {
            socket = try ZMQSocket(.request, endpoint: endpoint, loop: loop, messageLimit: 1024) { [self] _ in
                end(true)
            }
            socket?.send([Array("ping".utf8)])
        } catch {
            end(false)
        }
    }

    private func end(_ answered: Bool) {
        deadline?.cancel()
        deadline = nil
        socket?.close()
        socket = nil
        continuation.take()?.resume(returning: answered)
    }
}
