import Core
import EventLoop
import HTTPClient
import HarbourProtocol
import ServiceClients
import ServiceKit
import ServiceTestKit
import TestSupport
import Testing
import WorkspaceService

@Suite("Signing in")
struct SignInTests {
    @Test func tokensDecide() async throws {
        try await Workspace.run { workspace in
            let me = try await workspace.user.call(WorkspaceAPI.getMe, .init())
            #expect(me.userName == "admin")
            #expect(me.tokenName == "admin")
            for token in [nil, "", "wrong", adminToken + "0"] {
                let stranger = try workspace.service.client(token: token)
                #expect(
                    await errorCode { _ = try await stranger.call(WorkspaceAPI.listObjects, .init(path: "/")) }
                        == "UNAUTHENTICATED")
                #expect(
                    await errorCode { _ = try await stranger.call(SchedulerAPI.listJobs, .init()) }
                        == "UNAUTHENTICATED")
            }
            // What is internal is for services, which may speak for a user.
            #expect(
                await errorCode {
                    _ = try await workspace.user.call(WorkspaceAPI.readContent, .init(path: "/Shared/n"))
                } == "PERMISSION_DENIED")
            let service = try await workspace.service.client.call(
                WorkspaceAPI.getMe, .init(), context: CallContext(user: "ada"))
            #expect(service.userName == "ada")
        }
    }

    private static func client(
        _ service: RunningService, _ loop: EventLoop, _ token: String
    ) async throws -> ServiceClient {
        try ServiceClient(
            http: HTTPClient(loop: loop), baseURL: try await service.baseURL, token: token, service: "workspace")
    }

    /// Goal: a new token in the file replaces the one before, and a file without one is said at the start.
    @Test func adminTokenIsReplaced() async throws {
        let folder = try TemporaryDirectory()
        try await withDatabase { database in
            for (token, before) in [
                ("a-first-token-of-the-admin", nil), ("a-second-token", "a-first-token-of-the-admin"),
            ] {
                let file = try folder.write("token", Array("  \(token)-x\n\n".utf8))
                try await withEventLoop { loop in
                    let service = try await ServiceRuntime.start(
                        WorkspaceService.definition,
                        arguments: [
                            "--listen", "127.0.0.1:0", "--service-token", "t", "--database-url", database.url,
                            "--admin-token-file", file,
                        ], loop: loop)
                    let under = try await SignInTests.client(service, loop, "\(token)-x")
                    #expect(try await under.call(WorkspaceAPI.getMe, .init()).userName == "admin")
                    if let before {
                        let old = try await SignInTests.client(service, loop, "\(before)-x")
                        #expect(
                            await errorCode { _ = try await old.call(WorkspaceAPI.getMe, .init()) }
                                == "UNAUTHENTICATED")
                    }
                    try await service.stop()
                }
            }
            let short = try folder.write("short", Array("abc\n".utf8))
            for file in [short, folder.file("none")] {
                try await withEventLoop { loop in
                    #expect(
                        await errorCode {
                            _ = try await ServiceRuntime.start(
                                WorkspaceService.definition,
                                arguments: [
                                    "--listen", "127.0.0.1:0", "--service-token", "t", "--database-url",
                                    database.url, "--admin-token-file", file,
                                ], loop: loop)
                        } == "INVALID_CONFIGURATION")
                }
            }
        }
    }
}
