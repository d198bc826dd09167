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

/// An address of the Internet Protocol, version 4 or 6.
public struct IPAddress: Sendable, Hashable {
    /// 4 or 16.
    public let bytes: [UInt8]

    /// Reads `127.0.0.1`, also as `0x7f.1` and the other forms that resolvers take, and `::1`, with or without brackets.
    /// - Returns: nil for what is no address.
    public init?(_ text: String) {
        let plain = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        var four = in_addr()
        var six = in6_addr()
        if inet_aton(plain, &four) == 1, !plain.contains(" ") {
            bytes = withUnsafeBytes(of: &four) { Array($0) }
        } else if inet_pton(AF_INET6, String(plain.prefix { $0 != "%" }), &six) == 1 {
            bytes = withUnsafeBytes(of: &six) { Array($0) }
        } else {
            return nil
        }
    }

    init?(_ address: UnsafePointer<sockaddr>) {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            bytes = UnsafeRawPointer(address).withMemoryRebound(to: sockaddr_in.self, capacity: 1) { four in
                withUnsafeBytes(of: four.pointee.sin_addr) { Array($0) }
            }
        case AF_INET6:
            bytes = UnsafeRawPointer(address).withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { six in
                withUnsafeBytes(of: six.pointee.sin6_addr) { Array($0) }
            }
        default: return nil
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// The address of version 4 that one of version 6 stands for: mapped (`::ffff:0:0/96`), compatible (`::/96`),
    /// translated (`64:ff9b::/96`) or 6to4 (`2002::/16`); else itself.
    var unwrapped: IPAddress {
        guard bytes.count == 16 else { return self }
        let zeros = bytes[..<10].allSatisfy { $0 == 0 }
        let isMapped = zeros && bytes[10] == 0xff && bytes[11] == 0xff
        let isCompatible = zeros && bytes[10] == 0 && bytes[11] == 0 && bytes[12] != 0
        let isTranslated = bytes[..<12] == [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]
        if isMapped || isCompatible || isTranslated { return IPAddress(bytes: Array(bytes[12...])) }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return IPAddress(bytes: Array(bytes[2..<6])) }
        return self
    }
}

/// A network: an address and how many of its first bits count.
public struct IPNetwork: Sendable, Hashable {
    private let address: IPAddress
    private let bits: Int

    /// What is no place of the internet: this machine, private and shared networks, link-local addresses (among them
    /// those at which clouds tell machines of themselves), tests, multicast, and what is kept back (RFC 6890).
    static let inside: [IPNetwork] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "64:ff9b:1::/48",
        "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    ].compactMap { IPNetwork(reading: $0) }

    /// Reads `10.0.0.0/8`, `fd00::/8`, or an address by itself.
    /// - Throws: `INVALID_PARAMETER_VALUE`.
    public init(_ text: String) throws(HarbourError) {
        guard let network = IPNetwork(reading: text) else {
            throw HarbourError(.invalidParameter, "\(text) is no network. Write 10.0.0.0/8, fd00::/8 or an address.")
        }
        self = network
    }

    private init?(reading text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let first = parts.first, let address = IPAddress(first) else { return nil }
        let most = address.bytes.count * 8
        guard let bits = parts.count == 1 ? most : Int(parts[1]), (0...most).contains(bits) else { return nil }
        self.address = address
        self.bits = bits
    }

    /// Reads networks between commas.
    public static func list(_ text: String) throws(HarbourError) -> [IPNetwork] {
        var networks: [IPNetwork] = []
        for part in text.split(whereSeparator: { $0 == "," || $0 == " " }) {
            networks.append(try IPNetwork(String(part)))
        }
        return networks
    }

    /// Whether the address is one of it.
    public func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        for (index, byte) in address.bytes.enumerated() {
            let left = bits - index * 8
            if left <= 0 { return true }
            let mask: UInt8 = left >= 8 ? 0xff : ~(0xff >> UInt8(left))
            if byte & mask != other.bytes[index] & mask { return false }
        }
        return true
    }
}
