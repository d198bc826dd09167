public import Core
public import EventLoop

/// A client for the outside world: S3, Databricks, webhooks, Docker's socket. It is libcurl, driven by an event loop.
///
/// Connections are reused, HTTP/2 is spoken where the server offers it over TLS, proxies come from the environment.
/// Between our own services `HTTPClient` is the one to use.
///
/// Dropping the client ends what is under way.
public final class WebClient: Sendable {
    private let multi: CurlMulti

    /// Makes a client that works on that loop.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when libcurl has no memory.
    public init(
        loop: EventLoop, configuration: WebClientConfiguration = WebClientConfiguration()
    ) throws(HarbourError) {
        multi = try CurlMulti(loop: loop, configuration: configuration)
    }

    deinit { multi.shutDown() }

    /// Sends a request and returns when the head of the answer is here; any status is an answer. Cancelling the task
    /// ends the transfer.
    /// - Parameters:
    ///   - request: what to send.
    ///   - deadline: when everything must be over, the reading of the body included.
    /// - Returns: the head, and the body to be read.
    /// - Throws: `DEADLINE_EXCEEDED`, `CANCELLED`, `TEMPORARILY_UNAVAILABLE` (not reached, or broken off),
    ///   `TLS_CERTIFICATE_REJECTED`, `TLS_HANDSHAKE_FAILED`, `BAD_UPSTREAM_RESPONSE` (not HTTP, too many redirects),
    ///   `INVALID_PARAMETER_VALUE` (not a URL), `REQUEST_TOO_LARGE` (the answer is over its limit), and what the
    ///   stream of the request's body throws.
    public func send(_ request: WebRequest, deadline: MonotonicTime? = nil) async throws(HarbourError) -> WebResponse {
        let transfer = WebTransfer(multi: multi, request: request, deadline: deadline)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                multi.loop.onLoop { transfer.start(continuation) }
            }
        } onCancel: {
            multi.loop.submit { transfer.cancel() }
        }
        return try result.get()
    }
}
