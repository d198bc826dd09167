internal import CPlatform
internal import Glibc

extension EventLoop {
    /// Accepts one connection, non-blocking and closed on exec from its first moment (accept4(2)).
    /// - Parameters:
    ///   - address: room for a `sockaddr`, filled with the peer's.
    ///   - length: its size, then the size of the address.
    /// - Returns: the descriptor, or -1 with `errno` set.
    public static func acceptConnection(
        _ listener: Int32, address: UnsafeMutableRawPointer, length: UnsafeMutablePointer<UInt32>
    ) -> Int32 {
        platform_accept(listener, address.assumingMemoryBound(to: sockaddr.self), length)
    }
}
