internal import Core
internal import EventLoop
internal import HTTPMessage
internal import WebSocket

/// What all connections of a server share. On its loop only.
///
/// `@unchecked Sendable`: see above; exchanges carry it into tasks of the same loop.
final class ServerContext: @unchecked Sendable {
    let loop: EventLoop
    let handler: any HTTPHandler
    let limits: HTTPServerLimits
    let trustedProxies: TrustedProxies?
    let observer: (@Sendable (HTTPRequest, HTTPOutcome) -> Void)?
    /// What an exchange holds while it has no request.
    let placeholder = HTTPRequest(forServer: ())
    private let logger = Logger("http.server")
    @exclusivity(unchecked) private var date: [UInt8] = []
    @exclusivity(unchecked) private var dateEnd = MonotonicTime(nanoseconds: .min)
    @exclusivity(unchecked) private var identifiers: RequestIdentifiers

    init(loop: EventLoop, handler: any HTTPHandler, configuration: HTTPServerConfiguration) {
        self.loop = loop
        self.handler = handler
        limits = configuration.limits
        trustedProxies = configuration.trustedProxies.isEmpty ? nil : configuration.trustedProxies
        observer = configuration.observer
        identifiers = RequestIdentifiers()
    }

    /// The value of `date`, made once a second.
    var dateBytes: [UInt8] {
        @inline(__always) get {
            if loop.now >= dateEnd { makeDate() }
            return date
        }
    }

    private func makeDate() {
        let time = Timestamp.now
        date = Array(HTTPDate.format(time).utf8)
        dateEnd = loop.now + .milliseconds(1000 - time.milliseconds % 1000)
    }

    /// Reads what every request may carry: its id and its deadline.
    func prepare(_ request: HTTPRequest, now: MonotonicTime) {
        let storage = request.fields.storage
        storage.forEach { name, value in
            switch name.count {
            case 4 where request.authorityRange.isEmpty && ("host" as StaticString).matches(name):
                request.authorityRange = value
            case 12 where ("x-request-id" as StaticString).matches(name):
                if RequestIdentifiers.isValid(storage.bytes(value)) { request.requestIDRange = value }
            case 21 where ("x-harbour-deadline-ms" as StaticString).matches(name):
                request.deadline = ServerContext.deadline(storage.bytes(value), now)
            default: break
            }
        }
        if request.requestIDRange.isEmpty {
            request.requestIDRange = identifiers.store(in: storage, now)
        }
    }

    /// Up to 10 digits of milliseconds; anything else is no deadline.
    private static func deadline(_ digits: UnsafeBufferPointer<UInt8>, _ now: MonotonicTime) -> MonotonicTime? {
        guard (1...10).contains(digits.count) else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - 0x30)
        }
        return now + .milliseconds(value)
    }

    func log(_ error: HarbourError, _ request: HTTPRequest) {
        if error.code == .cancelled { return }
        logger.with("request_id", request.requestID).with("route", request.routeTemplate).error(
            "A request failed.", ["error": error.describeChain()])
    }

    /// The error grammar, with the fields that some statuses must have (RFC 9110 section 15.5).
    func response(to error: HarbourError, _ request: HTTPRequest) -> HTTPResponse {
        var response = HTTPResponse.error(error, requestID: request.requestID)
        switch error.code {
        case .methodNotAllowed: if let methods = error.detail { response.fields.append("allow", methods) }
        case .unauthenticated: response.fields.append("www-authenticate", "Bearer")
        case .upgradeRequired: response.fields.append("sec-websocket-version", WebSocketHandshake.version)
        default: break
        }
        return response
    }
}

/// Makes ids for requests that bring none: 9 letters of time, 13 random ones, as `Identifier` does, but from a
/// generator of this loop's, because the system's costs a call to the kernel for each number.
struct RequestIdentifiers {
    private var generator: SeededGenerator
    /// The letters of the time, made once a turn of the loop.
    private var prefix: InlineArray<9, UInt8> = .init(repeating: 0)
    private var prefixTime: MonotonicTime?
    private static let alphabet: StaticString = "0123456789abcdefghjkmnpqrstvwxyz"

    init() {
        var system = SystemRandomNumberGenerator()
        generator = SeededGenerator(seed: system.next())
    }

    /// 1 to 128 visible ASCII characters.
    static func isValid(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        (1...128).contains(value.count) && value.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }

    mutating func store(in storage: HTTPFieldStorage, _ now: MonotonicTime) -> ByteRange {
        let letters = RequestIdentifiers.alphabet.utf8Start
        if prefixTime != now { makePrefix(now) }
        var low = generator.next()
        let extra = generator.next()
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 22) { text in
            for index in 0..<9 { text[index] = prefix[index] }
            for index in 9..<21 {
                text[index] = letters[Int(low & 31)]
                low >>= 5
            }
            text[21] = letters[Int(extra & 31)]
            return storage.store(text.baseAddress, 22)
        }
    }

    private mutating func makePrefix(_ now: MonotonicTime) {
        prefixTime = now
        var time = UInt64(bitPattern: Timestamp.now.milliseconds)
        for index in stride(from: 8, through: 0, by: -1) {
            prefix[index] = RequestIdentifiers.alphabet.utf8Start[Int(time & 31)]
            time >>= 5
        }
    }
}
