public import Core

extension ErrorBody {
    /// The body that answers with an error: its code and its message, and nothing that is for the log only.
    public init(_ error: HarbourError, requestID: String) {
        self.init(errorCode: error.code.name, message: error.message, requestID: requestID)
    }
}

extension HarbourError {
    /// The error that another service answered with: its code and message, and its request id for the log. A body that
    /// is not the error grammar makes the code of the status.
    public init(status: Int, body: [UInt8], service: String) {
        guard let parsed = try? ErrorBody(json: body) else {
            self = HarbourError(
                HarbourError.code(ofStatus: status),
                "The service \(service) answered with status \(status) and without saying why.",
                detail: String(String(decoding: body.prefix(300), as: UTF8.self)))
            return
        }
        self.init(
            ErrorCode(parsed.errorCode, status: status), parsed.message,
            detail: "answered by \(service), request \(parsed.requestID)")
    }

    private static func code(ofStatus status: Int) -> ErrorCode {
        switch status {
        case 401: .unauthenticated
        case 403: .permissionDenied
        case 404: .notFound
        case 409: .conflict
        case 413: .tooLarge
        case 429: .resourceExhausted
        case 502, 503: .unavailable
        case 504: .deadlineExceeded
        default: .badGateway
        }
    }
}
