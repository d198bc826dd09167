import Core
import EventLoop
import Glibc
import TestSupport
import Testing

@Suite struct ReadinessSocketTests {
    @Test func aChildThatSaysReadyIsNamedByItsProcess() async throws {
        try await withEventLoop { loop in
            let path = "/tmp/harbour-ready-\(Identifier.make())"
            let heard = await withCheckedContinuation { (continuation: CheckedContinuation<Int32, Never>) in
                loop.onLoop {
                    var waiting: CheckedContinuation<Int32, Never>? = continuation
                    do {
                        let socket = try ReadinessSocket(path: path, loop: loop) { pid in
                            waiting?.resume(returning: pid)
                            waiting = nil
                        }
                        sockets.append(socket)
                    } catch { Issue.record(error) }
                    setenv("NOTIFY_SOCKET", path, 1)
                    ReadinessSocket.notifyReady()
                }
            }
            #expect(heard == getpid())
            #expect(getenv("NOTIFY_SOCKET") == nil)
            loop.onLoop { for socket in sockets { socket.close() } }
            #expect(access(path, F_OK) != 0)
        }
    }

    @Test func aPathThatIsTooLongIsRefused() async throws {
        try await withEventLoop { loop in
            _ = #expect(throws: HarbourError.self) {
                try ReadinessSocket(path: "/tmp/" + String(repeating: "x", count: 200), loop: loop) { _ in }
            }
        }
    }
}

nonisolated(unsafe) private var sockets: [ReadinessSocket] = []
