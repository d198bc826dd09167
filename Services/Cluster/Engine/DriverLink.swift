internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HTTPClient
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceClients

/// The connection to the driver of one start of a cluster. Closing it breaks off everything that is read through it.
struct DriverLink: Sendable {
    /// The start of the cluster it belongs to.
    let generation: Int64
    /// Calls the driver.
    let client: ServiceClient
    private let http: HTTPClient
    private let origin: HTTPOrigin
    private let authorization: String

    init(_ address: DriverAddress, token: Secret, generation: Int64, loop: EventLoop) throws(HarbourError) {
        self.generation = generation
        http = HTTPClient(loop: loop)
        origin = try HTTPOrigin(address.url)
        authorization = "Bearer \(token.reveal())"
        client = try ServiceClient(http: http, baseURL: address.url, token: token.reveal(), service: "driver")
    }

    /// Asks for what the contract does not cover; the token is added.
    func send(
        _ method: HTTPMethod, _ target: String, fields: HTTPFields, body: HTTPOutgoingBody, deadline: MonotonicTime
    ) async throws(HarbourError) -> HTTPClientResponse {
        var fields = fields
        fields.append("authorization", authorization)
        return try await http.send(
            HTTPClientRequest(
                method: method, origin: origin, target: target, fields: fields, body: body,
                serviceName: "The cluster's driver"), deadline: deadline)
    }

    func close() async { await http.close() }
}

/// Waits between attempts: each time twice as long, up to a limit.
struct Pause {
    private var next: Duration
    private let longest: Duration

    init(from first: Duration = .milliseconds(20), to longest: Duration = .seconds(1)) {
        next = first
        self.longest = longest
    }

    mutating func wait(on loop: EventLoop) async throws {
        let now = next
        next = min(next * 2, longest)
        try await loop.sleep(for: now)
    }
}
