internal import ClusterBackend
internal import Core
internal import Cryptography
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol
internal import WebClient

/// A request to the other platform, before it has a token.
struct FarRequest: Sendable {
    var method: HTTPMethod
    /// Path and query, percent-encoded.
    var target: String
    var fields = HTTPFields()
    var body: [UInt8]?
    /// Whether asking twice does what asking once does.
    var isRepeatable: Bool

    init(_ method: HTTPMethod, _ target: String, body: [UInt8]? = nil, isRepeatable: Bool) {
        self.method = method
        self.target = target
        self.body = body
        self.isRepeatable = isRepeatable
    }
}

/// Asks the other platform over HTTPS: with our token, within a deadline, again where that is safe.
struct FarClient: Sendable {
    private static let answerLimit = 64 << 20

    let url: String
    let loop: EventLoop
    /// How long a request may take, its repetitions included.
    let patience: Duration
    private let web: WebClient
    private let token: RemoteToken

    init(
        url: String, token: RemoteToken, authorities: String?, patience: Duration, loop: EventLoop
    ) throws(HarbourError) {
        var url = url
        while url.hasSuffix("/") { url.removeLast() }
        self.url = url
        self.token = token
        self.patience = patience
        self.loop = loop
        var configuration = WebClientConfiguration()
        if let authorities { configuration.trust = .authorityFile(authorities) }
        // Streams stay open while a command runs, one for each reader.
        configuration.connectionsPerHost = 256
        configuration.connections = 512
        web = try WebClient(loop: loop, configuration: configuration)
    }

    // MARK: Whole answers

    /// Asks and reads the whole answer, whatever its status.
    /// - Throws: `REMOTE_TOKEN_REJECTED`; `REMOTE_ANSWER_LOST` when what must not be asked twice may have been done;
    ///   `BACKEND_UNAVAILABLE` when there is no answer within the deadline; `RESOURCE_EXHAUSTED` when we are told to wait
    ///   longer than that; `CANCELLED`.
    func exchange(_ request: FarRequest, until deadline: MonotonicTime?) async throws(HarbourError) -> (
        status: Int, body: [UInt8]
    ) {
        let deadline = deadline ?? .now + patience
        var rules = RetryRules(isRepeatable: request.isRepeatable)
        while true {
            var answer: (status: Int, body: [UInt8])?
            var failure: HarbourError?
            let outcome: RetryRules.Outcome
            do throws(HarbourError) {
                let response = try await send(request, until: deadline)
                answer = (response.status, try await response.collect(limit: FarClient.answerLimit))
                outcome = FarClient.outcome(response)
            } catch {
                guard error.code.status >= 500, error.code != .remoteTokenRejected, !FarClient.isFinal(error) else {
                    throw error
                }
                failure = error
                outcome = .broken
            }
            let again = try await decide(&rules, outcome, failure, until: deadline)
            if !again, let answer { return answer }
        }
    }

    /// Whether to ask once more; false when the answer is to be taken.
    private func decide(
        _ rules: inout RetryRules, _ outcome: RetryRules.Outcome, _ failure: HarbourError?,
        until deadline: MonotonicTime
    ) async throws(HarbourError) -> Bool {
        switch rules.decide(outcome, left: deadline - .now, jitter: .random(in: 0.7...1.3)) {
        case .accept: return false
        case .retry(let pause):
            do { try await loop.sleep(for: pause) } catch { throw .wrap(error) }
            return true
        case .renewToken:
            if try await token.renew() { return true }
            throw FarClient.rejected
        case .tokenRejected: throw FarClient.rejected
        case .giveUp:
            if case .status = outcome {
                throw HarbourError(
                    .resourceExhausted, "The other platform has too much to do and asks to be left alone. Try later.")
            }
            guard rules.isRepeatable else {
                throw HarbourError(
                    .remoteAnswerLost,
                    "The connection to the other platform broke before it had answered, so it is not known whether it "
                        + "did what was asked. It is not asked again.", cause: failure)
            }
            throw HarbourError(
                .backendUnavailable,
                "The other platform does not answer: \(failure?.message ?? "it is silent.") Check its address and the "
                    + "network.", cause: failure)
        }
    }

    /// What does not become better by itself.
    private static func isFinal(_ error: HarbourError) -> Bool {
        error.code.name.hasPrefix("TLS_")
    }

    static let rejected = HarbourError(
        .remoteTokenRejected,
        "The other platform does not accept the token. It may have expired: put a new one into the file that "
            + "HARBOUR_BACKEND_REMOTE_TOKEN_FILE names.")

