internal import Core
internal import HTTPMessage

/// Where somebody asks from, as far as one who wants to be taken for many cannot choose it.
enum CallerNetwork {
    private static let bytesOfNetwork = 8

    /// The address of the caller, or of version 6 the network of 64 bits that a caller has all addresses of (RFC 6177).
    static func of(_ request: HTTPRequest) -> String { of(request.remote.address) }

    /// The same of an address; what is none, such as `unix`, is itself.
    static func of(_ address: String) -> String {
        guard let found = IPAddress(address)?.unwrapped else { return address }
        guard found.bytes.count == 16 else { return found.description }
        let network = IPAddress(bytes: found.bytes[..<bytesOfNetwork] + [UInt8](repeating: 0, count: bytesOfNetwork))
        return network.map { "\($0)/64" } ?? address
    }
}
