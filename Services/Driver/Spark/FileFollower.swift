internal import Core
internal import EventLoop
internal import Glibc

/// Gives the lines of a growing file, those that are there and those to come, by inotify(7): a file that rests costs
/// nothing. Lines longer than the limit come in pieces.
///
/// Used on its loop only.
final class FileFollower: DescriptorHandler {
    private static let lineLimit = 16_384
    /// Bytes of one turn of the loop, so that a flood leaves the others their turn.
    private static let turnLimit = 262_144

    private let loop: EventLoop
    private let receive: (String) -> Void
    private let file: Int32
    private var watch: Int32
    private var position = 0
    private var partial: [UInt8] = []

    init(_ path: String, loop: EventLoop, receive: @escaping (String) -> Void) throws(HarbourError) {
        loop.preconditionCurrent()
        self.loop = loop
        self.receive = receive
        file = open(path, O_RDONLY | O_CLOEXEC)
        watch = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard file >= 0, watch >= 0, inotify_add_watch(watch, path, UInt32(IN_MODIFY)) >= 0 else {
            let failure = errno
            if file >= 0 { Glibc.close(file) }
            if watch >= 0 { Glibc.close(watch) }
            watch = -1
            throw .system("The log \(path) cannot be followed", failure)
        }
        try loop.register(watch, .readable, self)
        readOn()
    }

    deinit {
        if watch >= 0 {
            Glibc.close(watch)
            Glibc.close(file)
        }
    }

    /// Stops following; call it, or the loop keeps the follower.
    func close() { loop.deregister(watch) }

    func descriptorReady(_ events: ReadyEvents) {
        // What happened is always the same; the events are only taken out of the way.
        while read(watch, loop.scratch.baseAddress, loop.scratch.count) > 0 {}
        readOn()
    }

    private func readOn() {
        var taken = 0
        while taken < FileFollower.turnLimit {
            let count = pread(file, loop.scratch.baseAddress, loop.scratch.count, position)
            guard count > 0 else { return }
            position += count
            taken += count
            for byte in loop.scratch[..<count] {
                if byte == UInt8(ascii: "\n") || partial.count == FileFollower.lineLimit { endLine() }
                if byte != UInt8(ascii: "\n") { partial.append(byte) }
            }
        }
        let follower = Later(self)
        loop.submit { follower.value?.readOn() }
    }

    private func endLine() {
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        receive(String(decoding: partial, as: UTF8.self))
        partial.removeAll(keepingCapacity: true)
    }

    private final class Later: @unchecked Sendable {
        weak var value: FileFollower?
        init(_ value: FileFollower) { self.value = value }
    }
}
