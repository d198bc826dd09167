public import Core
internal import Glibc

/// Which addresses a client may connect to. It is asked with the very address that a connection is about to be made
/// to, after names have been resolved, so that a name cannot be one thing when it is checked and another when it is
/// used.
public struct AddressPolicy: Sendable {
    private let isGuarded: Bool
    private let allowed: [IPNetwork]

    /// Every address.
    public static let any = AddressPolicy(isGuarded: false, allowed: [])

    /// Addresses of the internet, and inside addresses of these networks: not this machine, not private networks, not
    /// what clouds tell machines of themselves.
    public static func outside(allowing networks: [IPNetwork] = []) -> AddressPolicy {
        AddressPolicy(isGuarded: true, allowed: networks)
    }

    private init(isGuarded: Bool, allowed: [IPNetwork]) {
        self.isGuarded = isGuarded
        self.allowed = allowed
    }

    /// Whether it refuses anything.
    public var refusesSome: Bool { isGuarded }

    /// Whether a connection to the address is wanted.
    public func allows(_ address: IPAddress) -> Bool {
        guard isGuarded else { return true }
        let plain = address.unwrapped
        return allowed.contains { $0.contains(plain) } || !IPNetwork.inside.contains { $0.contains(plain) }
    }

    /// Whether the host of a URL is named so that no look-up is needed to refuse it.
    func allows(host: String) -> Bool {
        guard isGuarded else { return true }
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        if let address = IPAddress(name) { return allows(address) }
        let lower = name.lowercased()
        guard lower == "localhost" || lower.hasSuffix(".localhost") else { return true }
        return [IPAddress("127.0.0.1"), IPAddress("::1")].contains { $0.map(allows) ?? false }
    }

    /// The refusal.
    static func refusal(_ host: String) -> HarbourError {
        HarbourError(
            .addressNotAllowed,
            "\(host) is an inside address, which is not called from here. Use a public address, or have the operator "
                + "allow its network.")
    }
}

extension ErrorCode {
    /// The address may not be connected to from here.
    public static let addressNotAllowed = ErrorCode("ADDRESS_NOT_ALLOWED", status: 403)
}

extension IPAddress {
    init?(_ address: UnsafePointer<sockaddr>) {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            self.init(
                bytes: UnsafeRawPointer(address).withMemoryRebound(to: sockaddr_in.self, capacity: 1) { four in
                    withUnsafeBytes(of: four.pointee.sin_addr) { Array($0) }
                })
        case AF_INET6:
            self.init(
                bytes: UnsafeRawPointer(address).withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { six in
                    withUnsafeBytes(of: six.pointee.sin6_addr) { Array($0) }
                })
        default: return nil
        }
    }
}

extension IPNetwork {
    /// What is no place of the internet: this machine, private and shared networks, link-local addresses (among them
    /// those at which clouds tell machines of themselves), tests, multicast, and what is kept back (RFC 6890).
    static let inside: [IPNetwork] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "64:ff9b:1::/48",
        "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    ].compactMap { try? IPNetwork($0) }
}
