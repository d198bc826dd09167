import Core
import HTTP1
import HTTPMessage
import TestSupport
import Testing

/// The same bytes before two parsers: ours and h11, which was written by others (PyPI).
@Suite struct HTTP1DifferentialTests {
    /// We may refuse what h11 takes, and do: bare line feeds, folded fields, repeated lengths. But what we understand,
    /// h11 must understand in the same way, or bytes exist that mean two things.
    @Test(.enabled(if: PeerPython.has("h11"), "h11 is not installed: pip install h11, and set HARBOUR_PEER_PYTHON"))
    func whatWeUnderstandOthersUnderstandAlike() throws {
        let refused = HTTP1RequestTests.refusals.map { Array($0.0.utf8) }
        let valid = HTTP1FuzzTests.valid.map { Array($0.utf8) }
        let inputs =
            refused + valid
            + fuzzInputs(
                corpus: refused + (0..<50).flatMap { _ in valid }, tokens: HTTP1FuzzTests.tokens, count: 20_000,
                maximumLength: 4000)
        let folder = try TemporaryDirectory()
        let lines = inputs.map { hexadecimal($0) }.joined(separator: "\n")
        let file = try folder.write("inputs", Array(lines.utf8))
        let output = try runCommand([PeerPython.executable, PeerPython.script("h11_peer.py"), file])
        let answers = output.split(separator: "\n")
        try #require(answers.count == inputs.count)
        var understood = 0
        for (input, answer) in zip(inputs, answers) {
            let ours = try see(input)
            let theirs = try JSONValue(jsonText: String(answer))
            let requests = (theirs["requests"]?.array ?? []).map { request in
                withPathOnly((request.array ?? []).map { $0.string ?? "" }).joined(separator: " ")
            }
            // RFC 9112 asks for two things that h11 does not do: to skip an empty line before a request (section 2.2),
            // and to take a space before a chunk's extensions (section 7.1.1).
            let verdict = theirs["verdict"]?.string ?? ""
            if verdict == "error: no request line received" { continue }
            if verdict.contains("illegal chunk header"), verdict.contains(" ;") || verdict.contains("\\t;") { continue }
            understood += ours.count
            #expect(
                requests.starts(with: ours),
                "\(String(reflecting: String(decoding: input, as: UTF8.self))): \(ours), h11: \(answer)")
        }
        #expect(understood > 1000)
    }

    /// A URL as the path that is meant, which is the root when it has none (RFC 9112 section 3.2.2).
    private func withPathOnly(_ request: [String]) -> [String] {
        guard request.count == 3, let scheme = request[1].firstRange(of: "://"),
            request[1].lowercased().hasPrefix("http")
        else { return request }
        let path = request[1][scheme.upperBound...].drop { $0 != "/" }
        return [request[0], path.isEmpty ? request[0] == "OPTIONS" ? "*" : "/" : String(path), request[2]]
    }

    /// `METHOD target body` of every complete request.
    private func see(_ input: [UInt8]) throws -> [String] {
        var seen: [String] = []
        _ = try drive(input, end: true) { (request, body, connection) throws(HarbourError) in
            seen.append("\(request.method) \(target(request)) \(hexadecimal(body))")
            try answerOK(request, body, &connection)
        }
        return seen
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
