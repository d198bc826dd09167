public import Core
public import HTTPMessage

/// The head of an answer. Fields that belong to the connection are the connection's to write and are left out.
public struct HTTP1ResponseHead {
    /// 200 to 599; anything else is sent as 500.
    public var status: Int
    /// The header fields.
    public var fields: HTTPFields
    /// The body's length; nil when it is not known yet, which means chunks.
    public var contentLength: Int?
    /// The value of the `date` field; empty for none.
    public var date: [UInt8]

    /// Makes a head.
    public init(status: Int, fields: HTTPFields = HTTPFields(), contentLength: Int?, date: [UInt8] = []) {
        self.status = (200...599).contains(status) ? status : 500
        self.fields = fields
        self.contentLength = contentLength
        self.date = date
    }
}

extension HTTP1ServerConnection {
    // MARK: Output

    /// How many bytes wait to be sent.
    public var outputCount: Int { output.count }

    /// Takes the bytes to send.
    public mutating func takeOutput() -> [UInt8] {
        let bytes = output
        output = []
        return bytes
    }

    /// Appends the bytes to send and keeps the memory for the next ones.
    public mutating func moveOutput(into buffer: inout [UInt8]) {
        buffer += output
        output.removeAll(keepingCapacity: true)
    }

    // MARK: Answers

    /// Whether an answer is owed and has not begun.
    public var owesResponse: Bool { writing == .owed }

    /// Answers the current request completely.
    /// - Throws: `INVALID_STATE` when no answer is owed.
    public mutating func respond(_ head: HTTP1ResponseHead, body: [UInt8]) throws(HarbourError) {
        var head = head
        head.contentLength = body.count
        try respond(head)
        try write(body)
        try finish()
    }

    /// Begins the answer to the current request; `write` and `finish` follow.
    /// - Throws: `INVALID_STATE` when no answer is owed.
    public mutating func respond(_ head: HTTP1ResponseHead) throws(HarbourError) {
        guard writing == .owed else { throw HarbourError(.invalidState, "There is no request to answer now.") }
        decidePersistence()
        writing = bodyMode(head)
        if writing == .untilClose { keepAlive = false }
        output.reserveCapacity(output.count + 256)
        output += "HTTP/1.1 ".utf8
        append(head.status)
        output.append(0x20)
        output += reasonPhrase(head.status).utf8
        appendLine()
        for entry in head.fields.storage.entries {
            let name = head.fields.storage.bytes(entry.name)
            if belongsToConnection(name) { continue }
            append(name, head.fields.storage.bytes(entry.value))
        }
        if !head.date.isEmpty {
            output += "date: ".utf8
            output += head.date
            appendLine()
        }
        appendFraming(head)
        if closesAfterResponse {
            output += "connection: close\r\n".utf8
        } else if !isVersion11 {
            output += "connection: keep-alive\r\n".utf8
        }
        appendLine()
    }

    /// Adds to the body of the answer. What may have no body (HEAD, 204, 304) drops it.
    /// - Throws: `INTERNAL_ERROR` when the body is longer than the head said; `INVALID_STATE` without an answer begun.
    public mutating func write(_ bytes: [UInt8]) throws(HarbourError) {
        switch writing {
        case .bodiless: return
        case .untilClose: output += bytes
        case .length(let remaining):
            guard bytes.count <= remaining else {
                abort()
                throw HarbourError(.internalError, "The answer is longer than it said.")
            }
            writing = .length(remaining: remaining - bytes.count)
            output += bytes
        case .chunks:
            // An empty chunk would be the last one.
            if bytes.isEmpty { return }
            output += String(bytes.count, radix: 16).utf8
            appendLine()
            output += bytes
            appendLine()
        case .idle, .owed, .done: throw HarbourError(.invalidState, "There is no answer under way.")
        }
    }

    /// Ends the answer.
    /// - Throws: `INTERNAL_ERROR` when the body is shorter than the head said; the connection then closes, so that the
    ///   client can tell. `INVALID_STATE` without an answer begun.
    public mutating func finish() throws(HarbourError) {
        switch writing {
        case .idle, .owed, .done: throw HarbourError(.invalidState, "There is no answer under way.")
        case .length(let remaining) where remaining > 0:
            abort()
            throw HarbourError(.internalError, "The answer is shorter than it said.")
        case .chunks: output += "0\r\n\r\n".utf8
        case .length, .bodiless, .untilClose: break
        }
        writing = .done
    }

    /// Gives up an answer that has begun: the connection closes without the end of the body, so that the client cannot
    /// take what it has for the whole.
    public mutating func abort() {
        keepAlive = false
        writing = .done
    }

    /// Answers 101 and hands the connection to another protocol; `takeRemainder` has what came after the request.
    /// - Parameter fields: such as `upgrade` and `sec-websocket-accept`.
    /// - Throws: `INVALID_STATE` when no answer is owed or the request is not complete.
    public mutating func switchProtocols(_ fields: HTTPFields) throws(HarbourError) {
        guard writing == .owed, reading == .end || reading == .complete else {
            throw HarbourError(.invalidState, "This request cannot change the protocol.")
        }
        output += "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n".utf8
        for entry in fields.storage.entries {
            append(fields.storage.bytes(entry.name), fields.storage.bytes(entry.value))
        }
        appendLine()
        finishUpgrade()
    }

    // MARK: Inside

    /// A body that has not come yet decides too: the client that waits for 100 may never send it, and one that is
    /// longer than we are ready to drop would block the next request.
    private mutating func decidePersistence() {
        if needsContinue { keepAlive = false }
        if case .body(let remaining) = reading, remaining > limits.discardedBody { keepAlive = false }
        needsContinue = false
    }

    private func bodyMode(_ head: HTTP1ResponseHead) -> Writing {
        if isHead || head.status == 204 || head.status == 304 { return .bodiless }
        if let length = head.contentLength { return .length(remaining: length) }
        return isVersion11 ? .chunks : .untilClose
    }

    /// RFC 9112 section 6: neither field for 204; HEAD says what GET would.
    private mutating func appendFraming(_ head: HTTP1ResponseHead) {
        if head.status == 204 || head.status == 304 { return }
        if let length = head.contentLength {
            output += "content-length: ".utf8
            append(length)
            appendLine()
        } else if isVersion11 {
            output += "transfer-encoding: chunked\r\n".utf8
        }
    }

    private func belongsToConnection(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        switch name.count {
        case 7: StaticString("upgrade").matches(name) || StaticString("trailer").matches(name)
        case 10: StaticString("connection").matches(name) || StaticString("keep-alive").matches(name)
        case 14: StaticString("content-length").matches(name)
        case 16: StaticString("proxy-connection").matches(name)
        case 17: StaticString("transfer-encoding").matches(name)
        default: false
        }
    }

    private mutating func append(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
        output += name
        output += ": ".utf8
        output += value
        appendLine()
    }

    private mutating func append(_ number: Int) { output += String(number).utf8 }

    private mutating func appendLine() { output += "\r\n".utf8 }
}

/// The text after a status, which nobody may decide on (RFC 9112 section 4); empty for unusual ones.
private func reasonPhrase(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 206: "Partial Content"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 426: "Upgrade Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: ""
    }
}
