public import Core
internal import HTTPMessage

/// The reverse proxies whose word on who asks is taken: what they append to `x-forwarded-for`, and `x-forwarded-proto`.
///
/// A client can send these fields too, so they count only when the connection comes from one of these networks, and of
/// several addresses the last that is not such a proxy's: what stands before it is the client's own claim.
public struct TrustedProxies: Sendable {
    private let networks: [IPNetwork]

    /// Trusts what comes from these networks; none by default. Who connects through a unix socket is trusted with them.
    public init(_ networks: [IPNetwork] = []) { self.networks = networks }

    /// Whether there are any.
    public var isEmpty: Bool { networks.isEmpty }

    /// How many addresses of a chain are looked at.
    private static let longest = 32

    private func trusts(_ address: IPAddress) -> Bool {
        let plain = address.unwrapped
        return networks.contains { $0.contains(plain) || $0.contains(address) }
    }

    /// Who asks, seen through the proxies.
    func client(of request: HTTPRequest, over peer: HTTPPeer) -> HTTPPeer {
        let isTrusted = peer.description == "unix" || IPAddress(withPort: peer.description).map(trusts) ?? false
        guard isTrusted else { return peer }
        var address: IPAddress?
        let chain = (request.fields.combined("x-forwarded-for") ?? "").split(separator: ",").suffix(Self.longest)
        for part in chain.reversed() {
            // What cannot be read ends the chain: what stands before it came through something unknown.
            guard let next = IPAddress(withPort: part.trimmingSpaces) else { break }
            address = next
            if !trusts(next) { break }
        }
        let isSecure = request.fields["x-forwarded-proto"].map { $0.lowercased() == "https" } ?? peer.isSecure
        guard address != nil || isSecure != peer.isSecure else { return peer }
        return HTTPPeer(
            description: address?.description ?? peer.description, isSecure: isSecure,
            certificateSubject: peer.certificateSubject)
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
