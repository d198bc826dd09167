internal import CPlatform
public import Core
internal import Glibc

/// Hears from child processes that they are ready, by systemd's notification protocol (sd_notify(3)): a datagram with
/// `READY=1` to the socket named in `NOTIFY_SOCKET`. PostgreSQL and our services speak it, under systemd and here.
public final class ReadinessSocket: @unchecked Sendable {
    /// The value for the `NOTIFY_SOCKET` of the children.
    public let path: String

    private let descriptor: Int32
    private let loop: EventLoop

    /// Opens the socket at the path, replacing one that a killed process has left. Only on the loop.
    /// - Parameter ready: called on the loop with the process that has become ready, as the kernel names it.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the socket cannot be made there.
    public init(path: String, loop: EventLoop, ready: @escaping (Int32) -> Void) throws(HarbourError) {
        self.path = path
        self.loop = loop
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw .system("The notification socket could not be made", errno) }
        unlink(path)
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_PASSCRED, &on, socklen_t(MemoryLayout<Int32>.size))
        guard let address = UnixAddress(path), address.withPointer({ bind(descriptor, $0, $1) }) == 0,
            // Children may run as another user; the folder of the socket says who reaches it at all.
            chmod(path, 0o666) == 0
        else {
            let failure = errno
            Glibc.close(descriptor)
            throw .system("The notification socket could not be opened at \(path)", failure)
        }
        let socket = descriptor
        try loop.register(
            socket, .readable,
            ReadyCallback { _ in ReadinessSocket.receive(from: socket, ready) })
    }

    /// Closes the socket and removes its file. Only on the loop.
    public func close() {
        loop.deregister(descriptor)
        Glibc.close(descriptor)
        unlink(path)
    }

    private static func receive(from socket: Int32, _ ready: (Int32) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var sender: pid_t = 0
            var user: uid_t = 0
            let count = platform_receive_from(socket, &buffer, buffer.count, &sender, &user)
            if count < 0 { return }
            let lines = String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
            if sender > 0, lines.contains("READY=1") { ready(sender) }
        }
    }

    /// Says that this process is ready, if somebody has asked by `NOTIFY_SOCKET`; the variable is then forgotten, so
    /// that our own children do not speak for us.
    public static func notifyReady() {
        guard let value = getenv("NOTIFY_SOCKET") else { return }
        let path = String(cString: value)
        unsetenv("NOTIFY_SOCKET")
        guard let address = UnixAddress(path) else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return }
        defer { Glibc.close(descriptor) }
        let text = Array("READY=1\n".utf8)
        // Whoever asked and has gone away does not miss the answer.
        _ = address.withPointer { sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), $0, $1) }
    }
}

/// A unix socket's address; a leading `@` means the abstract namespace.
private struct UnixAddress {
    private var address = sockaddr_un()
    private let length: socklen_t

    init?(_ path: String) {
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { space in
            space.copyBytes(from: bytes)
            if bytes[0] == UInt8(ascii: "@") { space[0] = 0 }
        }
        let header = MemoryLayout<sa_family_t>.size
        length = socklen_t(header + bytes.count + (bytes[0] == UInt8(ascii: "@") ? 0 : 1))
    }

    func withPointer<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
