import Core
import Cryptography
import EventLoop
import Glibc
import TestSupport
import Testing
import WebClient

/// aiosmtpd, a real mail server, for one test.
final class MailPeer: Sendable {
    static let isHere = PeerPython.has("aiosmtpd")

    let port: String
    private let process: ChildProcess

    /// - Parameter certificates: for STARTTLS; none for a server without.
    init(_ certificates: [String] = [], loop: EventLoop) async throws {
        var specification = ProcessSpecification(
            PeerPython.executable, [PeerPython.script("smtp_peer.py")] + certificates)
        specification.output = .pipe
        specification.input = .pipe
        specification.parentDeathSignal = SIGKILL
        process = try await ChildProcess.start(specification, loop: loop)
        guard let line = try await process.output?.readLine() else {
            throw HarbourError(.unavailable, "The test's mail server did not start.")
        }
        port = line
    }

    /// The next message that it has taken.
    func message() async throws -> JSONValue {
        try JSONValue(json: Array(try #require(try await process.output?.readLine()).utf8))
    }

    func stop() async throws {
        process.kill()
        _ = try await process.wait()
    }
}

@Suite(.enabled(if: MailPeer.isHere, "aiosmtpd is not installed: see Tests/README.md")) struct MailTests {
    private func with(
        tls: Bool = false, _ body: @escaping @Sendable (MailPeer, WebClient) async throws -> Void
    ) async throws {
        let ours = try TestCertificates()
        let server = try ours.issue("server", names: "DNS:localhost")
        try await withEventLoop { loop in
            let peer = try await MailPeer(tls ? [server.certificate, server.key] : [], loop: loop)
            let client = try WebClient(
                loop: loop, configuration: direct { $0.trust = .authorityFile(ours.authorityFile) })
            do { try await body(peer, client) } catch { Issue.record(error) }
            try await peer.stop()
        }
    }

    private func message(_ subject: String = "Hello", to recipient: String = "you@example.org") -> MailMessage {
        MailMessage(recipient: recipient, subject: subject, text: "one\n.\n.two é\n", messageID: "notification-1")
    }

    @Test func mailArrivesAsItWasMeant() async throws {
        try await with { peer, client in
            let server = MailServer(url: "smtp://127.0.0.1:\(peer.port)", sender: "harbour@example.org")
            try await client.send(message(), through: server)
            let seen = try await peer.message()
            #expect(seen["from"] == "harbour@example.org")
            #expect(seen["to"] == ["you@example.org"])
            #expect(seen["sender"] == "DataHarbour <harbour@example.org>")
            #expect(seen["subject"] == "Hello")
            #expect(seen["id"] == "<notification-1@example.org>")
            #expect(seen["text"] == "one\n.\n.two é\n")
            #expect(seen["tls"] == false)
            let day = ISO8601.format(.now).prefix(10)
            #expect(seen["date"]?.string?.hasPrefix(day) == true || ISO8601.format(.now).prefix(10) != day)
        }
    }

    @Test(arguments: [
        "job: naïve – überlang und noch viel länger als eine Zeile sein darf, 日本語も含めて、それでも同じ",
        "one\r\nBcc: everybody@example.org\r\n\r\nhello", "=?utf-8?B?eA==?=", String(repeating: "long ", count: 60), "",
    ])
    func aSubjectStaysInItsField(subject: String) async throws {
        try await with { peer, client in
            let server = MailServer(url: "smtp://127.0.0.1:\(peer.port)", sender: "harbour@example.org")
            try await client.send(message(subject), through: server)
            let seen = try await peer.message()
            // Whoever reads the field sees no line ends in it, whatever was meant.
            let plain = subject.filter { !$0.isNewline }
            #expect(seen["subject"]?.string?.filter { !$0.isNewline } == plain)
            #expect(seen["headers"]?.array?.contains("Bcc") == false)
            #expect(seen["to"] == ["you@example.org"])
        }
    }

    @Test func passwordsGoOverTLSOnly() async throws {
        try await with(tls: true) { peer, client in
            var server = MailServer(
                url: "smtp://localhost:\(peer.port)", user: "me", password: "secret", sender: "harbour@example.org")
            try await client.send(message(), through: server)
            let seen = try await peer.message()
            #expect(seen["tls"] == true && seen["user"] == "me")
            server.password = "other"
            let error = await #expect(throws: HarbourError.self) { try await client.send(message(), through: server) }
            #expect(error?.code == .unauthenticated, "\(error?.describeChain() ?? "")")
        }
        try await with { peer, client in
            let server = MailServer(
                url: "smtp://127.0.0.1:\(peer.port)", user: "me", password: "secret", sender: "harbour@example.org")
            let error = await #expect(throws: HarbourError.self) { try await client.send(message(), through: server) }
            #expect(error?.message.contains("without") == true, "\(error?.describeChain() ?? "")")
        }
    }

    @Test func whatIsNotTakenIsSaid() async throws {
        try await with { peer, client in
            let server = MailServer(url: "smtp://127.0.0.1:\(peer.port)", sender: "harbour@example.org")
            let refused = await #expect(throws: HarbourError.self) {
                try await client.send(message(to: "nobody@example.org"), through: server)
            }
            #expect(refused?.code == .mailRejected, "\(refused?.describeChain() ?? "")")
            let later = await #expect(throws: HarbourError.self) {
                try await client.send(message(to: "later@example.org"), through: server)
            }
            #expect(later?.code == .mailRefused, "\(later?.describeChain() ?? "")")
            let spam = await #expect(throws: HarbourError.self) {
                try await client.send(message(to: "spam@example.org"), through: server)
            }
            #expect(spam?.code == .mailRejected, "\(spam?.describeChain() ?? "")")
            for address in ["", "you", "a@b@c", "you@example.org\r\nRCPT TO:<x@y>", "<you@example.org>", "a b@c"] {
                let error = await #expect(throws: HarbourError.self) {
                    try await client.send(message(to: address), through: server)
                }
                #expect(error?.code == .invalidParameter)
            }
            let other = MailServer(url: "http://127.0.0.1:\(peer.port)", sender: "harbour@example.org")
            let wrong = await #expect(throws: HarbourError.self) { try await client.send(message(), through: other) }
            #expect(wrong?.code == .invalidParameter)
            let nowhere = MailServer(url: "smtp://127.0.0.1:1", sender: "harbour@example.org")
            let away = await #expect(throws: HarbourError.self) { try await client.send(message(), through: nowhere) }
            #expect(away?.code == .unavailable)
        }
    }
}
