import Core
import Cryptography
import TestSupport

/// One authority and its certificates for the whole run: making them is what takes the time.
enum Certificates {
    static let ours = Result { try TestCertificates() }
    static let others = Result { try TestCertificates(name: "Somebody else") }
    static let server = Result {
        try ours.get().issue(
            "server", names: "DNS:localhost,DNS:*.example.org,IP:127.0.0.1,URI:spiffe://harbour/server")
    }
    static let client = Result { try ours.get().issue("client", names: "DNS:client") }
    static let expired = Result { try ours.get().issue("expired", days: -1) }
    static let stranger = Result { try others.get().issue("stranger") }
}

extension TestCertificates.Files {
    var tls: TLSCertificateFiles { TLSCertificateFiles(chainFile: certificate, privateKeyFile: key) }
}

/// Two sessions and the wire between them.
final class TLSPair {
    var client: TLSSession
    var server: TLSSession
    var clientFailure: HarbourError?
    var serverFailure: HarbourError?
    /// Changes what the server's side sends, to break it.
    var tamper: (([UInt8]) -> [UInt8])?

    init(
        server: TLSContext, client: TLSContext, name: String = "localhost"
    ) throws {
        self.client = try TLSSession(client: client, serverName: name)
        self.server = try TLSSession(server: server)
    }

    /// Moves bytes until none is left on either side, in pieces of the given size.
    func exchange(pieces size: Int = .max) {
        while true {
            let up = client.takeOutput()
            for piece in split(up, size) {
                do throws(HarbourError) { try server.feed(piece) } catch { serverFailure = serverFailure ?? error }
            }
            var down = server.takeOutput()
            if let tamper { down = tamper(down) }
            for piece in split(down, size) {
                do throws(HarbourError) { try client.feed(piece) } catch { clientFailure = clientFailure ?? error }
            }
            if up.isEmpty, down.isEmpty { return }
        }
    }

    /// Reads on the client, keeping the failure.
    func clientRead() -> [UInt8] {
        do throws(HarbourError) { return try client.read() } catch {
            clientFailure = clientFailure ?? error
            return []
        }
    }
}

func split(_ bytes: [UInt8], _ size: Int) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: min(size, max(1, bytes.count))).map {
        Array(bytes[$0..<min(bytes.count, $0 + min(size, bytes.count))])
    }
}

func serverContext(
    protocols: [String] = ["h2", "http/1.1"], clients: TLSServerConfiguration.ClientCertificates = .none,
    minimum: TLSVersion = .tls13, certificate: TestCertificates.Files? = nil
) throws -> TLSContext {
    try TLSContext(
        server: TLSServerConfiguration(
            certificate: try (certificate ?? Certificates.server.get()).tls, applicationProtocols: protocols,
            clientCertificates: clients, minimumVersion: minimum))
}

func clientContext(
    protocols: [String] = ["h2"], certificate: TestCertificates.Files? = nil, trust: String? = nil
) throws -> TLSContext {
    try TLSContext(
        client: TLSClientConfiguration(
            trust: .authorityFile(try trust ?? Certificates.ours.get().authorityFile), certificate: certificate?.tls,
            applicationProtocols: protocols))
}
