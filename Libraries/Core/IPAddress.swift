internal import Glibc

/// An address of the Internet Protocol, version 4 or 6.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
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

    /// The address in a header of a proxy, which may have a port: `192.0.2.1:443`, `[2001:db8::1]:443`.
    /// - Returns: nil for what is no address.
    public init?(withPort text: String) {
        if let address = IPAddress(text) {
            self = address
            return
        }
        guard let colon = text.lastIndex(of: ":"), UInt16(text[text.index(after: colon)...]) != nil else { return nil }
        let host = String(text[..<colon])
        guard host.hasSuffix("]") || !host.contains(":") else { return nil }
        self.init(host)
    }

    /// The bytes of an address: 4 or 16.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    private init(four bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }

    /// `192.0.2.1` or, without brackets, `2001:db8::1` (RFC 5952).
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The address of version 4 that one of version 6 stands for: mapped (`::ffff:0:0/96`), compatible (`::/96`),
    /// translated (`64:ff9b::/96`) or 6to4 (`2002::/16`); else itself.
    public var unwrapped: IPAddress {
        guard bytes.count == 16 else { return self }
        let zeros = bytes[..<10].allSatisfy { $0 == 0 }
        let isMapped = zeros && bytes[10] == 0xff && bytes[11] == 0xff
        let isCompatible = zeros && bytes[10] == 0 && bytes[11] == 0 && bytes[12] != 0
        let isTranslated = bytes[..<12] == [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]
        if isMapped || isCompatible || isTranslated { return IPAddress(four: bytes[12...]) }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return IPAddress(four: bytes[2..<6]) }
        return self
    }
}

/// A network: an address and how many of its first bits count.
public struct IPNetwork: Sendable, Hashable {
    private let address: IPAddress
    private let bits: Int

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
