import Core
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HTTPServer
import TestSupport
import Testing

@Suite struct StaticFilesTests {
    /// Made once: a sanitizer takes half a second for it.
    private static let large = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }

    private func withFiles(_ body: @escaping @Sendable (ServerFixture) async throws -> Void) async throws {
        let outside = try TemporaryDirectory()
        try outside.write("secret.txt", Array("secret".utf8))
        let folder = try TemporaryDirectory()
        try folder.write("index.html", Array("<p>index</p>".utf8))
        try folder.write("numbers.txt", Array("0123456789".utf8))
        try folder.write("main.5f3a9c1b.js", Array("plain".utf8))
        try folder.write("main.5f3a9c1b.js.gz", Array("gzipped".utf8))
        try folder.write("main.5f3a9c1b.js.br", Array("brotli".utf8))
        try folder.write("large.bin", StaticFilesTests.large)
        try folder.write(".hidden", Array("hidden".utf8))
        #expect(mkdir(folder.file("sub"), 0o755) == 0)
        try folder.write("sub/a.css", Array("css".utf8))
        for made in ["editor-08956417c", "editor-08956417c/sub", "08956417c"] {
            #expect(mkdir(folder.file(made), 0o755) == 0)
            if made != "editor-08956417c" { try folder.write("\(made)/loader.js", Array("loader".utf8)) }
        }
        #expect(symlink(outside.path, folder.file("link")) == 0)
        #expect(symlink(outside.file("secret.txt"), folder.file("link.txt")) == 0)
        let path = folder.path
        try await withServer { router, _ in
            do {
                var options = StaticFiles.Options()
                options.fallback = "index.html"
                let files = try StaticFiles(folder: path, options: options)
                router.get("/files/{path...}") { request, parameters in
                    try files.respond(to: request, path: parameters["path"])
                }
            } catch {
                Issue.record(error)
            }
        } _: { server in
            try await body(server)
            withExtendedLifetime((folder, outside)) {}
        }
    }

    @Test func filesHaveTheirTypesAndTags() async throws {
        try await withFiles { server in
            let index = try await server.get("/files/")
            #expect(index.text == "<p>index</p>")
            #expect(index.fields["content-type"] == "text/html; charset=utf-8")
            #expect(index.fields["cache-control"] == "no-cache")
            #expect(try await server.get("/files/sub/a.css").fields["content-type"] == "text/css; charset=utf-8")
            #expect(try await server.get("/files/some/page").text == "<p>index</p>")
            let large = try await server.client.send(
                HTTPClientRequest(origin: server.origin, target: "/files/large.bin"))
            #expect(large.fields["content-length"] == "1000000")
            #expect(try await large.collect() == StaticFilesTests.large)
            let head = try await server.call(.head, "/files/numbers.txt")
            #expect(head.fields["content-length"] == "10")
            #expect(head.text.isEmpty)
        }
    }

    @Test func conditionsAreHonoured() async throws {
        try await withFiles { server in
            let first = try await server.get("/files/numbers.txt")
            let tag = try #require(first.fields["etag"])
            let date = try #require(first.fields["last-modified"])
            let same = try await server.get("/files/numbers.txt", fields: ["if-none-match": "\"x\", W/\(tag)"])
            #expect(same.status == 304)
            #expect(same.fields["etag"] == tag)
            #expect(try await server.get("/files/numbers.txt", fields: ["if-modified-since": date]).status == 304)
            #expect(try await server.get("/files/numbers.txt", fields: ["if-none-match": "\"x\""]).status == 200)
            #expect(try await server.get("/files/numbers.txt", fields: ["if-match": "\"x\""]).status == 412)
        }
    }

    @Test(
        arguments: [
            ("bytes=2-4", 206, "234", "bytes 2-4/10"), ("bytes=7-", 206, "789", "bytes 7-9/10"),
            ("bytes=-2", 206, "89", "bytes 8-9/10"),
            ("bytes=0-99999999999999999999", 206, "0123456789", "bytes 0-9/10"),
            ("bytes=10-", 416, "", "bytes */10"), ("bytes=-0", 416, "", "bytes */10"),
            ("bytes=4-2", 200, "0123456789", nil), ("bytes=0-1,3-4", 200, "0123456789", nil),
            ("lines=1-2", 200, "0123456789", nil), ("bytes=a-b", 200, "0123456789", nil),
        ] as [(String, Int, String, String?)])
    func rangesAreCut(_ range: String, _ status: Int, _ text: String, _ contentRange: String?) async throws {
        try await withFiles { server in
            let part = try await server.get("/files/numbers.txt", fields: ["range": range])
            #expect(part.status == status)
            #expect(part.text == text)
            #expect(part.fields["content-range"] == contentRange)
            let changed = try await server.get(
                "/files/numbers.txt", fields: ["range": range, "if-range": "\"other\""])
            #expect(changed.status == 200)
        }
    }

    @Test func theSmallestAcceptedVariantIsSent() async throws {
        try await withFiles { server in
            for (accepted, text, coding) in [
                ("gzip, br", "brotli", "br"), ("gzip", "gzipped", "gzip"), ("br;q=0, gzip;q=0.5", "gzipped", "gzip"),
                ("identity", "plain", nil), ("*", "brotli", "br"),
            ] as [(String, String, String?)] {
                let file = try await server.get("/files/main.5f3a9c1b.js", fields: ["accept-encoding": accepted])
                #expect(file.text == text)
                #expect(file.fields["content-encoding"] == coding)
                #expect(file.fields["content-type"] == "text/javascript; charset=utf-8")
                #expect(file.fields["cache-control"]?.contains("immutable") == true)
                #expect(file.fields["vary"] == "accept-encoding")
            }
        }
    }

    @Test(arguments: [
        ("main.5f3a9c1b.js", true), ("editor-08956417c/sub/loader.js", true), ("sub/a.css", false),
        ("08956417c/loader.js", false), ("numbers.txt", false),
    ])
    func whatIsNamedByItsContentIsKeptForEver(_ path: String, _ isKept: Bool) async throws {
        try await withFiles { server in
            let file = try await server.get("/files/\(path)")
            #expect(file.status == 200)
            #expect(file.fields["cache-control"]?.contains("immutable") == isKept)
        }
    }

    @Test(arguments: [
        "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "sub/../../secret.txt", "link/secret.txt",
        "link.txt", ".hidden", "sub//a.css", "a%00.txt", "..%5csecret.txt", "%2fetc%2fpasswd", "missing.txt",
    ])
    func nothingOutsideIsServed(_ path: String) async throws {
        try await withFiles { server in
            let file = try await server.get("/files/\(path)")
            #expect(file.status == 404 || file.text == "<p>index</p>")
            #expect(!file.text.contains("secret"))
        }
    }
}
