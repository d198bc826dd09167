internal import Core
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import Metrics

/// Which requests get a line in the log.
enum RequestLog: String, CaseIterable {
    case off
    case errors
    case all
}

/// Counts, times and logs every request when it has ended.
///
/// `@unchecked Sendable`: told on the server's loop only.
final class RequestObserver: @unchecked Sendable {
    /// The instruments of one operation, looked up once.
    private final class Instruments {
        let name: String
        let isStream: Bool
        let seconds: Histogram
        var byStatus: [Int: Counter] = [:]

        init(name: String, isStream: Bool, seconds: Histogram) {
            self.name = name
            self.isStream = isStream
            self.seconds = seconds
        }
    }

    private let router: ServiceRouter
    private let log: RequestLog
    private let requests: MetricFamily<Counter>
    private let seconds: MetricFamily<Histogram>
    private let inFlight: Gauge
    private var instruments: [ServiceRouter.OperationKey: Instruments] = [:]
    private let logger = Logger("http.request")

    init(router: ServiceRouter, metrics: MetricsRegistry, log: RequestLog) {
        self.router = router
        self.log = log
        requests = metrics.counter(
            "harbour_http_requests_total", help: "Requests that have ended, by operation and status; 499 is given up.",
            labels: ["operation", "status"])
        seconds = metrics.histogram(
            "harbour_http_request_duration_seconds", help: "Time to the end of the answer; streams are not in it.",
            labels: ["operation"])
        inFlight = metrics.gauge("harbour_http_requests_in_flight", help: "Requests that are being worked on.")
    }

    func ended(_ request: HTTPRequest, _ outcome: HTTPOutcome) {
        router.ended(request)
        inFlight.set(router.inFlight)
        let instruments = instruments(of: request)
        let status = outcome.status ?? 499
        counter(instruments, status).increment()
        if !instruments.isStream { instruments.seconds.observe(outcome.duration) }
        guard log == .all || (log == .errors && status >= 400 && status != 499) else { return }
        logger.with("request_id", request.requestID).info(
            "\(request.method) \(RequestObserver.address(of: request))",
            [
                "operation": instruments.name, "status": status, "milliseconds": outcome.duration.milliseconds,
                "received": outcome.receivedBytes, "sent": outcome.sentBytes, "peer": request.remote.description,
            ])
    }

    /// The path, but for one that lets in whoever knows it.
    private static func address(of request: HTTPRequest) -> String {
        let template = request.routeTemplate
        return template.contains("{ticket}") ? template : request.path
    }

    private func counter(_ instruments: Instruments, _ status: Int) -> Counter {
        if let known = instruments.byStatus[status] { return known }
        let made = requests.with(instruments.name, String(status))
        instruments.byStatus[status] = made
        return made
    }

    private func instruments(of request: HTTPRequest) -> Instruments {
        // HEAD is answered by GET's route.
        let method = request.method == .head ? HTTPMethod.get : request.method
        let template = request.routeTemplate
        // Without a route the method is any text of the client's.
        let key = ServiceRouter.OperationKey(method: template.isEmpty ? .get : method, template: template)
        if let known = instruments[key] { return known }
        let operation = router.operations[key]
        let name = operation?.operationID ?? (template.isEmpty ? "unmatched" : template)
        let made = Instruments(name: name, isStream: operation?.isStream ?? false, seconds: seconds.with(name))
        // A path that was found with a method that is not there has a template too.
        if operation != nil || instruments.count < 1000 { instruments[key] = made }
        return made
    }
}
