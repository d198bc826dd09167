import Core
import Cryptography
import EventLoop
import HTTPClient
import HTTPMessage
import HTTPServer
import TestSupport
import Testing

@Suite struct TLSServerTests {
    private func withSecureServer(
        clients: Bool = false, _ body: @escaping @Sendable (HTTPServer, Int, TestCertificates) async throws -> Void
    ) async throws {
        let certificates = try TestCertificates()
        let files = try certificates.issue("server", names: "DNS:localhost,IP:127.0.0.1")
        try await withEventLoop { loop in
            let router = HTTPRouter()
            router.get("/whoami") { request, _ in
                .text("\(request.isSecure) \(request.remote.certificateSubject ?? "nobody")")
            }
            router.get("/large") { _, _ in .json([UInt8](repeating: 65, count: 2_000_000)) }
            router.post("/echo") { request, _ async in
                HTTPResponse(
                    body: .stream { writer in for try await chunk in request.body { try await writer.write(chunk) } })
            }
            let server = HTTPServer(
                configuration: HTTPServerConfiguration(
                    tls: TLSServerConfiguration(
                        certificate: files.tls,
                        clientCertificates: clients ? .required(authorityFile: certificates.authorityFile) : .none)),
                handler: router, loop: loop)
            let port = try await server.start()
            try await body(server, port, certificates)
            await server.drain(budget: .seconds(5))
        }
    }

    private func client(
        _ certificates: TestCertificates, shows name: String? = nil
    ) throws -> HTTPClient {
        var configuration = HTTPClientConfiguration()
        configuration.tls = TLSClientConfiguration(
            trust: .authorityFile(certificates.authorityFile),
            certificate: try name.map { try certificates.issue($0).tls })
        let loop = try #require(EventLoop.current)
        return HTTPClient(loop: loop, configuration: configuration)
    }

    @Test func speaksHTTP2ByALPN() async throws {
        try await withSecureServer { _, port, certificates in
            let client = try client(certificates)
            let origin = HTTPOrigin.https(host: "localhost", port: port)
            let response = try await client.send(HTTPClientRequest(origin: origin, target: "/whoami"))
            #expect(String(decoding: try await response.collect(), as: UTF8.self) == "true nobody")
            let large = try await client.send(HTTPClientRequest(origin: origin, target: "/large"))
            #expect(try await large.collect().count == 2_000_000)
            let sent = [UInt8](repeating: 7, count: 1_000_000)
            let echo = try await client.send(
                HTTPClientRequest(method: .post, origin: origin, target: "/echo", body: .bytes(sent)))
            #expect(try await echo.collect() == sent)
            await client.close()
        }
    }

    @Test func speaksToCurlInBothVersions() async throws {
        try await withSecureServer { _, port, certificates in
            for version in ["--http1.1", "--http2"] {
                let output = try await BlockingPool.shared.run {
                    try runCommand([
                        "curl", "-sS", version, "--cacert", certificates.authorityFile, "-w", " %{http_version}",
                        "https://localhost:\(port)/whoami",
                    ])
                }
                #expect(output.hasPrefix("true nobody \(version == "--http2" ? "2" : "1.1")"))
                let large = try await BlockingPool.shared.run {
                    try runCommand([
                        "curl", "-sS", version, "--cacert", certificates.authorityFile,
                        "https://localhost:\(port)/large",
                    ])
                }
                #expect(large.utf8.count == 2_000_000)
            }
        }
    }

    @Test func clientsAreKnownByTheirCertificates() async throws {
        try await withSecureServer(clients: true) { _, port, certificates in
            let origin = HTTPOrigin.https(host: "localhost", port: port)
            let known = try client(certificates, shows: "scheduler")
            let response = try await known.send(HTTPClientRequest(origin: origin, target: "/whoami"))
            #expect(String(decoding: try await response.collect(), as: UTF8.self).hasPrefix("true CN=scheduler"))
            await known.close()
            let unknown = try client(certificates)
            let error = await #expect(throws: HarbourError.self) {
                _ = try await unknown.send(HTTPClientRequest(origin: origin, target: "/whoami"))
            }
            #expect(error?.code == .unavailable)
            await unknown.close()
        }
    }

    @Test func aServerThatIsNotTrustedIsNotTalkedTo() async throws {
        try await withSecureServer { _, port, _ in
            let others = try TestCertificates(name: "Somebody else")
            let stranger = try client(others)
            let error = await #expect(throws: HarbourError.self) {
                _ = try await stranger.send(
                    HTTPClientRequest(origin: .https(host: "localhost", port: port), target: "/whoami"))
            }
            #expect(error?.code == .tlsCertificateRejected)
            #expect(error?.message.contains("certificate") == true)
            await stranger.close()
            withExtendedLifetime(others) {}
        }
    }
}

extension TestCertificates.Files {
    var tls: TLSCertificateFiles { TLSCertificateFiles(chainFile: certificate, privateKeyFile: key) }
}
