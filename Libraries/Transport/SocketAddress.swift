public import Core
internal import EventLoop
internal import Glibc

/// Where something listens: host and port, or a socket in the file system.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`.
    public let description: String
    let family: Int32
    /// The bytes of the `sockaddr`.
    let bytes: [UInt8]

    init(description: String, family: Int32, bytes: [UInt8]) {
        self.description = description
        self.family = family
        self.bytes = bytes
    }

    /// The address of a socket in the file system.
    /// - Throws: `INVALID_PARAMETER_VALUE` when the path is longer than the system allows (107 bytes).
    public static func unix(_ path: String) throws(HarbourError) -> SocketAddress {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let text = Array(path.utf8)
        guard !text.isEmpty, text.count < MemoryLayout.size(ofValue: address.sun_path), !text.contains(0) else {
            throw HarbourError(
                .invalidParameter, "The socket path “\(path)” is empty or longer than 107 bytes. Choose a shorter one.")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: text) }
        let bytes = withUnsafeBytes(of: &address) { Array($0) }
        return SocketAddress(description: "unix:\(path)", family: AF_UNIX, bytes: bytes)
    }

    /// The addresses of a host, in the order to try them. Numbers are answered at once; names ask the system's
    /// resolver on a thread of the blocking pool.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the name is not known.
    public static func resolve(host: String, port: Int) async throws(HarbourError) -> [SocketAddress] {
        if let known = numeric(host: host, port: port) { return known }
        let result: Result<[SocketAddress], HarbourError>
        do {
            result = try await BlockingPool.shared.run { lookUp(host: host, port: port, flags: 0) }
        } catch {
            throw HarbourError.wrap(error)
        }
        return try result.get()
    }

    /// The addresses of a host written as a number, or of `localhost` or the empty text (all interfaces); nil for
    /// other names.
    public static func numeric(host: String, port: Int) -> [SocketAddress]? {
        let host = host == "localhost" ? "127.0.0.1" : host == "*" || host.isEmpty ? "0.0.0.0" : host
        return try? lookUp(host: host, port: port, flags: AI_NUMERICHOST).get()
    }

    private static func lookUp(host: String, port: Int, flags: Int32) -> Result<[SocketAddress], HarbourError> {
        var host = host
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, "\(port)", &hints, &list)
        guard status == 0 else {
            let text = String(cString: gai_strerror(status))
            return .failure(HarbourError(.unavailable, "The host “\(host)” is not known: \(text)."))
        }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = entry.ai_addr {
                let bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen)))
                found.append(SocketAddress(family: entry.ai_family, bytes: bytes))
            }
            next = entry.ai_next
        }
        return .success(found)
    }

    init(family: Int32, bytes: [UInt8]) {
        self.init(description: SocketAddress.describe(family, bytes), family: family, bytes: bytes)
    }

    private static func describe(_ family: Int32, _ bytes: [UInt8]) -> String {
        if family == AF_UNIX { return "unix" }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: 16)
        let status = bytes.withUnsafeBytes { raw in
            getnameinfo(
                raw.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count), &host,
                socklen_t(host.count), &port, socklen_t(port.count), NI_NUMERICHOST | NI_NUMERICSERV)
        }
        guard status == 0 else { return "unknown" }
        let name = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let number = String(decoding: port.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return family == AF_INET6 ? "[\(name)]:\(number)" : "\(name):\(number)"
    }

    /// The port of an internet address; 0 for a unix socket.
    public var port: Int {
        switch family {
        case AF_INET, AF_INET6: Int(bytes[2]) << 8 | Int(bytes[3])
        default: 0
        }
    }

    func withSockaddr<Value>(_ body: (UnsafePointer<sockaddr>?, socklen_t) -> Value) -> Value {
        bytes.withUnsafeBytes { body($0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count)) }
    }

    /// The address a `getsockname`-like call fills in.
    static func read(_ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32)
        -> SocketAddress?
    {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard call(address, &length) == 0 else { return nil }
                let size = min(Int(length), MemoryLayout<sockaddr_storage>.size)
                let bytes = Array(UnsafeRawBufferPointer(start: address, count: size))
                return SocketAddress(family: Int32(address.pointee.sa_family), bytes: bytes)
            }
        }
    }
}
