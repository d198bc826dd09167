public import Core

/// How a stream says that it has failed after it began: its last line is an `ErrorBody`, with the status among the
/// details. It is told from an element by its first field, which no element has first.
public enum StreamFailure {
    private static let start = Array(#"{"error_code":"#.utf8)

    /// The line, newline included.
    public static func line(_ error: HarbourError, requestID: String) -> [UInt8] {
        var body = ErrorBody(error, requestID: requestID)
        body.details = ["status": .integer(error.code.status)]
        return body.encodedJSON() + [0x0a]
    }

    /// The error that a line of a stream tells; nil when the line is an element.
    public static func error(in line: ArraySlice<UInt8>, service: String) -> HarbourError? {
        guard line.starts(with: start), let body = try? ErrorBody(json: Array(line)) else { return nil }
        let status = body.details?["status"]?.int ?? ErrorCode.badGateway.status
        return HarbourError(
            ErrorCode(body.errorCode, status: status), body.message,
            detail: "answered by \(service), request \(body.requestID)")
    }
}
