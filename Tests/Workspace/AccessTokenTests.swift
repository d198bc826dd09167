import Core
import Cryptography
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Access tokens")
struct AccessTokenTests {
    private static let key = "a key of thirty-two characters.."

    private static func signed(_ header: JSONValue, _ claims: JSONValue, key: String = key) -> [UInt8] {
        let text = Base64.encode(header.encodedJSON(), .url) + "." + Base64.encode(claims.encodedJSON(), .url)
        let signature = HMAC.sha256(key: Array(key.utf8), Array(text.utf8))
        return Array("\(text).\(Base64.encode(signature, .url))".utf8)
    }

    @Test func whatIsMadeIsRead() throws {
        let tokens = AccessTokens(key: AccessTokenTests.key, lifetime: .seconds(1800))
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        let made = try tokens.make(user: "ada", credentialsVersion: 7, now: now)
        #expect(made.tokenType == "bearer" && made.expiresIn == 1800)
        let shown = Array(made.accessToken.utf8)
        #expect(AccessTokens.isOne(shown))
        let claims = try #require(tokens.read(shown, now: now))
        #expect(claims.user == "ada" && claims.credentialsVersion == 7)
        #expect(claims.expires == now + .seconds(1800))
        #expect(tokens.read(shown, now: now + .seconds(1799)) != nil)
        #expect(tokens.read(shown, now: now + .seconds(1800)) == nil)
        // Two tokens of a moment are two.
        #expect(try tokens.make(user: "ada", credentialsVersion: 7, now: now).accessToken != made.accessToken)
    }

    @Test func aKeyIsMeasuredInBytes() {
        #expect(AccessTokens(key: String(repeating: "é", count: 16), lifetime: .seconds(1)).complaint == nil)
        #expect(AccessTokens(key: String(repeating: "é", count: 15), lifetime: .seconds(1)).complaint != nil)
        #expect(AccessTokens(key: nil, lifetime: .seconds(1)).complaint == nil)
    }

    /// Goal: whoever has set a key that is too short hears of it when the service starts, without the key.
    @Test func aShortKeyIsComplainedOfAtTheStart() async throws {
        try await WorkspaceProcess.Surroundings.with(ScriptedCluster()) { place in
            var place = place
            place.settings["SECRET_KEY"] = "a short one"
            let process = try await WorkspaceProcess.start("short", in: place)
            let log = try Files.load("\(place.folder.path)/short.log")
            let text = String(decoding: log, as: UTF8.self)
            #expect(text.contains("WARNING workspace: Access tokens cannot be signed: SECRET_KEY has 11 bytes"))
            #expect(!text.contains("a short one"))
            try await process.kill()
        }
    }

    /// Goal: they end as soon as whoever runs the platform wants, in the words of the variable that others know.
    @Test func theyEndWhenItIsSaid() async throws {
        try await WorkspaceProcess.Surroundings.with(ScriptedCluster()) { place in
            var place = place
            place.settings["SECRET_KEY"] = "a key of this test, long enough to sign"
            place.settings["ACCESS_TOKEN_EXPIRE_MINUTES"] = "5"
            let process = try await WorkspaceProcess.start("expiring", in: place)
            _ = try await process.client.call(
                WorkspaceAPI.createUser, .init(body: CreateUser(userName: "ada", password: "correct horse")))
            let token = try await process.client.call(
                WorkspaceAPI.createAccessToken,
                .init(body: RequestAccessToken(userName: "ada", password: "correct horse")))
            #expect(token.expiresIn == 300)
            try await process.kill()
        }
    }

