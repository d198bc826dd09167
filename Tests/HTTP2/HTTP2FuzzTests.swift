import Core
import HTTP2
import HTTPMessage
import TestSupport
import Testing

@Suite struct HTTP2FuzzTests {
    /// What a client sends in a few real conversations.
    private static func recordClient() throws -> [[UInt8]] {
        try [0, 1, 2, 3].map { kind in
            let client = try HTTP2Connection(role: .client)
            for number in 0...kind {
                let stream = client.request(
                    method: number == 0 ? .get : .post, scheme: "http", authority: "a", path: "/x?y=\(number)",
                    fields: ["x-one": "1", "cookie": "a=b"],
                    body: number == 2 ? nil : [UInt8](repeating: 7, count: number))
                if number == 2, let stream { client.write(stream, Array("streamed".utf8), end: true) }
                if number == 3, let stream { client.reset(stream, .cancel) }
            }
            if kind > 1 { client.ping(42) }
            var bytes: [UInt8] = []
            try client.produce { bytes += $0 }
            return bytes
        }
    }

    /// What a server answers to them.
    private static func recordServer() throws -> [[UInt8]] {
        try recordClient().map { input in
            let server = try HTTP2Connection(role: .server)
            var bytes: [UInt8] = []
            try drive(server, [input]) { bytes += $0 }
            return bytes
        }
    }

    private static let frames: [[UInt8]] = [
        [0, 0, 0, 4, 0, 0, 0, 0, 0], [0, 0, 0, 4, 1, 0, 0, 0, 0], [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
        [0, 0, 4, 8, 0, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff], [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8],
        [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 9, 4, 0, 0, 0, 1],
        [0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 1, 0x61], [0, 0, 5, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
    ]

    /// Feeds the bytes and does with every event what an owner would, so that all paths behind it are walked too.
    private static func drive(
        _ connection: HTTP2Connection, _ pieces: [[UInt8]], _ output: ([UInt8]) -> Void = { _ in }
    ) throws {
        var time = MonotonicTime(nanoseconds: 0)
        for piece in pieces {
            time = time + .milliseconds(1)
            do { try piece.withUnsafeBytes { try connection.receive($0, now: time) } } catch { return }
            var rounds = 0
            while true {
                try handle(connection)
                var sent = 0
                do {
                    sent = try connection.produce(upTo: 100_000) { output(Array($0)) }
                } catch { return }
                if sent == 0 { break }
                rounds += 1
                guard rounds < 1000 else { throw HarbourError(.internalError, "it sends without an end") }
            }
            if connection.isFinished { return }
        }
    }

    private static func handle(_ connection: HTTP2Connection) throws {
        while let event = connection.nextEvent() {
            switch event {
            case .head(let stream) where connection.role == .server:
                guard !stream.isClosed else { continue }
                if stream.id % 4 == 1 {
                    connection.respond(
                        stream, status: 200, fields: ["content-type": "text/plain"], contentLength: 2, date: [],
                        body: [1, 2])
                } else {
                    connection.respond(
                        stream, status: 200, fields: [:], contentLength: nil, date: [], body: nil)
                    connection.write(stream, [UInt8](repeating: 1, count: 80_000), end: true)
                }
            case .data(let stream): _ = connection.takeInbound(stream)
            case .closed(let stream, _):
                guard stream.isClosed else { throw HarbourError(.internalError, "a closed stream is open") }
                connection.recycle(stream)
            case .sentFirst(let stream): connection.reset(stream, .noError)
            case .head, .writable, .settings, .goAway, .pong: break
            }
        }
        guard connection.openStreamCount <= connection.settings.maxConcurrentStreams else {
            throw HarbourError(.internalError, "more streams are open than allowed")
        }
    }

    @Test func aServerSurvivesAnyClient() throws {
        try fuzz("server", corpus: Self.recordClient(), tokens: Self.frames, iterations: 1000, maximumLength: 4096) {
            input in
            try Self.drive(try HTTP2Connection(role: .server), input.pieces())
        }
    }

    @Test func aClientSurvivesAnyServer() throws {
        try fuzz("client", corpus: Self.recordServer(), tokens: Self.frames, iterations: 500, maximumLength: 2048) {
            input in
            let client = try HTTP2Connection(role: .client)
            for number in 0..<3 {
                _ = client.request(
                    method: .post, scheme: "http", authority: "a", path: "/\(number)", fields: [:],
                    body: [UInt8](repeating: 1, count: number == 2 ? 70_000 : number * 100))
            }
            try client.produce { _ in }
            try Self.drive(client, input.pieces())
        }
    }
}
