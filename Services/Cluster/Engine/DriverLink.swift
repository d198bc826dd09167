internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HTTPClient
internal import HarbourProtocol
internal import ServiceClients

/// The connection to the driver of one start of a cluster. Closing it breaks off everything that is read through it.
struct DriverLink: Sendable {
    /// The start of the cluster it belongs to.
    let generation: Int64
    /// Calls the driver.
    let client: ServiceClient
    private let http: HTTPClient

    init(_ address: DriverAddress, token: Secret, generation: Int64, loop: EventLoop) throws(HarbourError) {
        self.generation = generation
        http = HTTPClient(loop: loop)
        client = try ServiceClient(http: http, baseURL: address.url, token: token.reveal(), service: "driver")
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
