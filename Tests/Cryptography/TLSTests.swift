import Core
import Cryptography
import TestSupport
import Testing

@Suite struct TLSTests {
    @Test(arguments: [1, 7, 1000, Int.max])
    func twoSidesAgreeAndTalk(_ pieces: Int) throws {
        let pair = try TLSPair(server: serverContext(), client: clientContext(protocols: ["http/1.1", "h2"]))
        #expect(pair.client.state == .handshaking)
        pair.exchange(pieces: pieces)
        #expect(pair.client.state == .established)
        #expect(pair.server.state == .established)
        #expect(pair.client.applicationProtocol == "h2")
        #expect(pair.server.applicationProtocol == "h2")
        #expect(pair.server.requestedServerName == "localhost")
        #expect(pair.client.description.hasPrefix("TLSv1.3 TLS_"))
        #expect(pair.server.peerCertificate == nil)
        let shown = pair.client.peerCertificate
        let certificate = try #require(shown)
        #expect(certificate.subject == "CN=server,O=DataHarbour")
        #expect(certificate.dnsNames == ["localhost", "*.example.org"])
        #expect(certificate.ipAddresses == ["127.0.0.1"])
        #expect(certificate.uris == ["spiffe://harbour/server"])
        #expect(certificate.notAfter > .now)
        #expect(certificate.fingerprint.count == 32)

        let question = SystemRandom.bytes(100_000)
        try pair.client.write(question)
        try pair.server.write(Array("welcome".utf8))
        pair.exchange(pieces: max(pieces, 100))
        #expect(try pair.server.read() == question)
        #expect(try pair.client.read() == Array("welcome".utf8))
        #expect(pair.clientFailure == nil)
        #expect(pair.serverFailure == nil)
    }

