public import Core
internal import Glibc

/// Ports that nobody listens on.
public enum FreePorts {
    /// The first of so many consecutive ports that were free a moment ago.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when none were found.
    public static func find(_ count: Int) throws(HarbourError) -> Int {
        for _ in 0..<200 {
            // Below the range that the kernel gives to outgoing connections, so that none takes one in between; and below
            // the ports of the platforms that the web page is tested on, which runs at the same time.
            let first = Int.random(in: 10_000...19_900)
            if (first..<first + count).allSatisfy(isFree) { return first }
        }
        throw HarbourError(.unavailable, "No \(count) consecutive ports are free.")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
