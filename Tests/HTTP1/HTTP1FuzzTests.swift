import Core
import HTTP1
import HTTPMessage
import TestSupport
import Testing

@Suite struct HTTP1FuzzTests {
    static let valid = [
        "GET /a?b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    ]
    static let tokens = [
        "\r\n", "\n", "\r", "\r\n\r\n", "Content-Length: ", "Transfer-Encoding: chunked\r\n", "Host: a\r\n",
        " HTTP/1.1\r\n", "GET / ", "0\r\n\r\n", "Connection: close\r\n", ":", ";", "\u{0}", " ",
    ].map { Array($0.utf8) }

    /// Whatever comes, in whatever pieces: the machine ends, its answer depends on the bytes and not on the pieces, and
    /// nothing is understood after a refusal.
    @Test func anyBytesInAnyPieces() throws {
        let corpus = (HTTP1RequestTests.refusals.map(\.0) + HTTP1FuzzTests.valid).map { Array($0.utf8) }
        var limits = HTTP1Limits()
        limits.requestLine = 200
        limits.fieldBytes = 400
        limits.body = 100_000
        try fuzz("requests", corpus: corpus, tokens: HTTP1FuzzTests.tokens, iterations: 3000) { input in
            let whole = try drive(input.bytes, limits: limits, end: true)
            let cut = try drive(input.bytes, pieces: input.pieces().map(\.count), limits: limits, end: true)
            // A go-ahead is sent only to a client that has to wait for it, which depends on when the body comes.
            func withoutGoAhead(_ outcome: Outcome) -> Outcome {
                var outcome = outcome
                outcome.output = outcome.output.split(separator: "HTTP/1.1 100 Continue\r\n\r\n").joined()
                return outcome
            }
            guard withoutGoAhead(whole) == withoutGoAhead(cut) else {
                throw HarbourError(.internalError, "\(whole) is not \(cut)")
            }
            guard whole.closed else { throw HarbourError(.internalError, "it stays open after the client's end") }
        }
    }

    /// What is written is what was meant, even when fields and bodies come from outside.
    @Test func answersCannotBeForged() throws {
        let corpus = ["text/plain", "a\r\nSet-Cookie: b", "\u{0}\u{7f}", "x: y\r\n\r\nHTTP/1.1 200 OK"].map {
            Array($0.utf8)
        }
        try fuzz("answers", corpus: corpus, tokens: [Array("\r\n".utf8)], iterations: 1000) { input in
            let text = String(decoding: input.bytes, as: UTF8.self)
            var fields = HTTPFields()
            fields.append(text, text)
            var connection = HTTP1ServerConnection()
            connection.receive(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            while connection.nextEvent() != nil {}
            try connection.respond(HTTP1ResponseHead(status: 200, fields: fields, contentLength: 0), body: [])
            let output = connection.takeOutput()
            let lines = output.split(separator: 0x0a, omittingEmptySubsequences: false)
            // Status, the field unless it is the connection's own, the length, the empty line, and what follows it.
            guard lines.count == 5 || lines.count == 4, !output.contains(0) else {
                throw HarbourError(.internalError, "the answer has \(lines.count) lines")
            }
        }
    }
}