    @Test func closingIsToldFromCutting() throws {
        let pair = try TLSPair(server: serverContext(), client: clientContext())
        pair.exchange()
        try pair.server.write([1, 2, 3])
        pair.server.close()
        pair.server.close()
        #expect(throws: HarbourError.self) { try pair.server.write([4]) }
        pair.exchange()
        #expect(try pair.client.read() == [1, 2, 3])
        #expect(pair.client.state == .peerClosed)
        try pair.client.feedEnd()
        // Half closed: the other direction still works.
        try pair.client.write([5, 6])
        pair.client.close()
        pair.exchange()
        #expect(try pair.server.read() == [5, 6])
        #expect(pair.server.state == .peerClosed)

        let cut = try TLSPair(server: serverContext(), client: clientContext())
        cut.exchange()
        do throws(HarbourError) {
            try cut.client.feedEnd()
            Issue.record("a cut connection looked complete")
        } catch { #expect(error.code == .tlsBroken) }
        #expect(cut.client.state == .failed)
    }

    @Test func writingBeforeTheHandshakeIsRefused() throws {
        var client = try TLSSession(client: clientContext(), serverName: "localhost")
        do throws(HarbourError) {
            try client.write([1])
            Issue.record("plaintext was taken before the handshake")
        } catch { #expect(error.code == .invalidState) }
    }

    @Test(arguments: ["127.0.0.1", "a.example.org"])
    func otherNamesOfTheCertificateAreFine(_ name: String) throws {
        let pair = try TLSPair(server: serverContext(), client: clientContext(), name: name)
        pair.exchange()
        #expect(pair.client.state == .established)
        #expect(pair.server.requestedServerName == (name == "127.0.0.1" ? nil : name))
    }

    @Test(arguments: ["127.0.0.2", "example.org", "a.b.example.org", "localhost.evil", "server"])
    func aWrongNameIsRefused(_ name: String) throws {
        try expectRejection(client: clientContext(), name: name, says: "mismatch")
    }

    @Test func anUnknownAuthorityIsRefused() throws {
        let client = try clientContext(trust: Certificates.others.get().authorityFile)
        try expectRejection(client: client, says: "unable to get local issuer")
    }

    @Test func anExpiredCertificateIsRefused() throws {
        let server = try serverContext(certificate: Certificates.expired.get())
        try expectRejection(server: server, client: clientContext(), says: "expired")
    }

    @Test func theSystemDoesNotTrustATestsAuthority() throws {
        let client = try TLSContext(client: TLSClientConfiguration())
        try expectRejection(client: client, says: "unable to get local issuer")
    }

    private func expectRejection(
        server: TLSContext? = nil, client: TLSContext, name: String = "localhost", says text: String
    ) throws {
        let pair = try TLSPair(server: server ?? serverContext(), client: client, name: name)
        pair.exchange()
        let failed = pair.clientFailure
        let failure = try #require(failed)
        #expect(failure.code == .tlsCertificateRejected)
        #expect(failure.message.contains(text))
        #expect(failure.message.contains(name))
        #expect(failure.detail?.contains("certificate verify failed") == true)
        #expect(pair.client.state == .failed)
        // The server learns why: the alert was sent although the client failed.
        #expect(pair.serverFailure?.code == .tlsHandshakeFailed)
    }

    @Test func protocolsThatDoNotMeetAreRefused() throws {
        let pair = try TLSPair(server: serverContext(protocols: ["h2"]), client: clientContext(protocols: ["http/1.1"]))
        pair.exchange()
        #expect(pair.serverFailure?.code == .tlsHandshakeFailed)
        #expect(pair.clientFailure?.code == .tlsHandshakeFailed)
        #expect(pair.clientFailure?.detail?.contains("no application protocol") == true)
    }

    @Test func aClientWithoutProtocolsIsServed() throws {
        let pair = try TLSPair(server: serverContext(), client: clientContext(protocols: []))
        pair.exchange()
        #expect(pair.server.state == .established)
        #expect(pair.server.applicationProtocol == nil)
    }

    @Test func oldVersionsAreRefusedUnlessAllowed() throws {
        let hello = oldClientHello()
        var modern = try TLSSession(server: serverContext())
        do throws(HarbourError) {
            try modern.feed(hello)
            Issue.record("TLS 1.2 was taken")
        } catch { #expect(error.code == .tlsHandshakeFailed) }
        // A fatal alert: protocol_version (RFC 8446 section 6).
        #expect(Array(modern.takeOutput().suffix(2)) == [2, 70])

        var lenient = try TLSSession(server: serverContext(minimum: .tls12))
        try lenient.feed(hello)
        #expect(lenient.description.hasPrefix("TLSv1.2"))
        #expect(lenient.takeOutput().first == 22)
    }

    /// A first message that offers TLS 1.2 and one cipher suite (RFC 5246 section 7.4.1.2).
    private func oldClientHello() -> [UInt8] {
        let extensions: [UInt8] =
            [0, 10, 0, 4, 0, 2, 0, 23]  // the group secp256r1
            + [0, 13, 0, 4, 0, 2, 4, 3]  // the signature ecdsa_secp256r1_sha256
        let body: [UInt8] =
            [3, 3] + [UInt8](repeating: 1, count: 32) + [0] + [0, 2, 0xc0, 0x2b] + [1, 0]
            + [0, UInt8(extensions.count)] + extensions
        return [22, 3, 1, 0, UInt8(body.count + 4)] + [1, 0, 0, UInt8(body.count)] + body
    }

    @Test func brokenBytesEndTheConnection() throws {
        for position in stride(from: 0, to: 60, by: 3) {
            let pair = try TLSPair(server: serverContext(), client: clientContext())
            pair.exchange()
            try pair.server.write([UInt8](repeating: 7, count: 50))
            pair.tamper = { bytes in
                var bytes = bytes
                if position < bytes.count { bytes[position] ^= 0x40 }
                return bytes
            }
            pair.exchange()
            // A damaged length makes the client wait for more; nothing must ever come out.
            #expect(pair.clientRead().isEmpty)
            if let failure = pair.clientFailure { #expect([.tlsBroken, .tlsHandshakeFailed].contains(failure.code)) }
        }
    }

    @Test func noiseIsNotTLS() throws {
        for noise in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            var server = try TLSSession(server: serverContext())
            do throws(HarbourError) {
                try server.feed(Array(noise.utf8))
                Issue.record("noise was taken for TLS")
            } catch { #expect(error.code == .tlsHandshakeFailed) }
            #expect(server.state == .failed)
            // What comes later changes nothing.
            try server.feed([1, 2, 3])
        }
    }
}
