import Core
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Browser sessions")
struct SessionTests {
    /// Asks as a browser does: with a cookie, without a token.
    private static func ask(
        _ workspace: Workspace, _ method: HTTPMethod, _ target: String, cookie: String? = nil, csrf: String? = nil,
        json: String? = nil, type: String = "application/json"
    ) async throws -> (status: Int, fields: HTTPFields, body: String) {
        // An empty field keeps the fixture from adding the administrator's token.
        var fields: HTTPFields = ["authorization": ""]
        if let cookie { fields.append("cookie", "theme=dark; \(cookie)") }
        if let csrf { fields.append("x-csrf-token", csrf) }
        if json != nil { fields.append("content-type", type) }
        let response = try await workspace.send(
            method, target, fields: fields, body: json.map { .bytes(Array($0.utf8)) } ?? .empty)
        return (response.status, response.fields, String(decoding: try await response.collect(), as: UTF8.self))
    }

    private static func signIn(_ workspace: Workspace) async throws -> (cookie: String, session: Session) {
        let answer = try await ask(workspace, .post, "/api/v1/session", json: #"{"token":" \#(adminToken)\n"}"#)
        #expect(answer.status == 200)
        let field = try #require(answer.fields["set-cookie"])
        for part in ["Path=/", "HttpOnly", "SameSite=Strict"] { #expect(field.contains("; \(part)")) }
        // Seven days, less what has passed since the session's begin.
        let age = try #require(field.firstMatch(of: /; Max-Age=(\d+)/)).1
        #expect((604_700...604_800).contains(try #require(Int(age))))
        #expect(!field.contains(adminToken))
        #expect(answer.fields["cache-control"] == "no-store")
        return (String(field.prefix { $0 != ";" }), try Session(json: Array(answer.body.utf8)))
    }

    @Test func aTokenBecomesASession() async throws {
        try await Workspace.run { workspace in
            let (cookie, session) = try await SessionTests.signIn(workspace)
            #expect(session.userName == "admin")
            let me = try await SessionTests.ask(workspace, .get, "/api/v1/me", cookie: cookie)
            #expect(me.status == 200 && me.body.contains("admin"))
            let shown = try await SessionTests.ask(workspace, .get, "/api/v1/session", cookie: cookie)
            #expect(try Session(json: Array(shown.body.utf8)) == session)
            #expect(!shown.fields.contains("set-cookie"))

            for token in ["wrong", adminToken + "0", ""] {
                let refused = try await SessionTests.ask(
                    workspace, .post, "/api/v1/session", json: #"{"token":"\#(token)"}"#)
                #expect(refused.status == (token.isEmpty ? 400 : 401))
                #expect(!refused.fields.contains("set-cookie"))
            }
            let form = try await SessionTests.ask(
                workspace, .post, "/api/v1/session", json: #"{"token":"\#(adminToken)"}"#, type: "text/plain")
            #expect(form.status == 415)
        }
    }

    @Test func aCookieThatWasChangedIsNone() async throws {
        try await Workspace.run { workspace in
            let (cookie, _) = try await SessionTests.signIn(workspace)
            let equals = try #require(cookie.firstIndex(of: "="))
            let name = cookie[...equals]
            var parts = cookie[cookie.index(after: equals)...].split(separator: ".").map(String.init)
            parts[3] = "9999999999999"
            let value = String(cookie[cookie.index(after: equals)...])
            let bent = String(cookie.dropLast(5)) + (cookie.hasSuffix("AAAAA") ? "BBBBA" : "AAAAA")
            // Two of the name: one of them may be somebody else's.
            let twice = "\(cookie); \(cookie)"
            let none: [String] = [
                "\(name)\(parts.joined(separator: "."))", "\(name)", "\(name)v1.....", bent, "other=\(value)", twice,
            ]
            for changed in none {
                let answer = try await SessionTests.ask(workspace, .get, "/api/v1/me", cookie: changed)
                #expect(answer.status == 401, "\(changed)")
            }
        }
    }

    /// Goal: a page of another origin, whose requests a browser may send with the cookie, cannot change anything.
    @Test func aChangeNeedsThePagesToken() async throws {
        try await Workspace.run { workspace in
            let (cookie, session) = try await SessionTests.signIn(workspace)
            let folder = #"{"path":"/Shared/made"}"#
            for csrf in [nil, "", session.csrfToken + "x"] {
                let answer = try await SessionTests.ask(
                    workspace, .post, "/api/v1/workspace/mkdirs", cookie: cookie, csrf: csrf, json: folder)
                #expect(answer.status == 403)
            }
            let made = try await SessionTests.ask(
                workspace, .post, "/api/v1/workspace/mkdirs", cookie: cookie, csrf: session.csrfToken, json: folder)
            #expect(made.status == 200)

            let kept = try await SessionTests.ask(workspace, .delete, "/api/v1/session", cookie: cookie)
            #expect(kept.status == 403)
            let ended = try await SessionTests.ask(
                workspace, .delete, "/api/v1/session", cookie: cookie, csrf: session.csrfToken)
            #expect(ended.fields["set-cookie"]?.contains("Max-Age=0") == true)
        }
    }

    /// Goal: signing out ends every copy of the session's cookie, also one that was renewed and so lives longer than the
    /// one that was shown, whichever of them is shown; and no copy is renewed afterwards.
    @Test func signingOutEndsRenewedCopiesOfTheCookie() async throws {
        try await Workspace.run { workspace in
            let keys = SessionCookie.Keys(secret: ServiceUnderTest.token)
            for showsRenewed in [false, true] {
                let (cookie, session) = try await SessionTests.signIn(workspace)
                let equals = try #require(cookie.firstIndex(of: "="))
                let name = cookie[...equals]
                var old = try #require(SessionCookie(String(cookie[cookie.index(after: equals)...]), keys))
                // As it was two days ago.
                old.expires = old.expires + .seconds(-2 * 86_400)
                let copy = "\(name)\(old.text(keys))"
                let shown = try await SessionTests.ask(workspace, .get, "/api/v1/session", cookie: copy)
                let renewed = String(try #require(shown.fields["set-cookie"]).prefix { $0 != ";" })
                #expect(renewed != copy && renewed != cookie)
                let (one, other) = showsRenewed ? (renewed, copy) : (copy, renewed)
                let out = try await SessionTests.ask(
                    workspace, .delete, "/api/v1/session", cookie: one, csrf: session.csrfToken)
                #expect(out.status == 200)
                for ended in [one, other, cookie] {
                    for address in ["/api/v1/me", "/api/v1/session"] {
                        let answer = try await SessionTests.ask(workspace, .get, address, cookie: ended)
                        #expect(answer.status == 401 && !answer.fields.contains("set-cookie"), "\(address)")
                    }
                }
                // It is kept for as long as any copy of the cookie lives.
                let mark = old.mark
                let kept = try await workspace.withPool { (pool) async throws in
                    let rows = try await pool.query("SELECT expires_at FROM tokens WHERE token_hash = \(mark)")
                    return try rows.first?.decode(Timestamp.self)
                }
                let latest = try #require(SessionCookie(String(renewed.dropFirst(name.count)), keys)).expires
                #expect(try #require(kept) >= latest)
            }
        }
    }
}

@Suite("The page's files")
struct PageTests {
    @Test func filesComeWithAPolicyAndTheAPIStaysItself() async throws {
        let folder = try TemporaryDirectory()
        try folder.write("index.html", Array("<!doctype html><title>DataHarbour</title>".utf8))
        try folder.write("output.html", Array("<!doctype html><title>Output</title>".utf8))
        try #require(try runCommand(["mkdir", folder.file("assets")]).isEmpty)
        try folder.write("assets/app-0ABCD2345.js", Array("plain".utf8))
        try folder.write("assets/app-0ABCD2345.js.br", Array("small".utf8))
        try await Workspace.run(more: ["--page-folder", folder.path]) { workspace in
            for address in ["/", "/runs/1", "/workspace/Shared/a.b/c", "/sign-in"] {
                let page = try await workspace.send(.get, address)
                #expect(page.status == 200, "\(address)")
                let policy = page.fields["content-security-policy"] ?? ""
                // Where elements stand may be written into their attributes, and that is all.
                let strict = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline';"
                #expect(policy.hasPrefix(strict) && !policy.dropFirst(strict.count).contains("unsafe"))
                #expect(page.fields["cache-control"] == "no-cache")
            }
            let script = try await workspace.send(
                .get, "/assets/app-0ABCD2345.js", fields: ["accept-encoding": "gzip, br"])
            #expect(script.fields["cache-control"]?.contains("immutable") == true)
            #expect(script.fields["content-encoding"] == "br")
            #expect(try await script.collect() == Array("small".utf8))
            let description = try await workspace.send(.get, "/redoc")
            #expect(description.status == 307 && description.fields["location"] == "/docs")
            let frame = try await workspace.send(.get, "/output-frame")
            #expect(frame.fields["content-security-policy"]?.hasPrefix("sandbox allow-scripts;") == true)
            for (address, status) in [
                ("/assets/none.js", 404), ("/assets/../index.html", 404), ("/api/v1/none", 404), ("/none", 404),
            ] {
                #expect(try await workspace.send(.get, address).status == status, "\(address)")
            }
            #expect(try await workspace.send(.post, "/api/v1/none").status == 404)
        }
    }

    @Test func withoutItsFolderThereIsTheAPI() async throws {
        try await Workspace.run(more: ["--page-folder", "/nonexistent/page"]) { workspace in
            let page = try await workspace.send(.get, "/")
            let me = try await workspace.send(.get, "/api/v1/me")
            #expect(page.status == 404 && me.status == 200)
        }
    }
}
