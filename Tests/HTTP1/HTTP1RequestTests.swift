import Core
import HTTP1
import HTTPMessage
import Testing

@Suite struct HTTP1RequestTests {
    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["GET / a "]),
        ("GET /a%20b?c=d&e HTTP/1.1\r\nhOsT:\ta:80 \r\n\r\n", ["GET /a%20b?c=d&e a:80 "]),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ["GET / a "]),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", ["GET /  "]),
        ("GET / HTTP/1.7\r\nHost: [::1]:8080\r\n\r\n", ["GET / [::1]:8080 "]),
        ("GET / HTTP/1.0\r\n\r\n", ["GET /  "]),
        ("GET http://b:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /x?y b:1 "]),
        ("GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n", ["GET / b "]),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ["OPTIONS * a "]),
        ("OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", ["OPTIONS * b "]),
        ("M-SEARCH /x HTTP/1.1\r\nHost: a\r\n\r\n", ["M-SEARCH /x a "]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", ["POST / a hello"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nhello", ["POST / a hello"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", ["POST / a "]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "5\r\nhello\r\n1 ; a=\"b\"\r\n!\r\n0\r\n\r\n",
            ["POST / a hello!"]
        ),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "00a;x\r\n0123456789\r\n000\r\nDigest: x\r\n\r\n",
            ["PUT / a 0123456789"]
        ),
        ("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /1 a ", "GET /2 a "]),
        (
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxPOST /2 HTTP/1.1\r\nHost: a\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            ["POST /1 a x", "POST /2 a y", "GET /3 a "]
        ),
    ])
    func validRequestsAreReadHoweverTheyAreCut(_ text: String, _ expected: [String]) throws {
        let whole = try drive(text)
        #expect(whole.requests == expected)
        #expect(whole.failure == nil)
        #expect(whole.output.hasPrefix("HTTP/1.1 200 OK\r\n"))
        for size in [1, 2, 3, 7, 50] {
            let cut = try drive(text, pieces: [size])
            #expect(cut == whole)
        }
        for first in 1..<text.utf8.count { #expect(try drive(text, pieces: [first, .max]) == whole) }
    }

    @Test func fieldsKeepTheirOrderAndCase() throws {
        var seen: [String] = []
        _ = try drive(
            Array("GET / HTTP/1.1\r\nHost: a\r\nX-One:  Two \t\r\nX-Empty:\r\nX-Byte: \u{e9}\r\n\r\n".utf8)
        ) { (request, body, connection) throws(HarbourError) in
            seen = request.fields.map { "\($0.name)=\($0.value)" }
            try answerOK(request, body, &connection)
        }
        #expect(seen == ["host=a", "x-one=Two", "x-empty=", "x-byte=\u{e9}"])
    }

    static let refusals: [(String, Int)] = [
        // Line ends and spaces.
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tfolded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\u{0}: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\u{0}c\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7f}c\r\n\r\n", 400),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        // The request line.
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /\r\nHost: a\r\n\r\n", 400),
        ("GET / a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/11\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /#top HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        // Host.
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        ("GET http://a/ HTTP/1.1\r\n\r\n", 400),
        // Framing.
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417),
    ]

    @Test(arguments: refusals)
    func headsThatTwoServersCouldReadDifferentlyAreRefused(_ text: String, _ status: Int) throws {
        for size in [Int.max, 1, 5] {
            let outcome = try drive(text, pieces: [size])
            #expect(outcome.failure == status)
            #expect(outcome.requests.isEmpty)
            #expect(outcome.closed)
            #expect(outcome.output.hasPrefix("HTTP/1.1 \(status) "))
            #expect(outcome.output.contains("\r\nconnection: close\r\n"))
        }
    }

    @Test(arguments: [
        "x\r\n", "\r\n", "-1\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1 \r\na\r\n", "1\na\n", "1\r\na\n",
        "1\r\nab\r\n", "1\r\na\rb", "1;\u{0}\r\na\r\n", "1;a\nb\r\na\r\n", "1 a\r\na\r\n",
        "1000000000000000\r\n", "ffffffffffffffffff\r\n", "0\r\nX : y\r\n\r\n", "0\r\nHost: a\r\n\r\n",
        "0\r\nContent-length: 1\r\n\r\n", "0\r\n y\r\n\r\n", "0\r\nX: y\n\r\n",
        "0\r\nX: \u{0}\r\n\r\n", "1;" + String(repeating: "a", count: 300) + "\r\na\r\n",
    ])
    func chunksThatAreNotValidAreRefused(_ body: String) throws {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for size in [Int.max, 1] {
            let outcome = try drive(head + body, pieces: [size])
            #expect(outcome.failure == 400)
            #expect(outcome.requests.isEmpty)
            #expect(outcome.closed)
        }
    }

    @Test func limitsHaveTheirOwnStatus() throws {
        var limits = HTTP1Limits()
        limits.requestLine = 100
        limits.fieldBytes = 200
        limits.fieldCount = 5
        limits.body = 10
        let long = String(repeating: "a", count: 300)
        func status(_ text: String) throws -> Int? { try drive(text, pieces: [13], limits: limits).failure }
        #expect(try status("GET /\(long) HTTP/1.1\r\n") == 414)
        #expect(try status("GET /\(long)") == 414)
        #expect(try status("GET / HTTP/1.1\r\nX: \(long)\r\n\r\n") == 431)
        #expect(try status("GET / HTTP/1.1\r\nX: \(long)") == 431)
        #expect(try status("GET / HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 6) + "\r\n") == 431)
        #expect(try status("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 4) + "\r\n") == nil)
        let post = "POST / HTTP/1.1\r\nHost: a\r\n"
        #expect(try status(post + "Content-Length: 11\r\n\r\n") == 413)
        #expect(try status(post + "Content-Length: 10\r\n\r\n0123456789") == nil)
        let chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
        #expect(try status(chunked + "6\r\n012345\r\n5\r\n") == 413)
        #expect(try status(chunked + "0\r\nX: \(long)\r\n\r\n") == 431)
        #expect(try status(chunked + "0\r\n" + String(repeating: "X: y\r\n", count: 6) + "\r\n") == 431)
    }

    @Test func anEndInsideABodyIsNotTheBodysEnd() throws {
        let cut = try drive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", end: true)
        #expect(cut.failure == 400)
        #expect(cut.requests.isEmpty)
        let idle = try drive("GET / HTTP/1.1\r\nHost: a\r\n\r\n", end: true)
        #expect(idle.requests.count == 1)
        #expect(idle.failure == nil)
        #expect(idle.closed)
        let partial = try drive("GET / HT", end: true)
        #expect(partial.failure == nil)
        #expect(partial.closed)
    }
}
