internal import Core
internal import Glibc
internal import Synchronization

/// A child that answers lines with lines. It ends when this is let go or when the process ends: its input is closed then.
final class ShellSession: Sendable {
    private struct Line {
        let socket: Int32
        var buffer: [UInt8] = []
    }

    private let line: Mutex<Line>

    init(_ arguments: [String]) throws {
        // Close-on-exec from the start: a copy in another child would hide our end from the supervisor.
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw FixtureError("no socket pair could be made: errno \(errno)")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        // A group of its own, so that a Ctrl-C at the tests does not reach it; signals as a program expects them.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var child = pid_t()
        // A plain environment, so that no PGHOST of the developer's leads the child astray.
        let environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
        let strings = (arguments + environment).map { strdup($0) }
        defer { for string in strings { free(string) } }
        let status = posix_spawn(
            &child, arguments[0], &actions, &attributes, strings[..<arguments.count] + [nil],
            strings[arguments.count...] + [nil])
        close(ends[1])
        var patience = ShellSession.patience
        setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        line = Mutex(Line(socket: ends[0]))
        guard status == 0 else { throw FixtureError("\(arguments[0]) could not be started: errno \(status)") }
    }

    /// How long an answer may take, by far: with a limit, a child that is stuck fails the tests that need it and does not
    /// hold them up without end.
    private static let patience = timeval(tv_sec: 300, tv_usec: 0)

    deinit { line.withLock { _ = close($0.socket) } }

    /// Waits for a line.
    func expect(_ line: String) throws { _ = try ask(nil, until: { $0 == line }) }

    /// Sends a question and returns the lines of the answer up to and with the last one.
    func ask(_ question: String?, until isLast: (String) -> Bool) throws -> [String] {
        try line.withLock { line in
            if let question {
                let bytes = Array("\(question)\n".utf8)
                guard send(line.socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
                    throw FixtureError("the test PostgreSQL's supervisor is gone")
                }
            }
            var lines: [String] = []
            while true {
                if let end = line.buffer.firstIndex(of: 0x0a) {
                    lines.append(String(decoding: line.buffer[..<end], as: UTF8.self))
                    line.buffer.removeSubrange(...end)
                    if let last = lines.last, isLast(last) { return lines }
                    continue
                }
                var chunk = [UInt8](repeating: 0, count: 4096)
                let count = read(line.socket, &chunk, chunk.count)
                if count < 0 && errno == EINTR { continue }
                if count < 0 && errno == EAGAIN {
                    // Its answer may still come, to another question then: it is told that there are no more.
                    shutdown(line.socket, Int32(SHUT_RDWR))
                    throw FixtureError("the test PostgreSQL gave no answer to: \(question ?? "being started")")
                }
                guard count > 0 else { throw FixtureError("the test PostgreSQL did not start; see its messages above") }
                line.buffer += chunk[..<count]
            }
        }
    }
}
