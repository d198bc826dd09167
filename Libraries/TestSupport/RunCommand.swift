internal import Core
internal import Glibc

/// Runs a program to its end and returns what it printed, both streams together. It blocks the thread: for short
/// programs that prepare or check something, such as `openssl`.
/// - Throws: `INVALID_STATE` with the output when the program cannot be started or does not end with 0.
@discardableResult
public func runCommand(_ arguments: [String]) throws -> String {
    precondition(!arguments.isEmpty, "a command needs a program")
    // Close-on-exec from the start: with a copy in the child of another test, which may live for long, the output of
    // ours would have no end.
    var ends: [Int32] = [0, 0]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
        throw HarbourError(.unavailable, "No socket pair is left.", detail: "errno \(errno)")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2)

    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var child = pid_t()
    let status = posix_spawnp(&child, arguments[0], &actions, nil, words, environ)
    close(ends[1])
    defer { close(ends[0]) }
    guard status == 0 else {
        throw HarbourError(.invalidState, "\(arguments[0]) cannot be started.", detail: "errno \(status)")
    }
    let output = readToEnd(ends[0])
    var result: Int32 = 0
    while waitpid(child, &result, 0) < 0, errno == EINTR {}
    guard result == 0 else {
        throw HarbourError(.invalidState, "\(arguments.joined(separator: " ")) failed: \(output)")
    }
    return output
}

private func readToEnd(_ descriptor: Int32) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count > 0 {
            bytes.append(contentsOf: buffer[..<count])
        } else if count == 0 || errno != EINTR {
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
