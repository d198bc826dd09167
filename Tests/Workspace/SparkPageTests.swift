import Core
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceKit
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

/// What a driver answers that somebody else has taken over: it tries to let its pages out.
enum SparkPageSample {
    /// Nil for what only has to be answered.
    static func page(_ request: HTTPRequest) -> HTTPResponse? {
        guard let type = request.queryItems.first(where: { $0.name == "type" })?.value else { return nil }
        let seen = ["x-forwarded-context", "x-harbour-user", "cookie", "x-csrf-token", "accept-encoding"].map { name in
            "\(name)=\(request.fields[name] ?? "-")"
        }
        var response = HTTPResponse(
            status: 200,
            fields: [
                "content-type": type, "set-cookie": "harbour-session=evil", "access-control-allow-origin": "null",
                "access-control-allow-credentials": "true", "service-worker-allowed": "/", "clear-site-data": "\"*\"",
                "content-security-policy": "sandbox allow-same-origin allow-scripts", "refresh": "0; url=/",
                "content-security-policy-report-only": "default-src *", "referrer-policy": "unsafe-url", "link": "</>",
                "x-content-type-options": "none", "etag": "\"a\"",
            ],
            body: .bytes(Array("<!DOCTYPE html><html>\(seen.joined(separator: " "))</html>".utf8)))
        if let location = request.queryItems.first(where: { $0.name == "location" })?.value {
            response.status = 302
            response.fields["location"] = location
        }
        return response
    }
}

/// Goal: a page that a cluster's user prepared cannot ask the API with the session of whoever looks at it.
@Suite("Spark's pages") struct SparkPageTests {
    /// A browser of somebody who has signed in.
    private struct Browser {
        let workspace: Workspace
        let cookie: String
        let csrf: String

