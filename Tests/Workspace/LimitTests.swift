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
import WebSocket

@testable import WorkspaceService

@Suite("Limits of strangers") struct LimitTests {
    @Test func aCallerIsItsNetwork() {
        for (address, network) in [
            ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"), ("2001:db8:1:3::1", "2001:db8:1:3::/64"), ("::1", "::/64"),
            ("unix", "unix"),
        ] { #expect(CallerNetwork.of(address) == network) }
    }

    @Test func placesComeBack() throws {
        let places = SocketPlaces(perUser: 2, perNetwork: 3)
        for _ in 0..<2 { try places.enter(.user("ada")) }
        #expect(throws: HarbourError.self) { try places.enter(.user("ada")) }
        try places.enter(.user("bob"))
        for _ in 0..<3 { try places.enter(.network("ada")) }
        #expect(throws: HarbourError.self) { try places.enter(.network("ada")) }
        places.leave(.user("ada"))
        try places.enter(.user("ada"))
        for _ in 0..<2 { places.leave(.user("ada")) }
        for _ in 0..<3 { places.leave(.network("ada")) }
        places.leave(.user("bob"))
        #expect(places.holders == 0)
        let open = SocketPlaces(perUser: 0, perNetwork: 0)
        for _ in 0..<5000 { try open.enter(.user("ada")) }
    }

    @Test func wrongTokensAreCountedOnceEach() {
        let guesses = TokenGuesses()
        let now = MonotonicTime(nanoseconds: 1_000_000_000_000)
        func hash(_ number: Int) -> [UInt8] { Array("\(number)".utf8) }
        for number in 0..<TokenGuesses.atOnce { #expect(guesses.begin(hash(number), from: "a", at: now) == nil) }
        #expect(guesses.begin(hash(-1), from: "a", at: now) == .seconds(2))
        // The same again is no guess, and other networks are others'.
        #expect(guesses.begin(hash(0), from: "a", at: now) == nil)
        #expect(guesses.begin(hash(-1), from: "b", at: now) == nil)
        guesses.wasRight(hash(1), from: "a")
        #expect(guesses.begin(hash(-2), from: "a", at: now) == nil)
        #expect(guesses.begin(hash(-3), from: "a", at: now) != nil)
        #expect(guesses.begin(hash(-3), from: "a", at: now + .seconds(2)) == nil)
    }

    @Test func tokensCannotBeGuessedAtSpeed() async throws {
        try await Workspace.run { workspace in
            func status(_ token: String, _ target: String = "/api/v1/me") async throws -> HTTPClientResponse {
                try await workspace.send(.get, target, fields: ["authorization": "Bearer \(token)"])
            }
            try await workspace.makeUser("ada")
            // Somebody who is known already.
            #expect(try await status(adminToken).status == 200)
            for number in 0..<TokenGuesses.atOnce { #expect(try await status("guess-\(number)").status == 401) }
            // A new one may have come for the time that this took.
            var refused: HTTPClientResponse?
            for number in 0..<100 where refused == nil {
                let answer = try await status("more-\(number)")
                if answer.status == 429 { refused = answer } else { #expect(answer.status == 401) }
            }
            let answer = try #require(refused)
            #expect(["1", "2"].contains(answer.fields["retry-after"]))
            #expect(String(decoding: try await answer.collect(), as: UTF8.self).contains("RESOURCE_EXHAUSTED"))
            var spent = 0
            /// Asks when no guess is left, and again where one has come for the time that this took.
            func isRefusedInTheEnd(_ ask: (Int) async throws -> Bool) async throws {
                for number in 0..<100 {
                    repeat { spent += 1 } while try await status("spent-\(spent)").status != 429
                    if try await ask(number) { return }
                }
                Issue.record("it was never refused")
            }
            try await isRefusedInTheEnd { number in
                try await workspace.send(
                    .post, "/api/v1/session", fields: ["authorization": "", "content-type": "application/json"],
                    body: .bytes(Array(#"{"token":"guess of a form \#(number)"}"#.utf8))
                ).status == 429
            }
            // Not even a right one is looked at, but who works goes on, and an old mistake is no guess.
            try await isRefusedInTheEnd { number in
                let token = try await workspace.makeUser("somebody-\(number)").token
                return try await status(token).status == 429
            }
            // Also after all who are known had to be looked up again.
            _ = try await workspace.user.call(
                WorkspaceAPI.editUser, .init(userName: "ada", body: EditUser(role: .viewer)))
            #expect(try await status(adminToken).status == 200)
            #expect(try await status("guess-0").status == 401)
            try await isRefusedInTheEnd { number in
                let socket = try await LiveClient.open(workspace, token: "guess of a socket \(number)")
                #expect(try await socket.next() == nil)
                return socket.closure?.code.rawValue == 4429 && socket.closure?.reason == "RESOURCE_EXHAUSTED"
            }
        }
    }

    @Test func passwordsAreCountedByNetwork() async throws {
        try await Workspace.run { workspace in
            try await workspace.makeUser("ada", password: "correct horse")
            let pool = try workspace.service.service.environment.makeDatabase().pool
            // The time stands still, so that nothing is forgiven meanwhile.
            let signIn = PasswordSignIn(
                store: PeopleStore(pool: pool), now: { MonotonicTime(nanoseconds: 1_000_000_000_000) })
            var codes: [String?] = []
            for host in 0..<6 {
                let peer = HTTPPeer(description: "[2001:db8:0:7::\(host)]:40000")
                let request = HTTPRequest(target: "/", remote: peer)
                codes.append(await errorCode { _ = try await signIn.check(user: "ada", password: "no", request) })
            }
            #expect(codes == Array(repeating: "UNAUTHENTICATED", count: 5) + ["RESOURCE_EXHAUSTED"])
            let other = HTTPRequest(target: "/", remote: HTTPPeer(description: "[2001:db8:0:8::1]:40000"))
            _ = try await signIn.check(user: "ada", password: "correct horse", other)
            await pool.drain(budget: .seconds(5))
        }
    }

    @Test func socketsHaveLimits() async throws {
        try await Workspace.run(more: ["--sockets-per-user", "2", "--sockets-per-network", "4"]) { workspace in
            let ada = try await workspace.makeUser("ada")
            let first = try await LiveClient.ready(workspace)
            let second = try await LiveClient.open(workspace, path: "/ws/other")
            let third = try await LiveClient.open(workspace)
            #expect(try await third.next() == nil)
            #expect(third.closure?.code.rawValue == 4429)
            let hers = try await LiveClient.ready(workspace, token: ada.token)
            let also = try await LiveClient.ready(workspace, token: ada.token)
            // Nobody more from here, whoever it is; it is not even looked who.
            let stranger = try await LiveClient.open(workspace, token: "wrong")
            #expect(try await stranger.next() == nil)
            #expect(stranger.closure?.code.rawValue == 4429)
            also.close()
            try await eventually("the place is free") {
                let again = try await LiveClient.open(workspace, token: ada.token)
                defer { again.close() }
                return try await again.next()?.type == .hello
            }
            // Who talks too much is sent away, and nobody else. However slow the machine is, so many are too many.
            for _ in 0..<SocketReader.atOnce + 5000 { hers.send(text: "{}") }
            while try await hers.next() != nil {}
            #expect(hers.closure?.code == .policyViolation && hers.closure?.reason == "TOO_MANY_MESSAGES")
            first.subscribe("nowhere")
            #expect(try await first.next()?.type == .failed)
            for client in [first, second] { client.close() }
        }
    }
}
