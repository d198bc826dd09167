internal import Glibc

/// The environment that a running process was started with, as proc(5) shows it: how a process is known by a mark that
/// its children inherit.
///
/// Reading blocks: call it on a pool.
public enum RunningEnvironment {
    /// The variables of a process as `NAME=value`; none when it has ended or belongs to another user.
    ///
    /// A process in the moment of its exec shows an empty environment, so one that shows none is looked at again, for
    /// about 30 ms, before it is believed.
    public static func variables(of pid: Int32) -> [ArraySlice<UInt8>] {
        var pause: Int32 = 1
        while true {
            guard let bytes = contents(of: pid) else { return [] }
            if !bytes.isEmpty { return bytes.split(separator: 0) }
            guard pause <= 16, hasMemory(pid) else { return [] }
            poll(nil, 0, pause)
            pause *= 2
        }
    }

    /// The first 4 MiB; nil when it cannot be read.
    private static func contents(of pid: Int32) -> [UInt8]? {
        let descriptor = open("/proc/\(pid)/environ", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < 4 << 20 {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }

    /// False for threads of the kernel and for what has ended: they have no memory, and no environment either.
    private static func hasMemory(_ pid: Int32) -> Bool {
        guard let bytes = ProcessStat.contents(of: "/proc/\(pid)/statm") else { return false }
        return !bytes.starts(with: Array("0 ".utf8))
    }
}
