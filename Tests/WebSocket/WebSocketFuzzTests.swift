import Core
import TestSupport
import Testing
import WebSocket

@Suite struct WebSocketFuzzTests {
    @Test func anyBytesInAnyPieces() throws {
        let corpus = (WebSocketConnectionTests.valid.map(\.0) + WebSocketConnectionTests.invalid.map(\.0))
            .filter { $0.count < 1000 }
        var limits = WebSocketLimits()
        limits.frame = 300
        limits.message = 500
        limits.fragments = 20
        try fuzz("frames", corpus: corpus, iterations: 3000) { input in
            let whole = serve(input.bytes, limits: limits, end: true)
            var connection = WebSocketConnection(role: .server, limits: limits)
            var events: [String] = []
            for piece in input.pieces() {
                connection.receive(piece)
                while let event = connection.nextEvent() { events.append(describe(event)) }
            }
            connection.receiveEnd()
            while let event = connection.nextEvent() { events.append(describe(event)) }
            guard events == whole.events else { throw HarbourError(.internalError, "\(whole.events) is not \(events)") }
            guard events.last?.hasPrefix("closed") == true, events.count(where: { $0.hasPrefix("closed") }) == 1 else {
                throw HarbourError(.internalError, "it does not end once: \(events)")
            }
            guard connection.takeOutput() == whole.output else {
                throw HarbourError(.internalError, "the output depends on the pieces")
            }
        }
    }

    /// What one side says is what the other hears, whatever it is and however it is cut.
    @Test func messagesComeThrough() throws {
        try fuzz("messages", corpus: [Array("hello".utf8), [0, 0xff], []], iterations: 1000) { input in
            var client = WebSocketConnection(role: .client, generator: input.choices)
            var server = WebSocketConnection(role: .server)
            let text = String(decoding: input.bytes, as: UTF8.self)
            try client.send(binary: input.bytes)
            try client.send(text: text)
            client.close()
            for piece in FuzzInput(client.takeOutput()).pieces() { server.receive(piece) }
            var heard: [String] = []
            while let event = server.nextEvent() {
                if case .binary(let bytes) = event, bytes != input.bytes {
                    throw HarbourError(.internalError, "the bytes changed on the way")
                }
                heard.append(describe(event))
            }
            guard heard == ["binary \(input.bytes.count)", "text \(text)", "closed 1000"] else {
                throw HarbourError(.internalError, "heard \(heard)")
            }
        }
    }
}
