import Core
import EventLoop
import Glibc
import TestSupport
import Testing
import Transport

@Suite struct SocketRoomTests {
    /// Goal: whoever had to wait is told that there is room, also where the system takes the rest before it says so itself.
    @Test(.timeLimit(.minutes(5))) func roomIsToldOfWhoeverFindsIt() async throws {
        try await withEventLoop { loop in
            var ends: [Int32] = [-1, -1]
            let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
            let reader = ends[1]
            defer { close(reader) }
            let peer = try #require(try await SocketAddress.resolve(host: "127.0.0.1", port: 1).first)
            let waiter = Waiter()
            let stream = try SocketStream(descriptor: ends[0], peer: peer, loop: loop, handler: waiter)
            let much = [UInt8](repeating: 1, count: 4 << 20)
            much.withUnsafeBytes { stream.append($0) }
            stream.flush()
            #expect(stream.unsentBytes > 0)
            // In one turn of the loop, so that nothing else can have told it.
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while stream.unsentBytes > 0 {
                while recv(reader, &buffer, buffer.count, 0) > 0 {}
                stream.flush()
            }
            #expect(waiter.drained == 0)
            try await eventually("it is told") { waiter.drained == 1 }
            stream.close()
        }
    }
}

/// `@unchecked Sendable`: touched on the loop only.
private final class Waiter: SocketStreamHandler, @unchecked Sendable {
    var drained = 0

    func streamDrained() { drained += 1 }
    func streamReceived(_ bytes: UnsafeRawBufferPointer) {}
    func streamReadingPaused() {}
    func streamEnded() {}
    func streamClosed(_ error: HarbourError) {}
}
