import Core
import EventLoop
import HTTPMessage
import HarbourProtocol
import TestSupport
import Testing

extension WholePlatform {
    /// A user's own database that cannot be reached: nothing gets ready, and everything says why.
    @Suite struct DatabaseAway {
        @Test(.timeLimit(.minutes(10))) func upGivesUpAndServicesSayWhatTheyWaitFor() async throws {
            try await withEventLoop { loop in
                let platform = try PlatformUnderTest.prepare(loop: loop)
                let error = await #expect(throws: HarbourError.self) {
                    try await platform.harbour(
                        ["up", "--timeout", "2"], adding: ["DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"])
                }
                #expect(error?.message.contains("Not everything is ready after 2 s") == true)
                #expect(error?.message.contains("harbour logs workspace") == true)
                for service in PlatformUnderTest.services {
                    // Two seconds may end before a service listens, or before it has looked for its database.
                    try await eventually("\(service) says that the database cannot be reached") {
                        guard let ready = try? await platform.send(.get, "/readyz", service: service) else {
                            return false
                        }
                        let text = String(decoding: ready.body, as: UTF8.self)
                        return ready.status == 503 && text.contains("database cannot be reached")
                    }
                    #expect(try await platform.send(.get, "/healthz", service: service).status == 200)
                }
                #expect(try await platform.send(.get, "/api/v1/jobs").status == 503)
                await platform.end()
            }
        }
    }
}
