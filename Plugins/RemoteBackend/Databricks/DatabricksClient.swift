internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol

/// Speaks JSON with Databricks and reads both of its error forms.
struct DatabricksClient: Sendable {
    let far: FarClient
    var loop: EventLoop { far.loop }

    /// Reads.
    func get(
        _ path: String, _ query: [String: String] = [:], until deadline: MonotonicTime? = nil
    ) async throws(HarbourError) -> JSONValue {
        let items = query.sorted { $0.key < $1.key }.map { "\($0.key)=\(PercentEncoding.encode($0.value))" }
        let target = items.isEmpty ? path : "\(path)?\(items.joined(separator: "&"))"
        return try await answer(FarRequest(.get, target, isRepeatable: true), until: deadline)
    }

    /// Changes.
    func post(
        _ path: String, _ body: JSONObject, isRepeatable: Bool, until deadline: MonotonicTime? = nil
    ) async throws(HarbourError) -> JSONValue {
        let bytes = JSONValue.object(body).encodedJSON()
        return try await answer(FarRequest(.post, path, body: bytes, isRepeatable: isRepeatable), until: deadline)
    }

    private func answer(_ request: FarRequest, until deadline: MonotonicTime?) async throws(HarbourError) -> JSONValue {
        let (status, body) = try await far.exchange(request, until: deadline)
        let value = try? JSONValue(json: body)
        guard (200..<300).contains(status) else { throw DatabricksClient.failure(status, value, request) }
        guard let value else {
            throw HarbourError(.badGateway, "Databricks gave an answer that is not JSON. Check the address.")
        }
        return value
    }

    /// What went wrong there: `error_code` with `message` (2.x), or `error` alone (1.2).
    static func failure(_ status: Int, _ value: JSONValue?, _ request: FarRequest) -> HarbourError {
        // A gateway that gives up does not know whether what is behind it has done what was asked.
        if !request.isRepeatable && (502...504).contains(status) {
            return HarbourError(
                .remoteAnswerLost,
                "Databricks did not say whether it did what was asked. It is not asked again.", detail: "\(status)")
        }
        let words = value?["message"]?.string ?? value?["error"]?.string ?? "it did not say why"
        let code: ErrorCode =
            switch (value?["error_code"]?.string, status) {
            case ("RESOURCE_DOES_NOT_EXIST"?, _), (_, 404): .notFound
            case ("INVALID_PARAMETER_VALUE"?, _): .invalidParameter
            case ("INVALID_STATE"?, _): .invalidState
            case ("PERMISSION_DENIED"?, _), (_, 403): .permissionDenied
            case (_, 400): .invalidParameter
            case (_, 429): .resourceExhausted
            case (_, 503): .unavailable
            default: .badGateway
            }
        return HarbourError(
            code, "Databricks refused: \(words.prefix(500))\(words.hasSuffix(".") ? "" : ".")", detail: "\(status)")
    }
}
