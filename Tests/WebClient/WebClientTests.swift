import Core
import Cryptography
import EventLoop
import HTTPMessage
import Synchronization
import TestSupport
import Testing
import WebClient

@Suite struct WebClientTests {
    @Test(arguments: ["GET", "POST", "PUT", "PATCH", "DELETE"])
    func requestsArriveAsTheyWereMeant(_ method: String) async throws {
        try await withPeer { peer, client, _ in
            for body in ["", "h\u{e9}llo"] {
                let request = WebRequest(
                    method: HTTPMethod(method), url: peer.url("/echo?a=%20b&c"),
                    fields: ["X-Custom": "value", "X-Empty": "", "Content-Type": "text/x"],
                    body: body.isEmpty ? .empty : .bytes(Array(body.utf8)))
                let answer = try await client.send(request)
                #expect(answer.status == 200)
                #expect(answer.fields["content-type"] == "application/json")
                #expect(answer.fields.values("x-two") == ["a", "b"])
                let seen = try JSONValue(json: try await answer.collect())
                #expect(seen["method"]?.string == method)
                #expect(seen["query"]?.string == "a=%20b&c")
                #expect(seen["body"]?.string?.unicodeScalars.map { UInt8($0.value) } ?? [] == Array(body.utf8))
                let fields = try #require(seen["fields"])
                #expect(fields["x-custom"]?.string == "value")
                #expect(fields["x-empty"]?.string == "")
                #expect(fields["content-type"]?.string == "text/x")
                #expect(fields["user-agent"]?.string == "DataHarbour")
                #expect(fields["expect"] == nil)
                if method != "GET", method != "DELETE" || !body.isEmpty {
                    #expect(fields["content-length"]?.string == "\(body.utf8.count)")
                }
            }
        }
    }

    @Test func answersWithoutABody() async throws {
        try await withPeer { peer, client, _ in
            let head = try await client.send(WebRequest(method: .head, url: peer.url("/200")))
            #expect(head.fields["content-length"] == "6")
            #expect(try await head.collect().isEmpty)
            let none = try await client.send(WebRequest(url: peer.url("/204")))
            #expect(none.status == 204)
            #expect(try await none.collect().isEmpty)
            for status in [400, 404, 500, 503] {
                #expect(try await client.send(WebRequest(url: peer.url("/\(status)"))).status == status)
            }
        }
    }

    @Test func connectionsAreUsedAgain() async throws {
        try await withPeer { peer, client, loop in
            var connections: Set<String> = []
            for _ in 0..<20 {
                let answer = try await client.send(WebRequest(url: peer.url("/200")))
                connections.insert(answer.fields["x-connection"] ?? "")
                #expect(text(try await answer.collect()) == "status")
            }
            #expect(connections.count == 1)
            // An idle client does not wake the loop; libcurl has a last timer or two.
            let wakeUps = try await fewestWakeUps(of: loop, in: .milliseconds(300), enough: 5)
            #expect(wakeUps <= 5)
        }
    }

    @Test func manyAtOnce() async throws {
        try await withPeer { peer, client, _ in
            let total = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        try await client.send(WebRequest(url: peer.url("/stream?2"))).collect().count
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(total == 100 * 2 * 65_536)
        }
    }

    @Test func aSlowReaderHoldsTheServerBack() async throws {
        try await withPeer(configuration: direct { $0.buffer = 128 << 10 }) { peer, client, loop in
            let answer = try await client.send(WebRequest(url: peer.url("/stream?320")))
            var total = 0
            var largest = 0
            for try await chunk in answer.body {
                total += chunk.count
                largest = max(largest, chunk.count)
                if total < 1 << 20 { try await loop.sleep(for: .milliseconds(2)) }
            }
            #expect(total == 320 * 65_536)
            #expect(largest < 256 << 10)
        }
    }

    @Test func piecesComeAsTheyAreSent() async throws {
        try await withPeer { peer, client, _ in
            let answer = try await client.send(WebRequest(url: peer.url("/lines")))
            var body = answer.body.makeAsyncIterator()
            #expect(text(try await body.next() ?? []) == "first\n")
            try await peer.goOn()
            #expect(text(try await body.next() ?? []) == "second\n")
            #expect(try await body.next() == nil)
        }
    }

    @Test func aStreamedBodyIsSentAsFastAsItIsTaken() async throws {
        try await withPeer(configuration: direct { $0.buffer = 64 << 10 }) { peer, client, _ in
            let request = WebRequest(
                method: .put, url: peer.url("/count"),
                body: .stream { writer in
                    for _ in 0..<200 { try await writer.write([UInt8](repeating: 7, count: 50_000)) }
                })
            let fetched1 = try await fetch(client, request)
            #expect(text(fetched1) == "10000000")
            let empty = WebRequest(method: .put, url: peer.url("/count"), body: .stream { _ in })
            let fetched2 = try await fetch(client, empty)
            #expect(text(fetched2) == "0")
        }
    }

    @Test func aWriterThatFailsEndsTheRequest() async throws {
        try await withPeer { peer, client, _ in
            let request = WebRequest(
                method: .put, url: peer.url("/count"),
                body: .stream { writer in
                    try await writer.write([1, 2, 3])
                    throw HarbourError(.notFound, "The source is gone.")
                })
            #expect(await code { _ = try await client.send(request) } == .notFound)
            // A server that answers before it has read everything is heard.
            let early = WebRequest(
                method: .put, url: peer.url("/early"),
                body: .stream { writer in
                    for _ in 0..<1000 { try await writer.write([UInt8](repeating: 7, count: 50_000)) }
                })
            let status = try? await client.send(early).status
            #expect(status == 413 || status == nil)
        }
    }
}
