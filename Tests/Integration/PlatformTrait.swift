import Core
import EventLoop
import Testing

/// Runs the tests of a suite against one platform, which is started before the first and ended after the last.
struct PlatformTrait: SuiteTrait, TestScoping {
    @TaskLocal static var current: PlatformUnderTest?

    /// What the platform is told besides what every one is.
    let variables: [String: String]

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let loop = try EventLoop()
        let thread = loop.start()
        defer { thread.stopAndJoin() }
        let platform = try await withTaskExecutorPreference(loop) {
            try await PlatformUnderTest.start(loop: loop, adding: variables)
        }
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await PlatformTrait.$current.withValue(platform) { try await function() })
        } catch {
            outcome = .failure(error)
        }
        await withTaskExecutorPreference(loop) { await platform.end() }
        try outcome.get()
    }
}

extension Trait where Self == PlatformTrait {
    /// Runs the suite's tests against one platform of their own.
    static var platform: PlatformTrait { .platform(adding: [:]) }

    /// The same, with more variables.
    static func platform(adding variables: [String: String]) -> PlatformTrait { PlatformTrait(variables: variables) }
}

/// Runs the body with the platform of the suite, on its loop.
func withPlatform(_ body: @escaping @Sendable (PlatformUnderTest) async throws -> Void) async throws {
    let platform = try #require(PlatformTrait.current, "the suite has no .platform trait")
    try await withTaskExecutorPreference(platform.loop) {
        do { try await body(platform) } catch {
            print("The last lines of the platform's logs:\n\(platform.logs())")
            throw error
        }
    }
}
