public import Core

/// An answer. Servers add `date`, `content-length` where it is known, and `x-request-id`.
public struct HTTPResponse: Sendable {
    /// The status code, 200 to 599 (RFC 9110 section 15).
    public var status: Int
    /// The header fields.
    public var fields: HTTPFields
    /// The body.
    public var body: HTTPOutgoingBody
    /// How many bytes a streamed body will have, when that is known before: the client then sees how far it is, and
    /// that something is missing. A body that turns out to be of another length is broken off.
    public var streamLength: Int?

    /// Makes a response.
    public init(status: Int = 200, fields: HTTPFields = HTTPFields(), body: HTTPOutgoingBody = .empty) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// JSON that has been encoded already.
    public static func json(_ bytes: [UInt8], status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, fields: HTTPFields.json, body: .bytes(bytes))
    }

    /// Plain text in UTF-8.
    public static func text(_ text: String, status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, fields: HTTPFields.plainText, body: .bytes(Array(text.utf8)))
    }

    /// One JSON value a line, sent as they are written (`application/x-ndjson`).
    public static func lines(_ write: @escaping @Sendable (HTTPBodyWriter) async throws -> Void) -> HTTPResponse {
        HTTPResponse(fields: HTTPFields.lines, body: .stream(write))
    }

    /// No content (204).
    public static let noContent = HTTPResponse(status: 204)

    /// The error grammar: `{"error_code", "message", "request_id"}` with the status of the code.
    public static func error(_ error: HarbourError, requestID: String) -> HTTPResponse {
        var body: [UInt8] = []
        body += #"{"error_code":"#.utf8
        JSONText.append(error.code.name, to: &body)
        body += #","message":"#.utf8
        JSONText.append(error.message, to: &body)
        body += #","request_id":"#.utf8
        JSONText.append(requestID, to: &body)
        body += "}".utf8
        return .json(body, status: error.code.status)
    }
}

extension HTTPFields {
    /// `content-type: application/json`, shared by all answers of that type.
    static let json: HTTPFields = ["content-type": "application/json"]
    static let plainText: HTTPFields = ["content-type": "text/plain; charset=utf-8"]
    static let lines: HTTPFields = ["content-type": "application/x-ndjson", "cache-control": "no-store"]
}

/// Quotes text for the error grammar, which this module answers before any encoder of the contract is loaded.
enum JSONText {
    static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                let digits: [UInt8] = Array("0123456789abcdef".utf8)
                bytes += #"\u00"#.utf8
                bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
