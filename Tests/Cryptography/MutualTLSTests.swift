import Core
import Cryptography
import TestSupport
import Testing

@Suite struct MutualTLSTests {
    private func server(_ required: Bool) throws -> TLSContext {
        let authority = try Certificates.ours.get().authorityFile
        return try serverContext(
            clients: required ? .required(authorityFile: authority) : .optional(authorityFile: authority))
    }

    @Test(arguments: [true, false])
    func aClientIsKnownByItsCertificate(_ required: Bool) throws {
        let pair = try TLSPair(
            server: server(required), client: clientContext(certificate: Certificates.client.get()))
        pair.exchange()
        #expect(pair.serverFailure == nil)
        #expect(pair.server.peerCertificate?.subject == "CN=client,O=DataHarbour")
        #expect(pair.server.peerCertificate?.dnsNames == ["client"])
    }

    @Test func aMissingCertificateIsRefusedOnlyWhenRequired() throws {
        let refused = try TLSPair(server: server(true), client: clientContext())
        refused.exchange()
        #expect(refused.serverFailure?.code == .tlsCertificateRejected)
        // The client believed that all was well until it read.
        #expect(refused.clientRead().isEmpty)
        #expect(refused.clientFailure?.code == .tlsHandshakeFailed)
        #expect(refused.clientFailure?.detail?.contains("certificate required") == true)

        let allowed = try TLSPair(server: server(false), client: clientContext())
        allowed.exchange()
        #expect(allowed.server.state == .established)
        #expect(allowed.server.peerCertificate == nil)
    }

    @Test(arguments: [true, false])
    func aStrangersCertificateIsRefused(_ required: Bool) throws {
        let pair = try TLSPair(
            server: server(required), client: clientContext(certificate: Certificates.stranger.get()))
        pair.exchange()
        #expect(pair.serverFailure?.code == .tlsCertificateRejected)
        #expect(pair.server.peerCertificate == nil)
    }
}

@Suite struct TLSContextTests {
    @Test func filesThatDoNotFitAreNamed() throws {
        let good = try Certificates.server.get()
        let other = try Certificates.client.get()
        let folder = try TemporaryDirectory()
        let junk = try folder.write("junk.pem", Array("not PEM".utf8))
        let locked = folder.file("locked.key")
        try runCommand(["openssl", "pkey", "-in", good.key, "-aes256", "-passout", "pass:secret", "-out", locked])
        for (chain, key, named) in [
            ("/nonexistent.pem", good.key, "/nonexistent.pem"), (junk, good.key, junk),
            (good.certificate, junk, junk), (good.certificate, other.key, other.key),
            (good.certificate, locked, locked),
        ] {
            let files = TLSCertificateFiles(chainFile: chain, privateKeyFile: key)
            do throws(HarbourError) {
                _ = try TLSContext(server: TLSServerConfiguration(certificate: files))
                Issue.record("unusable files were taken: \(named)")
            } catch {
                #expect(error.code == .tlsConfigurationInvalid)
                #expect(error.message.contains(named))
            }
        }
        #expect(throws: HarbourError.self) { try clientContext(trust: junk) }
        #expect(throws: HarbourError.self) { try serverContext(protocols: [""]) }
        #expect(throws: HarbourError.self) { try serverContext(clients: .required(authorityFile: junk)) }
    }

    @Test(arguments: ["", String(repeating: "a", count: 300), "a\u{0}b"])
    func namesThatCannotBeAreRefused(_ name: String) throws {
        let context = try clientContext()
        do throws(HarbourError) {
            _ = try TLSSession(client: context, serverName: name)
            Issue.record("a name that cannot be one was taken")
        } catch { #expect(error.code == .invalidParameter) }
    }

    @Test func reloadTakesNewFilesAndKeepsOldOnesWhenTheyAreBad() throws {
        let first = try Certificates.ours.get().issue("first")
        let second = try Certificates.ours.get().issue("second")
        let folder = try TemporaryDirectory()
        let files = TLSCertificateFiles(chainFile: folder.file("live.pem"), privateKeyFile: folder.file("live.key"))
        func install(_ source: TestCertificates.Files) throws {
            try runCommand(["cp", source.certificate, files.chainFile])
            try runCommand(["cp", source.key, files.privateKeyFile])
        }
        try install(first)
        let server = try TLSContext(server: TLSServerConfiguration(certificate: files))
        func subject() throws -> String? {
            let pair = try TLSPair(server: server, client: clientContext())
            pair.exchange()
            return pair.client.peerCertificate?.subject
        }
        let early = try TLSPair(server: server, client: clientContext())
        #expect(try subject() == "CN=first,O=DataHarbour")
        try install(second)
        #expect(try subject() == "CN=first,O=DataHarbour")
        try server.reload()
        #expect(try subject() == "CN=second,O=DataHarbour")
        try runCommand(["cp", first.key, files.privateKeyFile])
        #expect(throws: HarbourError.self) { try server.reload() }
        #expect(try subject() == "CN=second,O=DataHarbour")
        early.exchange()
        #expect(early.client.peerCertificate?.subject == "CN=first,O=DataHarbour")
    }
}