    private static func outcome(_ response: WebResponse) -> RetryRules.Outcome {
        .status(
            response.status,
            retryAfter: RetryAfter.parse(response.fields["retry-after"], date: response.fields["date"]))
    }

    private func send(_ request: FarRequest, until deadline: MonotonicTime?) async throws(HarbourError) -> WebResponse {
        var web = WebRequest(method: request.method, url: url + request.target, fields: request.fields)
        web.fields[CallHeader.authorization] = "Bearer \(try await token.current().reveal())"
        if let body = request.body {
            web.fields["content-type"] = "application/json"
            web.body = .bytes(body)
        }
        return try await self.web.send(web, deadline: deadline)
    }

    // MARK: The contract of a DataHarbour

    /// Asks an endpoint of our own contract.
    /// - Throws: as `exchange`, and what the other platform answered.
    func call<Input, Output>(
        _ endpoint: Endpoint<Input, Output>, _ input: Input, isRepeatable: Bool? = nil,
        until deadline: MonotonicTime? = nil
    ) async throws(HarbourError) -> Output {
        let route = endpoint.route
        let request = FarClient.request(route, input, isRepeatable ?? route.isIdempotent)
        let (status, body) = try await exchange(request, until: deadline)
        guard status == route.successStatus else { throw FarClient.failure(status, body) }
        return try Output(json: body, subject: "answer of the other platform", code: .badGateway)
    }

    /// Opens a stream of our own contract, and returns when it has been accepted. It is not tried again.
    func open<Input, Element>(
        _ endpoint: StreamEndpoint<Input, Element>, _ input: Input
    ) async throws(HarbourError) -> FarStream<Element> {
        let request = FarClient.request(endpoint.route, input, false)
        var rules = RetryRules(isRepeatable: false)
        while true {
            let response = try await send(request, until: nil)
            if response.status == endpoint.route.successStatus { return FarStream(response.body) }
            let body = try await response.collect(limit: 1 << 20)
            let soon = MonotonicTime.now + patience
            if try await decide(&rules, FarClient.outcome(response), nil, until: soon) { continue }
            throw FarClient.failure(response.status, body)
        }
    }

    private static func request(_ route: EndpointRoute, _ input: some EndpointInput, _ isRepeatable: Bool) -> FarRequest
    {
        var builder = RequestBuilder()
        input.encode(to: &builder)
        var request = FarRequest(route.method, builder.target, body: builder.body, isRepeatable: isRepeatable)
        request.fields = builder.fields
        request.fields["accept"] = route.isStream ? "application/x-ndjson" : "application/json"
        CallContext().encode(to: &request.fields)
        return request
    }

    private static func failure(_ status: Int, _ body: [UInt8]) -> HarbourError {
        guard status >= 400 else {
            return HarbourError(
                .badGateway, "The other platform gave an answer that is not in the contract. Is it a DataHarbour?",
                detail: "status \(status)")
        }
        return HarbourError(status: status, body: body, service: "other platform")
    }
}

/// The lines of a stream, each an element.
struct FarStream<Element: JSONDecodable & Sendable>: Sendable {
    private let body: HTTPBody
    private static var longestLine: Int { 64 << 20 }

    init(_ body: HTTPBody) { self.body = body }

    /// Reads to the end.
    /// - Throws: what the stream ends with, and what `receive` throws.
    func forEach(_ receive: (Element) async throws -> Bool) async throws {
        var buffer: [UInt8] = []
        for try await chunk in body {
            // Looked for in what is new only, so that a long line costs its length once.
            var searched = buffer.count
            buffer += chunk
            var start = 0
            while let end = buffer[searched...].firstIndex(of: 0x0a) {
                let line = buffer[start..<end]
                start = end + 1
                searched = start
                if line.isEmpty { continue }
                if let failure = StreamFailure.error(in: line, service: "other platform") { throw failure }
                let element = try Element(json: Array(line), subject: "line of the other platform", code: .badGateway)
                if try await !receive(element) {
                    body.discard()
                    return
                }
            }
            buffer.removeFirst(start)
            guard buffer.count <= FarStream.longestLine else {
                throw HarbourError(.badGateway, "The other platform sent a line that is too long.")
            }
        }
        guard buffer.isEmpty else {
            throw HarbourError(.badGateway, "The other platform ended its stream in the middle of a line.")
        }
    }
}
