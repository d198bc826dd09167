import Core
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import ServiceTestKit
import Synchronization
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("People")
struct PeopleTests {
    private static func signIn(_ workspace: Workspace, _ user: String, _ password: String) async throws -> (
        status: Int, cookie: String, csrf: String
    ) {
        let body: JSONValue = ["user_name": .string(user), "password": .string(password)]
        let answer = try await workspace.send(
            .post, "/api/v1/session", fields: ["authorization": "", "content-type": "application/json"],
            body: .bytes(body.encodedJSON()))
        let bytes = try await answer.collect()
        let cookie = String((answer.fields["set-cookie"] ?? "").prefix { $0 != ";" })
        let csrf = answer.status == 200 ? try Session(json: bytes).csrfToken : ""
        return (answer.status, cookie, csrf)
    }

    private static func me(_ workspace: Workspace, cookie: String) async throws -> Int {
        try await workspace.send(.get, "/api/v1/me", fields: ["authorization": "", "cookie": cookie]).status
    }

    @Test func aPasswordSignsInUntilItIsAnother() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada", password: "correct horse")
            let session = try await PeopleTests.signIn(workspace, "ada", "correct horse")
            #expect(session.status == 200)
            #expect(try await PeopleTests.me(workspace, cookie: session.cookie) == 200)
            for (user, password) in [("ada", "wrong horse"), ("nobody", "correct horse"), ("admin", "correct horse")] {
                #expect(try await PeopleTests.signIn(workspace, user, password).status == 401, "\(user)")
            }
            // Another password, which only who knows the one before may set for themselves.
            for current in [nil, "guess"] {
                let code = await errorCode {
                    _ = try await ada.client.call(
                        WorkspaceAPI.setPassword,
                        .init(
                            userName: "ada", body: SetPassword(password: "battery staple", currentPassword: current)))
                }
                #expect(code == (current == nil ? "INVALID_PARAMETER_VALUE" : "PERMISSION_DENIED"))
            }
            _ = try await ada.client.call(
                WorkspaceAPI.setPassword,
                .init(userName: "ada", body: SetPassword(password: "battery staple", currentPassword: "correct horse")))
            #expect(try await PeopleTests.me(workspace, cookie: session.cookie) == 401)
            #expect(try await PeopleTests.signIn(workspace, "ada", "correct horse").status == 401)
            let again = try await PeopleTests.signIn(workspace, "ada", "battery staple")
            #expect(again.status == 200)
            // Personal tokens are not what a password opens.
            #expect(try await ada.client.call(WorkspaceAPI.getMe, .init()).userName == "ada")
            // Signing out ends the session itself, and not only the cookie.
            let out = try await workspace.send(
                .delete, "/api/v1/session",
                fields: ["authorization": "", "cookie": again.cookie, "x-csrf-token": again.csrf])
            #expect(out.status == 200)
            #expect(try await PeopleTests.me(workspace, cookie: again.cookie) == 401)
        }
    }

    /// Goal: a program that guesses is stopped, and others who sign in from there are not.
    @Test func guessingIsSlowedDown() async throws {
        try await Workspace.run { workspace in
            try await workspace.makeUser("ada", password: "correct horse")
            try await workspace.makeUser("bob", password: "battery staple")
            let pool = try workspace.service.service.environment.makeDatabase().pool
            let time = Mutex(MonotonicTime(nanoseconds: 1_000_000_000_000))
            let signIn = PasswordSignIn(store: PeopleStore(pool: pool), now: { time.withLock { $0 } })
            let request = HTTPRequest(target: "/")
            for _ in 0..<5 {
                #expect(
                    await errorCode { _ = try await signIn.check(user: "ada", password: "guess", request) }
                        == "UNAUTHENTICATED")
            }
            for password in ["guess", "correct horse"] {
                #expect(
                    await errorCode { _ = try await signIn.check(user: "ada", password: password, request) }
                        == "RESOURCE_EXHAUSTED")
            }
            #expect(request.attributes[RetryAfter.self]?.seconds == 20)
            _ = try await signIn.check(user: "bob", password: "battery staple", request)
            time.withLock { $0 = $0 + .seconds(20) }
            _ = try await signIn.check(user: "ada", password: "correct horse", request)
            await pool.drain(budget: .seconds(5))
        }
    }

    @Test func tokensAreMadeShownOnceAndRevoked() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let made = try await ada.client.call(
                WorkspaceAPI.createToken, .init(body: CreateToken(comment: "ci", lifetimeSeconds: 3600)))
            let client = try workspace.service.client(token: made.tokenValue)
            #expect(try await client.call(WorkspaceAPI.getMe, .init()).tokenName == "ci")
            let list = try await ada.client.call(WorkspaceAPI.listTokens, .init()).tokenInfos
            #expect(list.map(\.comment) == ["ci", "test"])
            #expect(list.allSatisfy { $0.userName == "ada" })
            // The table has no token, only what cannot be turned into one.
            let bob = try await workspace.makeUser("bob")
            for id in [made.tokenInfo.tokenID, "0", "x"] {
                #expect(
                    await errorCode {
                        _ = try await bob.client.call(WorkspaceAPI.revokeToken, .init(body: RevokeToken(tokenID: id)))
                    } == "RESOURCE_DOES_NOT_EXIST")
            }
            _ = try await ada.client.call(
                WorkspaceAPI.revokeToken, .init(body: RevokeToken(tokenID: made.tokenInfo.tokenID)))
            #expect(await errorCode { _ = try await client.call(WorkspaceAPI.getMe, .init()) } == "UNAUTHENTICATED")
            // Only administrators see and make those of others.
            #expect(
                await errorCode { _ = try await bob.client.call(WorkspaceAPI.listTokens, .init(userName: "ada")) }
                    == "PERMISSION_DENIED")
            #expect(
                await errorCode {
                    _ = try await bob.client.call(WorkspaceAPI.createToken, .init(body: CreateToken(userName: "ada")))
                } == "PERMISSION_DENIED")
            // One that ends.
            let brief = try await ada.client.call(
                WorkspaceAPI.createToken, .init(body: CreateToken(lifetimeSeconds: 1)))
            let short = try workspace.service.client(token: brief.tokenValue)
            try await eventually("the token has ended") {
                (try? await short.call(WorkspaceAPI.getMe, .init())) == nil
            }
        }
    }

    @Test func anAccessTokenIsOneOfItsUserAndEndsWithThePassword() async throws {
        try await Workspace.run(secretKey: "the key of the tests, long enough to sign") { workspace in
            let ada = try await workspace.makeUser("ada", password: "correct horse")
            let anonymous = try workspace.service.client(token: nil)
            let token = try await anonymous.call(
                WorkspaceAPI.createAccessToken,
                .init(body: RequestAccessToken(userName: "ada", password: "correct horse")))
            #expect(token.expiresIn == 1800)
            let client = try workspace.service.client(token: token.accessToken)
            #expect(try await client.call(WorkspaceAPI.getMe, .init()).userName == "ada")
            // It cannot be used to make the next.
            #expect(
                await errorCode {
                    _ = try await client.call(WorkspaceAPI.createAccessToken, .init(body: RequestAccessToken()))
                } == "PERMISSION_DENIED")
            #expect(
                await errorCode { _ = try await client.call(WorkspaceAPI.createToken, .init(body: CreateToken())) }
                    == "PERMISSION_DENIED")
            let other = try await ada.client.call(WorkspaceAPI.createAccessToken, .init(body: RequestAccessToken()))
            #expect(other.accessToken != token.accessToken)
            for body in [RequestAccessToken(userName: "ada"), RequestAccessToken(password: "correct horse")] {
                #expect(
                    await errorCode { _ = try await anonymous.call(WorkspaceAPI.createAccessToken, .init(body: body)) }
                        == "INVALID_PARAMETER_VALUE")
            }
            _ = try await workspace.user.call(
                WorkspaceAPI.setPassword, .init(userName: "ada", body: SetPassword(password: "battery staple")))
            #expect(await errorCode { _ = try await client.call(WorkspaceAPI.getMe, .init()) } == "UNAUTHENTICATED")
        }
    }

    @Test func whoIsShutOutIsOutAtOnce() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada", password: "correct horse")
            let session = try await PeopleTests.signIn(workspace, "ada", "correct horse")
            _ = try await workspace.user.call(
                WorkspaceAPI.editUser, .init(userName: "ada", body: EditUser(active: false)))
            #expect(await errorCode { _ = try await ada.client.call(WorkspaceAPI.getMe, .init()) } == "UNAUTHENTICATED")
            #expect(try await PeopleTests.me(workspace, cookie: session.cookie) == 401)
            #expect(try await PeopleTests.signIn(workspace, "ada", "correct horse").status == 401)
            // There is always an administrator.
            for change in [EditUser(active: false), EditUser(role: .viewer)] {
                #expect(
                    await errorCode {
                        _ = try await workspace.user.call(
                            WorkspaceAPI.editUser, .init(userName: "admin", body: change))
                    } == "INVALID_STATE")
            }
            #expect(
                await errorCode {
                    _ = try await workspace.user.call(WorkspaceAPI.deleteUser, .init(userName: "admin"))
                } == "INVALID_STATE")
            let me = try await workspace.user.call(WorkspaceAPI.getMe, .init())
            #expect(me.role == .admin && me.groups == ["users", "admins"])
        }
    }

    @Test func serviceAccountsHaveTokensOnly() async throws {
        try await Workspace.run { workspace in
            let wish = CreateUser(userName: "robot", kind: .servicePrincipal, password: "correct horse")
            #expect(
                await errorCode { _ = try await workspace.user.call(WorkspaceAPI.createUser, .init(body: wish)) }
                    == "INVALID_PARAMETER_VALUE")
            _ = try await workspace.user.call(
                WorkspaceAPI.createUser, .init(body: CreateUser(userName: "robot", kind: .servicePrincipal)))
            let robot = try await workspace.person("robot")
            #expect(try await robot.client.call(WorkspaceAPI.getMe, .init()).userName == "robot")
            let password = SetPassword(password: "correct horse")
            #expect(
                await errorCode {
                    _ = try await workspace.user.call(
                        WorkspaceAPI.setPassword, .init(userName: "robot", body: password))
                } == "INVALID_PARAMETER_VALUE")
        }
    }
}
