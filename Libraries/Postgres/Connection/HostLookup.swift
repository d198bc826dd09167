internal import CPostgres
internal import Core
internal import EventLoop
internal import Glibc

/// Looks names of hosts up on the blocking pool.
enum HostLookup {
    /// The addresses of a host in the order the system prefers them, at most eight.
    static func addresses(of host: String) async -> Result<[String], HarbourError> {
        do {
            return .success(try await BlockingPool.shared.run { try lookUp(host) })
        } catch {
            return .failure(HarbourError.wrap(error))
        }
    }

    private static func lookUp(_ host: String) throws -> [String] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        guard status == 0 else {
            throw HarbourError.databaseUnreachable("\(host): \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next, addresses.count < 8 {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            if status == 0 {
                let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if !addresses.contains(address) { addresses.append(address) }
            }
            next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else { throw HarbourError.databaseUnreachable("\(host) has no address") }
        return addresses
    }
}

extension PostgresConfiguration {
    /// The host of the address when it is a single name; not a folder, not an address, not a list.
    var hostToLookUp: String? {
        guard let options = PQconninfoParse(url, nil) else { return nil }
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var next = options
        while let keyword = next.pointee.keyword {
            if let value = next.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            next += 1
        }
        guard let host = values["host"], values["hostaddr"] == nil, let first = host.utf8.first,
            first != UInt8(ascii: "/"), first != UInt8(ascii: "@"), !host.contains(",")
        else { return nil }
        var storage = in6_addr()
        if inet_pton(AF_INET, host, &storage) == 1 || inet_pton(AF_INET6, host, &storage) == 1 { return nil }
        return host
    }
}
