import Core
import Cryptography
import EventLoop
import HTTPMessage
import TestSupport
import Testing
import WebClient

@Suite struct WebClientFailureTests {
    @Test func whatGoesWrongHasItsCode() async throws {
        try await withPeer { peer, client, _ in
            func send(_ url: String) async -> ErrorCode? {
                await code { _ = try await client.send(WebRequest(url: url)).collect() }
            }
            #expect(await send("http://127.0.0.1:1/") == .unavailable)
            #expect(await send("http://does-not-exist.invalid/") == .unavailable)
            #expect(await send("ftp://127.0.0.1/") == .invalidParameter)
            #expect(await send("file:///etc/passwd") == .invalidParameter)
            #expect(await send("no url at all") == .invalidParameter)
            #expect(await send("http://127.0.0.1/a b") == .invalidParameter)
            #expect(await send("http://127.0.0.1/\r\nX: y") == .invalidParameter)
            #expect(await send(peer.url("/cut")) == .unavailable)
            #expect([.badGateway, .unavailable].contains(await send(peer.url("/noise"))))
            #expect(await send(peer.url("/", scheme: "https")) == .tlsHandshakeFailed)
        }
    }

    @Test func deadlinesEndWaitingAndReading() async throws {
        try await withPeer { peer, client, _ in
            let waiting = await code {
                _ = try await client.send(WebRequest(url: peer.url("/never")), deadline: .now + .milliseconds(50))
            }
            #expect(waiting == .deadlineExceeded)
            let reading = await code {
                let answer = try await client.send(
                    WebRequest(url: peer.url("/lines")), deadline: .now + .milliseconds(500))
                #expect(answer.status == 200)
                _ = try await answer.collect()
            }
            #expect(reading == .deadlineExceeded)
        }
    }

    @Test func cancellingEndsWaitingAndReading() async throws {
        try await withPeer { peer, client, loop in
            let waiting = Task(executorPreference: loop) {
                await code { _ = try await client.send(WebRequest(url: peer.url("/never"))) }
            }
            #expect(try await peer.isWaiting())
            waiting.cancel()
            #expect(await waiting.value == .cancelled)
            let answer = try await client.send(WebRequest(url: peer.url("/lines")))
            let reading = Task(executorPreference: loop) { await code { _ = try await answer.collect() } }
            reading.cancel()
            #expect(await reading.value == .cancelled)
            let early = Task(executorPreference: loop) {
                await code { _ = try await client.send(WebRequest(url: peer.url("/200"))) }
            }
            early.cancel()
            #expect(await early.value == .cancelled)
        }
    }

    @Test func aDroppedClientEndsItsRequests() async throws {
        try await withPeer { peer, _, loop in
            var client: WebClient? = try WebClient(loop: loop, configuration: direct())
            let answer = try await client?.send(WebRequest(url: peer.url("/lines")))
            client = nil
            let body = try #require(answer?.body)
            #expect(await code { _ = try await body.collect() } == .cancelled)
        }
    }

    @Test func answersAreLimited() async throws {
        try await withPeer { peer, client, _ in
            var announced = WebRequest(url: peer.url("/200"))
            announced.responseLimit = 5
            #expect(await code { _ = try await client.send(announced) } == .tooLarge)
            announced.responseLimit = 6
            let allowed = try await fetch(client, announced)
            #expect(text(allowed) == "status")
            var counted = WebRequest(url: peer.url("/stream?10"))
            counted.responseLimit = 100_000
            #expect(await code { _ = try await client.send(counted).collect() } == .tooLarge)
        }
    }

    @Test func redirectsAreFollowedOnlyWhenAllowed() async throws {
        try await withPeer { peer, client, _ in
            var request = WebRequest(url: peer.url("/redirect?3"))
            let first = try await client.send(request)
            #expect(first.status == 302)
            #expect(first.fields["location"] == "/redirect?2")
            #expect(text(try await first.collect()) == "moved")
            request.redirects = 3
            let followed = try await client.send(request)
            #expect(followed.status == 200)
            #expect(!followed.fields.contains("location"))
            #expect(text(try await followed.collect()).contains("GET"))
            request.redirects = 2
            #expect(await code { _ = try await client.send(request) } == .badGateway)
        }
    }

    @Test func unixSockets() async throws {
        let folder = try TemporaryDirectory()
        try await withPeer(["--unix", folder.file("socket")]) { peer, client, _ in
            var request = WebRequest(url: "http://docker/echo")
            request.unixSocket = peer.address
            let answer = try await client.send(request)
            #expect(text(try await answer.collect()).contains("\"host\": \"docker\""))
            request.unixSocket = "/no/such/socket"
            #expect(await code { _ = try await client.send(request) } == .unavailable)
        }
    }
}

@Suite struct WebClientTLSTests {
    @Test func serversMustProveWhoTheyAre() async throws {
        let ours = try TestCertificates()
        let others = try TestCertificates(name: "Somebody else")
        let server = try ours.issue("server", names: "DNS:localhost")
        try await withPeer(
            ["--tls", server.certificate, server.key],
            configuration: direct { $0.trust = .authorityFile(ours.authorityFile) }
        ) { peer, client, loop in
            let answer = try await client.send(WebRequest(url: peer.url("/200", scheme: "https", host: "localhost")))
            #expect(text(try await answer.collect()) == "status")
            let wrongName = await code { _ = try await client.send(WebRequest(url: peer.url("/200", scheme: "https"))) }
            #expect(wrongName == .tlsCertificateRejected)
            for trust in [.system, .authorityFile(others.authorityFile)] as [TLSClientConfiguration.Trust] {
                let stranger = try WebClient(loop: loop, configuration: direct { $0.trust = trust })
                let refused = await code {
                    _ = try await stranger.send(WebRequest(url: peer.url("/200", scheme: "https", host: "localhost")))
                }
                #expect(refused == .tlsCertificateRejected)
            }
            let broken = try WebClient(loop: loop, configuration: direct { $0.trust = .authorityFile("/no/such") })
            let unusable = await code {
                _ = try await broken.send(WebRequest(url: peer.url("/200", scheme: "https", host: "localhost")))
            }
            #expect(unusable == .tlsConfigurationInvalid)
        }
    }

    @Test func clientsMayHaveToProveWhoTheyAre() async throws {
        let ours = try TestCertificates()
        let server = try ours.issue("server", names: "DNS:localhost")
        let client = try ours.issue("client")
        try await withPeer(
            ["--tls", server.certificate, server.key, ours.authorityFile],
            configuration: direct {
                $0.trust = .authorityFile(ours.authorityFile)
                $0.certificate = TLSCertificateFiles(chainFile: client.certificate, privateKeyFile: client.key)
            }
        ) { peer, known, loop in
            let url = peer.url("/200", scheme: "https", host: "localhost")
            #expect(try await known.send(WebRequest(url: url)).status == 200)
            let unknown = try WebClient(
                loop: loop, configuration: direct { $0.trust = .authorityFile(ours.authorityFile) })
            #expect(await code { _ = try await unknown.send(WebRequest(url: url)) } != nil)
        }
    }
}
