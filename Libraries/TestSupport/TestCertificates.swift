internal import Core

/// A certificate authority of the test's own, made with the `openssl` command, and what it signs.
public final class TestCertificates: Sendable {
    /// A certificate and its key, as files in PEM.
    public struct Files: Sendable {
        /// The path of the certificate.
        public let certificate: String
        /// The path of its private key.
        public let key: String
    }

    private let directory: TemporaryDirectory
    /// The authority's certificate in PEM.
    public let authorityFile: String

    /// Makes an authority.
    /// - Throws: `INVALID_STATE` when the `openssl` command is missing or fails.
    public init(name: String = "Test authority") throws {
        directory = try TemporaryDirectory()
        authorityFile = directory.file("authority.pem")
        try openssl(
            ["req", "-x509", "-days", "2", "-subj", "/CN=\(name)", "-out", authorityFile]
                + TestCertificates.newKey(directory.file("authority.key")))
    }

    /// Signs a certificate for these names, in the notation of openssl's subjectAltName.
    /// - Parameters:
    ///   - commonName: the subject; also the files' name, so it must be new each time.
    ///   - names: such as `DNS:localhost,IP:127.0.0.1`.
    ///   - days: how long it lasts; a negative number makes one that has ended.
    /// - Returns: where the certificate and its key are, for as long as this object lives.
    /// - Throws: `INVALID_STATE` when the `openssl` command fails.
    public func issue(
        _ commonName: String, names: String = "DNS:localhost,IP:127.0.0.1", days: Int = 2
    ) throws -> Files {
        let request = directory.file("\(commonName).csr")
        let files = Files(
            certificate: directory.file("\(commonName).pem"), key: directory.file("\(commonName).key"))
        try openssl(
            [
                "req", "-new", "-subj", "/O=DataHarbour/CN=\(commonName)", "-addext", "subjectAltName=\(names)",
                "-out", request,
            ] + TestCertificates.newKey(files.key))
        try openssl([
            "x509", "-req", "-in", request, "-CA", authorityFile, "-CAkey", directory.file("authority.key"),
            "-set_serial", "0x\(Identifier.secret(bytes: 8))", "-copy_extensions", "copy", "-days", "\(days)", "-out",
            files.certificate,
        ])
        return files
    }

    private static func newKey(_ path: String) -> [String] {
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path]
    }

    private func openssl(_ arguments: [String]) throws { try runCommand(["openssl"] + arguments) }
}
