import Core
import HTTP1
import HTTPMessage

/// What a client's bytes led to, when every request is answered with 200 and `ok`.
struct Outcome: Equatable {
    /// `METHOD target authority body`, a line for each request.
    var requests: [String] = []
    /// The status of the refusal, if any.
    var failure: Int?
    var closed = false
    var output = ""
}

/// Feeds the bytes in pieces of the given sizes, the last size repeated, and answers what comes.
func drive(
    _ bytes: [UInt8], pieces: [Int] = [.max], limits: HTTP1Limits = HTTP1Limits(), end: Bool = false,
    respond: (HTTPRequest, [UInt8], inout HTTP1ServerConnection) throws(HarbourError) -> Void = answerOK
) throws(HarbourError) -> Outcome {
    var connection = HTTP1ServerConnection(limits: limits)
    var outcome = Outcome()
    var request: HTTPRequest?
    var body: [UInt8] = []
    var output: [UInt8] = []

    func handle(_ event: HTTP1Event) throws(HarbourError) {
        switch event {
        case .request(let new):
            request = new
            body = []
            if connection.awaitsContinue { connection.sendContinue() }
        case .body(let bytes): body += bytes
        case .end:
            guard let request else { return }
            let text = String(decoding: body, as: UTF8.self)
            outcome.requests.append("\(request.method) \(target(request)) \(request.authority) \(text)")
            try respond(request, body, &connection)
        case .failed(let error):
            outcome.failure = error.code.status
            if connection.owesResponse {
                try connection.respond(HTTP1ResponseHead(status: error.code.status, contentLength: 0), body: [])
            } else {
                connection.abort()
            }
        case .close: outcome.closed = true
        }
    }

    var rest = bytes[...]
    var sizes = pieces[...]
    while !rest.isEmpty {
        let size = sizes.count > 1 ? sizes.removeFirst() : sizes.first ?? .max
        connection.receive(Array(rest.prefix(max(1, size))))
        rest = rest.dropFirst(max(1, size))
        while let event = connection.nextEvent() { try handle(event) }
    }
    if end {
        connection.receiveEnd()
        while let event = connection.nextEvent() { try handle(event) }
    }
    connection.moveOutput(into: &output)
    outcome.output = String(decoding: output, as: UTF8.self)
    return outcome
}

func drive(_ text: String, pieces: [Int] = [.max], limits: HTTP1Limits = HTTP1Limits(), end: Bool = false)
    throws(HarbourError) -> Outcome
{
    try drive(Array(text.utf8), pieces: pieces, limits: limits, end: end)
}

func answerOK(
    _ request: HTTPRequest, _ body: [UInt8], _ connection: inout HTTP1ServerConnection
) throws(HarbourError) {
    try connection.respond(HTTP1ResponseHead(status: 200, contentLength: 2), body: Array("ok".utf8))
}

func target(_ request: HTTPRequest) -> String { request.query.map { "\(request.path)?\($0)" } ?? request.path }
