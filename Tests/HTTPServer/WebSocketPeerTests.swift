import Core
import EventLoop
import HTTPServer
import TestSupport
import Testing
import WebSocket

/// Other people's WebSocket clients.
@Suite struct WebSocketPeerTests {
    @Test(
        .enabled(if: PeerPython.has("websockets"), "not installed: pip install websockets, and set HARBOUR_PEER_PYTHON")
    )
    func talksToPythonsWebsockets() async throws {
        try await withServer { router, _ in
            router.webSocket("/echo") { _, _, socket in
                try await socket.send(text: "hello")
                for try await message in socket {
                    switch message {
                    case .text(let text): try await socket.send(text: text)
                    case .binary(let bytes): try await socket.send(binary: bytes)
                    }
                }
            }
        } _: { server in
            let output = try await BlockingPool.shared.run {
                try runCommand([
                    PeerPython.executable, PeerPython.script("websockets_peer.py"),
                    "ws://127.0.0.1:\(server.port)/echo",
                ])
            }
            #expect(output.hasSuffix("all well\n"))
        }
    }
}
