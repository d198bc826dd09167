internal import Core
internal import EventLoop
internal import HTTPClient
internal import HTTPMessage

/// Speaks to the supervisor of a data folder.
struct ControlClient: Sendable {
    private let http: HTTPClient
    private let origin: HTTPOrigin

    init(layout: PlatformLayout, loop: EventLoop) throws(HarbourError) {
        http = HTTPClient(loop: loop)
        origin = try HTTPOrigin("unix:\(layout.controlSocket)")
    }

    /// The state of the platform; nil when no supervisor answers.
    func status() async throws -> SupervisorStatus? {
        do {
            return try await ask(.get, "/v1/status")
        } catch let error as HarbourError where error.code == .unavailable {
            return nil
        }
    }

    /// Asks for the end of everything; nil when no supervisor answers.
    func stop() async throws -> SupervisorStatus? {
        do {
            return try await ask(.post, "/v1/stop")
        } catch let error as HarbourError where error.code == .unavailable {
            return nil
        }
    }

    /// Follows the state until the condition holds.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the supervisor goes away first, `DEADLINE_EXCEEDED`.
    func follow(within limit: Duration, until done: (SupervisorStatus) -> Bool) async throws {
        let deadline = MonotonicTime.now + limit
        do {
            try await follow(deadline: deadline, until: done)
        } catch {
            // The supervisor knows the deadline too, and may break its answer off a little before we do.
            if MonotonicTime.now + .milliseconds(50) < deadline { throw error }
            throw HarbourError(
                .deadlineExceeded, "The platform did not become ready in the time allowed.", cause: error)
        }
    }

    private func follow(deadline: MonotonicTime, until done: (SupervisorStatus) -> Bool) async throws {
        let request = HTTPClientRequest(
            method: .get, origin: origin, target: "/v1/status/stream", serviceName: "supervisor")
        let response = try await http.send(request, deadline: deadline)
        var buffer: [UInt8] = []
        for try await chunk in response.body {
            buffer += chunk
            while let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[..<end])
                buffer.removeSubrange(...end)
                guard let status = SupervisorStatus(try JSONValue(json: line)) else { continue }
                if done(status) { return }
            }
        }
        throw HarbourError(.unavailable, "The supervisor has ended. Its log says why: harbour logs supervisor.")
    }

    func close() async { await http.close() }

    private func ask(_ method: HTTPMethod, _ target: String) async throws -> SupervisorStatus? {
        let request = HTTPClientRequest(method: method, origin: origin, target: target, serviceName: "supervisor")
        let response = try await http.send(request, deadline: .now + .seconds(10))
        return SupervisorStatus(try JSONValue(json: try await response.collect(limit: 1 << 20)))
    }
}
