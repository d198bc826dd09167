internal import Glibc

/// The environment that a running process was started with, as proc(5) shows it: how a process is known by a mark that
/// its children inherit.
///
/// Reading blocks: call it on a pool.
public enum RunningEnvironment {
    /// The variables of a process as `NAME=value`; none when it has ended or belongs to another user.
    ///
    /// A process in the moment of its exec shows an empty environment, so one that is in it is looked at again until it
    /// is through, for five seconds at most: on a busy machine that moment can be long.
    public static func variables(of pid: Int32) -> [ArraySlice<UInt8>] {
        var pause: Int32 = 1
        var isCutOff = 0
        var wasEmpty = false
        for _ in 0..<60 {
            guard let bytes = contents(of: pid) else { return [] }
            if !bytes.isEmpty {
                // Each variable ends with a NUL. An exec in the middle of reading leaves the pages that were read before
                // it; but a program may also write something else there, as PostgreSQL does, and then it stays so.
                if bytes.last == 0 || isCutOff == 3 { return bytes.split(separator: 0) }
                isCutOff += 1
                continue
            }
            switch place(of: pid) {
            case .none: return []
            case .known(let isEmpty):
                // It may have come to it since it was read. The kernel sets both bounds to one place before it counts the
                // variables, so that an environment is empty when it is so twice.
                if isEmpty && wasEmpty { return [] }
                wasEmpty = isEmpty
                if isEmpty { poll(nil, 0, 1) }
            case .inExec:
                poll(nil, 0, pause)
                pause = min(pause * 2, 100)
            }
        }
        return []
    }

    /// Where the kernel has put a process's environment.
    private enum Place {
        /// Nowhere: it is a thread of the kernel's, or is ending.
        case none
        /// Not yet anywhere: the new program is being loaded.
        case inExec
        case known(isEmpty: Bool)
    }

    /// By fields 23, 50 and 51 of /proc/<pid>/stat: the size of its memory, and the bounds of its environment.
    private static func place(of pid: Int32) -> Place {
        guard let bytes = ProcessStat.contents(of: "/proc/\(pid)/stat"),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return .none }
        let fields = bytes[(end + 1)...].split(whereSeparator: { $0 == 0x20 || $0 == 0x0a })
            .map { UInt64(String(decoding: $0, as: UTF8.self)) ?? 0 }
        guard fields.count > 48, fields[20] > 0 else { return .none }
        return fields[48] == 0 ? .inExec : .known(isEmpty: fields[47] == fields[48])
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
}
