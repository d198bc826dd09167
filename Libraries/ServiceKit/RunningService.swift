internal import Configuration
internal import Core
internal import EventLoop
internal import Glibc
internal import Lifecycle
internal import Synchronization

/// Where a service listens.
public struct ServiceAddress: Sendable, Hashable {
    /// The host or the path of the socket.
    public let host: String
    /// The port; 0 for a socket.
    public let port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init(_ configuration: Configuration, _ options: ServiceOptions, port: Int) {
        if let path = configuration[options.listenSocket] {
            self.init(host: path, port: 0)
        } else {
            self.init(host: configuration[options.listen].host, port: port)
        }
    }

    /// `127.0.0.1:8080`, or `unix:/path`.
    public var text: String {
        port == 0 ? "unix:\(host)" : host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Writes the address into a file that whoever waits for it finds whole or not at all.
    func write(to path: String?) throws(HarbourError) {
        guard let path else { return }
        let temporary = "\(path).new"
        guard let file = fopen(temporary, "w") else { throw .system("\(path) cannot be written", errno) }
        let line = text + "\n"
        let written = fputs(line, file)
        guard fclose(file) == 0, written >= 0, rename(temporary, path) == 0 else {
            throw .system("\(path) cannot be written", errno)
        }
    }
}

/// Tells when a service serves, or why it will not.
final class ServiceReady: Sendable {
    private struct State {
        var result: Result<ServiceAddress, any Error>?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func resolve(_ result: Result<ServiceAddress, any Error>) {
        let waiter = state.withLock { state in
            if state.result == nil { state.result = result }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    func value() async throws -> ServiceAddress {
        await withCheckedContinuation { continuation in
            let isResolved = state.withLock { state in
                if state.result == nil { state.waiter = continuation }
                return state.result != nil
            }
            if isResolved { continuation.resume() }
        }
        guard let result = state.withLock({ $0.result }) else { throw CancellationError() }
        return try result.get()
    }
}

/// A service that was started by `ServiceRuntime.start`.
public final class RunningService: Sendable {
    private let service: AssembledService
    private let end: Task<Void, any Error>

    init(_ service: AssembledService, loop: EventLoop) {
        self.service = service
        end = Task(executorPreference: loop) {
            do {
                try await service.group.run()
                service.ready.resolve(.failure(CancellationError()))
            } catch {
                service.ready.resolve(.failure(error))
                throw error
            }
        }
    }

    func waitUntilReady() async throws { _ = try await service.ready.value() }

    /// Where it listens.
    public var address: ServiceAddress {
        get async throws { try await service.ready.value() }
    }

    /// `http://127.0.0.1:8080`, or `unix:/path`.
    public var baseURL: String {
        get async throws {
            let address = try await address
            return address.port == 0 ? address.text : "http://\(address.text)"
        }
    }

    /// What the service was built from.
    public var environment: ServiceEnvironment { service.environment }

    /// Ends the service as SIGTERM would and waits until it is down.
    /// - Throws: the failure that ended it before.
    public func stop() async throws {
        service.group.shutDown(reason: "stop")
        try await end.value
    }
}
