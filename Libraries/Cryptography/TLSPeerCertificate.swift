internal import COpenSSL
public import Core

/// Who the other side is, from its verified certificate.
public struct TLSPeerCertificate: Sendable, Hashable {
    /// The subject in RFC 2253 form, such as `CN=scheduler,O=DataHarbour`.
    public var subject: String
    /// Subject alternative names that are host names.
    public var dnsNames: [String] = []
    /// Subject alternative names that are addresses, in text form.
    public var ipAddresses: [String] = []
    /// Subject alternative names that are URIs, such as SPIFFE identities.
    public var uris: [String] = []
    /// When it ends.
    public var notAfter: Timestamp
    /// SHA-256 of the certificate in DER: 32 bytes, for pinning and for the log.
    public var fingerprint: [UInt8]

    init?(_ certificate: OpaquePointer) {
        guard let subject = openssl_certificate_subject(certificate) else { return nil }
        defer { openssl_release(subject) }
        self.subject = String(cString: subject)
        let end = openssl_certificate_end(certificate)
        notAfter = Timestamp(milliseconds: end == .min ? .min : end * 1000)
        var count: UInt32 = 0
        fingerprint = [UInt8](repeating: 0, count: 32)
        guard X509_digest(certificate, EVP_sha256(), &fingerprint, &count) == 1, count == 32 else { return nil }
        let names = NameList()
        openssl_certificate_visit_names(
            certificate,
            { argument, type, bytes, count in
                guard let argument else { return }
                let name = UnsafeBufferPointer(start: bytes, count: Int(count))
                Unmanaged<NameList>.fromOpaque(argument).takeUnretainedValue().add(type, name)
            }, Unmanaged.passUnretained(names).toOpaque())
        dnsNames = names.dnsNames
        ipAddresses = names.ipAddresses
        uris = names.uris
    }
}

private final class NameList {
    var dnsNames: [String] = []
    var ipAddresses: [String] = []
    var uris: [String] = []

    func add(_ type: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
        if type == GEN_IPADD {
            if let address = NameList.address(bytes) { ipAddresses.append(address) }
            return
        }
        // These are ASCII by definition (RFC 5280 section 4.2.1.6). A NUL inside is an old trick to name two hosts.
        guard bytes.allSatisfy({ (0x20..<0x7f).contains($0) }) else { return }
        let text = String(decoding: bytes, as: UTF8.self)
        if type == GEN_DNS { dnsNames.append(text) }
        if type == GEN_URI { uris.append(text) }
    }

    private static func address(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        switch bytes.count {
        case 4: return bytes.map { String($0) }.joined(separator: ".")
        case 16:
            let groups = stride(from: 0, to: 16, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
            return groups.map { String($0, radix: 16) }.joined(separator: ":")
        default: return nil
        }
    }
}