    @Test func whatOthersMadeIsNot() throws {
        let tokens = AccessTokens(key: AccessTokenTests.key, lifetime: .seconds(60))
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        let header: JSONValue = ["alg": "HS256", "typ": "JWT"]
        func claims(_ change: (inout JSONValue) -> Void = { _ in }) -> JSONValue {
            var claims: JSONValue = [
                "sub": "ada", "iss": "dataharbour", "iat": 1_800_000_000, "exp": 1_800_000_060, "ver": 1, "jti": "x",
            ]
            change(&claims)
            return claims
        }
        #expect(tokens.read(AccessTokenTests.signed(header, claims()), now: now) != nil)
        #expect(tokens.read(AccessTokenTests.signed(header, claims(), key: "another"), now: now) == nil)
        for header in [["alg": "none"], ["alg": "HS512"], ["typ": "JWT"], ["alg": "HS256", "crit": ["b64"]]]
            as [JSONValue]
        {
            #expect(tokens.read(AccessTokenTests.signed(header, claims()), now: now) == nil)
        }
        let changes: [(inout JSONValue) -> Void] = [
            { $0["exp"] = nil }, { $0["exp"] = "never" }, { $0["exp"] = 1_799_999_999 },
            { $0["exp"] = 9_223_372_036_854_775_807 }, { $0["exp"] = -1 }, { $0["sub"] = nil }, { $0["iss"] = "other" },
            { $0["ver"] = nil }, { $0["nbf"] = 1_800_000_050 }, { $0["nbf"] = "now" },
        ]
        for change in changes {
            #expect(tokens.read(AccessTokenTests.signed(header, claims(change)), now: now) == nil)
        }
        let good = AccessTokenTests.signed(header, claims())
        for place in [0, 5, good.count / 2, good.count - 1] {
            var bent = good
            bent[place] = bent[place] == 0x41 ? 0x42 : 0x41
            #expect(tokens.read(bent, now: now) == nil)
        }
        for wrong in ["", ".", "..", "a.b.c", "a.b.c.d"] { #expect(tokens.read(Array(wrong.utf8), now: now) == nil) }
        // Without a key there are none at all.
        for key in ["", "too short"] {
            let keyless = AccessTokens(key: key, lifetime: .seconds(60))
            let error = #expect(throws: HarbourError.self) { try keyless.make(user: "ada", credentialsVersion: 1) }
            #expect(error?.code == .invalidState && error?.message.contains("SECRET_KEY") == true)
            // Who has set one is not told to set one.
            #expect(keyless.complaint == (key.isEmpty ? nil : error?.message))
            #expect(error?.message.contains(key.isEmpty ? "at least 32 bytes" : "has 9 bytes") == true)
            #expect(keyless.read(AccessTokenTests.signed(header, claims(), key: key), now: now) == nil)
        }
    }
}

@Suite("Rates")
struct TokenBucketTests {
    @Test func aBurstIsServedAndThenARate() {
        var buckets = TokenBuckets<String>(capacity: 3, interval: .seconds(2))
        var now = MonotonicTime(nanoseconds: 1_000_000_000_000)
        for _ in 0..<3 { #expect(buckets.takeIfThere("a", at: now) == nil) }
        #expect(buckets.takeIfThere("a", at: now) == .seconds(2))
        #expect(buckets.takeIfThere("b", at: now) == nil)
        now = now + .seconds(1)
        #expect(buckets.takeIfThere("a", at: now) == .seconds(1))
        now = now + .seconds(1)
        #expect(buckets.takeIfThere("a", at: now) == nil)
        #expect(buckets.takeIfThere("a", at: now) == .seconds(2))
        // After a long time there is a burst again, and no more than one.
        now = now + .seconds(1000)
        for _ in 0..<3 { #expect(buckets.takeIfThere("a", at: now) == nil) }
        #expect(buckets.takeIfThere("a", at: now) != nil)
    }

    @Test func whoDoesNotAskIsForgotten() {
        var buckets = TokenBuckets<Int>(capacity: 1, interval: .seconds(1))
        var now = MonotonicTime(nanoseconds: 1)
        for key in 0..<100_000 {
            _ = buckets.takeIfThere(key, at: now)
            now = now + .milliseconds(10)
        }
        #expect(buckets.count < 2100)
    }
}