        init(_ workspace: Workspace, token: String) async throws {
            let answer = try await workspace.send(
                .post, "/api/v1/session", fields: ["authorization": "", "content-type": "application/json"],
                body: .bytes(Array(#"{"token":"\#(token)"}"#.utf8)))
            try #require(answer.status == 200)
            self.workspace = workspace
            cookie = String(try #require(answer.fields["set-cookie"]).prefix { $0 != ";" })
            csrf = try Session(json: try await answer.collect()).csrfToken
        }

        func ask(
            _ method: HTTPMethod = .get, _ target: String, with more: HTTPFields = [:]
        ) async throws -> HTTPClientResponse {
            var fields: HTTPFields = ["authorization": "", "cookie": cookie]
            for (name, value) in more { fields.append(name, value) }
            return try await workspace.send(method, target, fields: fields)
        }

        /// Where the pages of a cluster are for this browser.
        func ticket(_ path: String = "/spark-ui/jobs/?type=text/html") async throws -> String {
            let answer = try await ask(.get, "/api/v1/clusters/c1\(path)")
            #expect(answer.status == 303 && answer.fields["referrer-policy"] == "no-referrer")
            return try #require(answer.fields["location"])
        }
    }

    /// Asks as a page does that runs in an origin of its own: without anything of the reader's.
    private static func read(
        _ workspace: Workspace, _ target: String, _ method: HTTPMethod = .get, fields: HTTPFields = [:]
    ) async throws -> (status: Int, fields: HTTPFields, text: String) {
        var fields = fields
        fields["authorization"] = ""
        let answer = try await workspace.send(method, target, fields: fields)
        return (answer.status, answer.fields, String(decoding: try await answer.collect(), as: UTF8.self))
    }

    private static func directives(_ fields: HTTPFields) -> [String] {
        (fields["content-security-policy"] ?? "").split(separator: ";").map { String($0.drop { $0 == " " }) }
    }

    private static func expectHeld(_ fields: HTTPFields, below place: String, _ what: String) {
        let parts = directives(fields)
        let sandbox = parts.first { $0.hasPrefix("sandbox") } ?? "allow-same-origin"
        #expect(sandbox.contains("allow-scripts"), "\(what)")
        for word in ["same-origin", "top-navigation", "escape-sandbox"] { #expect(!sandbox.contains(word), "\(what)") }
        for part in ["frame-src 'none'", "worker-src 'none'", "default-src 'none'", "frame-ancestors 'none'"] {
            #expect(parts.contains(part), "\(what): \(part)")
        }
        #expect(parts.first { $0.hasPrefix("connect-src ") }?.contains(place) == true, "\(what)")
        #expect(fields.values("content-security-policy").count == 1, "\(what)")
        for name in [
            "set-cookie", "access-control-allow-credentials", "service-worker-allowed", "clear-site-data", "refresh",
            "content-security-policy-report-only", "link",
        ] { #expect(!fields.contains(name), "\(what): \(name)") }
        #expect(fields.values("referrer-policy") == ["no-referrer"], "\(what)")
        #expect(fields.values("x-content-type-options") == ["nosniff"], "\(what)")
    }

    @Test func everyAnswerRunsInAnOriginOfItsOwn() async throws {
        try await Neighbours().run { workspace in
            let browser = try await Browser(workspace, token: adminToken)
            let address = try await browser.ticket()
            let place = String(try #require(address.firstMatch(of: #/^/spark/[A-Za-z0-9_-]+/#)).0)
            #expect(address == "\(place)/spark-ui/jobs/?type=text/html")
            for kind in ["spark-ui", "spark-history"] {
                for type in ["text/html", "text/javascript", "image/svg+xml", "application/json", "text/xml", "x"] {
                    let target = "\(place)/\(kind)/a/?type=\(type)"
                    let answer = try await SparkPageTests.read(workspace, target)
                    #expect(answer.status == 200)
                    SparkPageTests.expectHeld(answer.fields, below: "\(place)/", type)
                    // What its own scripts ask for may be read by a page of no origin, never with a session.
                    #expect(answer.fields.values("access-control-allow-origin") == ["*"])
                    #expect(answer.fields["cross-origin-resource-policy"] == "cross-origin")
                    let isPage = type == "text/html"
                    #expect(answer.text.hasPrefix("<!DOCTYPE html>\(isPage ? "<script>" : "<html>")"), "\(type)")
                    #expect(answer.fields.contains("etag") == !isPage)
                    #expect(answer.text.contains("x-forwarded-context=\(place) x-harbour-user=admin cookie=- "))
                }
            }
            let named = try await SparkPageTests.read(
                workspace, "\(place)/spark-ui/?type=text/html",
                fields: ["x-forwarded-context": "/evil", "accept-encoding": "gzip", "x-harbour-user": "other"])
            #expect(named.text.contains("=\(place) x-harbour-user=admin cookie=- x-csrf-token=- accept-encoding=-"))
            let head = try await SparkPageTests.read(workspace, address, .head)
            #expect(head.status == 200 && head.text.isEmpty)
            SparkPageTests.expectHeld(head.fields, below: "\(place)/", "HEAD")
            // Nothing but reading.
            for method in [HTTPMethod.post, .put, .delete] {
                #expect(try await SparkPageTests.read(workspace, address, method).status == 405)
            }
            let asked = try await SparkPageTests.read(workspace, address, .options)
            #expect(asked.status == 204 && asked.fields["access-control-allow-methods"] == "GET, HEAD")
            #expect(!asked.fields.contains("access-control-allow-credentials"))
            // It leads nowhere else.
            let inside = try await SparkPageTests.read(workspace, "\(address)&location=\(place)/spark-history/")
            #expect(inside.status == 302 && inside.fields["location"] == "\(place)/spark-history/")
            for other in ["/api/v1/session", "../../../../api/v1/me", "//evil.example.com/", "/spark/x/"] {
                #expect(try await SparkPageTests.read(workspace, "\(address)&location=\(other)").status == 502)
            }
            for bent in ["\(place)/spark-ui/../../x", "\(place)/spark-ui/%2e%2e/x", "\(place)/spark-ui//x"] {
                #expect(try await SparkPageTests.read(workspace, bent).status == 400, "\(bent)")
            }
        }
    }

    @Test func programsWithATokenReadThemWhereTheyWere() async throws {
        try await Neighbours().run { workspace in
            let place = "/api/v1/clusters/c1"
            let answer = try await workspace.send(
                .get, "\(place)/spark-ui/jobs/?type=text/html", fields: ["x-forwarded-context": "/evil"])
            #expect(answer.status == 200)
            SparkPageTests.expectHeld(answer.fields, below: "\(place)/spark-ui/", "with a token")
            #expect(!answer.fields.contains("access-control-allow-origin"))
            let text = String(decoding: try await answer.collect(), as: UTF8.self)
            #expect(text.hasPrefix("<!DOCTYPE html><html>x-forwarded-context=- "))
            // The pages of a cluster that has ended are beside the live ones.
            let ended = try await workspace.send(
                .get, "\(place)/spark-ui/?type=text/html&location=\(place)/spark-history/")
            #expect(ended.status == 302 && ended.fields["location"] == "\(place)/spark-history/")
            let away = try await workspace.send(.get, "\(place)/spark-ui/?type=x&location=\(place)/contexts")
            #expect(away.status == 502)
            // A session alone changes nothing there, not even with the page's own token.
            let browser = try await Browser(workspace, token: adminToken)
            let post = try await browser.ask(.post, "\(place)/spark-ui/kill", with: ["x-csrf-token": browser.csrf])
            #expect(post.status == 403)
        }
    }

    @Test func aTicketIsGoodForItsPagesAloneAndForAsLongAsItsUserMay() async throws {
        try await Neighbours().run { workspace in
            let runner = try await workspace.makeUser("runner")
            try await workspace.give(.canAttachTo, on: "clusters", "c1", to: "runner")
            let browser = try await Browser(workspace, token: runner.token)
            let address = try await browser.ticket()
            #expect(try await SparkPageTests.read(workspace, address).status == 200)
            let text = String(address.split(separator: "/")[1])
            #expect(try await SparkPageTests.read(workspace, "/api/v1/me", fields: ["x-ticket": text]).status == 401)
            let shown = try await workspace.send(.get, "/api/v1/me", fields: ["authorization": "Bearer \(text)"])
            #expect(shown.status == 401)
            // Not of another platform, not changed, and not of a time that is over.
            let ticket = try #require(SparkTickets(secret: ServiceUnderTest.token).read(text))
            #expect(ticket.cluster == "c1" && ticket.session.user == "runner")
            let changed = text.dropLast(2) + (text.hasSuffix("AA") ? "BA" : "AA")
            for other in [SparkTickets(secret: "another").text(ticket), String(changed), "x"] {
                let answer = try await SparkPageTests.read(workspace, "/spark/\(other)/spark-ui/")
                #expect(answer.status == 403 && answer.text.contains("opens no pages"))
            }
            var old = ticket
            old.expires = Timestamp.now + .seconds(-1)
            let oldText = SparkTickets(secret: ServiceUnderTest.token).text(old)
            let ended = try await SparkPageTests.read(workspace, "/spark/\(oldText)/spark-ui/jobs/?id=1")
            #expect(ended.status == 403)
            #expect(ended.text.contains(#"href="/api/v1/clusters/c1/spark-ui/jobs/?id=1""#))
            #expect(SparkPageTests.directives(ended.fields).first == "default-src 'none'")
            // A right that is taken away is gone at once.
            try await workspace.give(.canView, on: "clusters", "c1", to: "runner")
            let refused = try await SparkPageTests.read(workspace, address)
            #expect(refused.status == 403 && refused.text.contains("CAN_ATTACH_TO"))
            #expect(try await browser.ask(.get, "/api/v1/clusters/c1/spark-ui/").status == 403)
            #expect(try await SparkPageTests.read(workspace, "/api/v1/clusters/c1/spark-ui/").status == 401)
        }
    }

    /// Goal: signing out ends what was made from the session, its cookie included, also where its token lives on.
    @Test func signingOutEndsTickets() async throws {
        try await Neighbours().run { workspace in
            try await workspace.makeUser("ada", role: .admin, password: "correct horse battery")
            for token in [adminToken, try await workspace.person("ada").token] {
                let browser = try await Browser(workspace, token: token)
                let other = try await Browser(workspace, token: token)
                let address = try await browser.ticket()
                #expect(try await SparkPageTests.read(workspace, address).status == 200)
                let out = try await browser.ask(.delete, "/api/v1/session", with: ["x-csrf-token": browser.csrf])
                #expect(out.status == 200)
                let ended = try await SparkPageTests.read(workspace, address)
                #expect(ended.status == 403 && ended.text.contains("has ended"))
                #expect(try await browser.ask(.get, "/api/v1/me").status == 401)
                // Another browser with the same token goes on.
                #expect(try await other.ask(.get, "/api/v1/me").status == 200)
                #expect(try await SparkPageTests.read(workspace, try await other.ticket()).status == 200)
            }
        }
    }

    /// Goal: who reads the audit log learns who was refused which pages, and nothing that opens them.
    @Test func theAuditLogHoldsNoTickets() async throws {
        try await Neighbours().run { workspace in
            let runner = try await workspace.makeUser("runner")
            try await workspace.give(.canAttachTo, on: "clusters", "c1", to: "runner")
            let browser = try await Browser(workspace, token: runner.token)
            let address = try await browser.ticket()
            let text = String(address.split(separator: "/")[1])
            #expect(try await SparkPageTests.read(workspace, address).status == 200)
            try await workspace.give(.canView, on: "clusters", "c1", to: "runner")
            // Refused with what its reader has, with a stranger's cookie, and where a ticket does not belong.
            #expect(try await SparkPageTests.read(workspace, address).status == 403)
            #expect(try await browser.ask(.get, address).status == 403)
            let bent = try await SparkPageTests.read(
                workspace, "/spark/\(text)x/spark-ui/", fields: ["cookie": "x=\(text)"])
            #expect(bent.status == 403)
            for target in ["/api/v1/me", "/api/v1/clusters/c1/spark-ui/\(text)/", "/api/v1/clusters/\(text)/events"] {
                let shown = try await workspace.send(.get, target, fields: ["authorization": "Bearer \(text)"])
                #expect(shown.status == 401)
            }
            let kept = try await workspace.withPool { (pool) async throws in
                try await pool.query("SELECT row_to_json(e)::text FROM audit_events e").map { row in
                    try row.decode(String.self)
                }
            }
            let refused = kept.filter { $0.contains("getSparkPage") }
            #expect(!refused.isEmpty && refused.allSatisfy { $0.contains("runner") && $0.contains("c1") }, "\(kept)")
            #expect(kept.contains { $0.contains("authenticate") }, "what strangers showed is there too")
            #expect(kept.allSatisfy { !$0.contains(text.prefix(24)) }, "\(kept)")
        }
    }

    @Test func redirectsLeadBelowTheirPlace() throws {
        let place = "/api/v1/clusters/c1/spark-ui/"
        let policy = SparkPagePolicy(places: [place], answersPages: false)
        for (location, target) in [
            ("\(place)jobs/?a=b#c", "\(place)jobs/?a=b#c"), ("stage?id=1", "\(place)jobs/stage?id=1"),
            ("?id=../../x", "\(place)jobs/?id=../../x"), ("sub/page", "\(place)jobs/sub/page"),
        ] { #expect(policy.target(of: location, from: "\(place)jobs/") == target) }
        for location in [
            "/api/v1/session", "\(place)../../../session", "\(place)%2e%2e/x", "\(place).%2E/x", "../../../session",
            "..\\..\\x", "//evil.example.com/", "https://evil.example.com/", "javascript:alert(1)",
            "\(place)jobs/\t../../../../session", "\(place)a%2f..%2f..", "/api/v1/clusters/c2/spark-ui/", "./x",
            "\(place)/evil",
        ] {
            #expect(policy.target(of: location, from: "\(place)jobs/") == nil, "\(location)")
        }
        let request = HTTPRequest(target: "\(place)jobs/")
        var repeated = HTTPResponse(status: 307, fields: ["location": "\(place)kill"])
        try policy.apply(to: &repeated, of: request)
        #expect(repeated.status == 303 && repeated.fields["location"] == "\(place)kill")
        var away = HTTPResponse(status: 302, fields: ["location": "../../../../session"])
        #expect(throws: HarbourError.self) { try policy.apply(to: &away, of: request) }
        for wrong in ["host; script-src *", "a b", "host'", "höst"] {
            #expect(policy.policy(authority: wrong).contains("connect-src 'none'"))
        }
    }

    @Test func theShimGoesBehindTheDocumentTypeHoweverThePageComes() {
        func shown(_ text: String, pieces: Int) -> String {
            var shim = SparkPageShim()
            var out: [UInt8] = []
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: pieces) {
                out += shim.take(Array(bytes[start..<min(bytes.count, start + pieces)]))
            }
            return String(decoding: out + shim.finish(), as: UTF8.self)
        }
        for pieces in [1, 2, 7, 15, 16, 100_000] {
            let page = "\n<!DOCTYPE html><html><head></head>\(String(repeating: "x", count: 3000))</html>"
            let with = page.replacing("html><html", with: "html>\(SparkPageShim.script)<html")
            #expect(shown(page, pieces: pieces) == with)
            for other in ["", "<!doc", "<!-- template --><div></div>", "{}", String(repeating: " ", count: 5000), "<"] {
                #expect(shown(other, pieces: pieces) == other)
            }
        }
    }
}
