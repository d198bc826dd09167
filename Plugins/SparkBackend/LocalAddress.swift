internal import ClusterBackend
internal import Core
internal import Glibc

/// Our own address on the way to another machine, which is where the machine finds us.
enum LocalAddress {
    /// Asks the routing table; nothing is sent. It may ask the name service: call it on a pool.
    /// - Throws: `BACKEND_UNAVAILABLE` when the host has no address, or there is no way to it.
    static func towards(_ endpoint: MasterAddress.Endpoint) throws(HarbourError) -> String {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(endpoint.host, String(endpoint.port), &hints, &found) == 0, let first = found else {
            throw HarbourError(
                .backendUnavailable,
                "The Spark master's host \(endpoint.host) has no address. Check HARBOUR_BACKEND_SPARK_MASTER.")
        }
        defer { freeaddrinfo(first) }
        for entry in sequence(first: first, next: { $0.pointee.ai_next }) {
            if let address = source(entry.pointee) { return address }
        }
        throw HarbourError(
            .backendUnavailable,
            "There is no way from here to the Spark master's host \(endpoint.host). Check the network, or set "
                + "HARBOUR_BACKEND_SPARK_DRIVER_HOST.")
    }

    private static func source(_ target: addrinfo) -> String? {
        let descriptor = socket(target.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard connect(descriptor, target.ai_addr, target.ai_addrlen) == 0 else { return nil }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard getsockname(descriptor, address, &length) == 0 else { return nil }
                var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
                let status = getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
                guard status == 0 else { return nil }
                return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
        }
    }
}
