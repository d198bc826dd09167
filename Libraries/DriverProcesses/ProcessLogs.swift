internal import ClusterBackend
internal import Core
internal import EventLoop
internal import Glibc

/// Reads whole lines of a growing file. The number of a line is the position after it, so it stays what it is.
///
/// Used by one task at a time.
final class LogReader {
    private static let longestLine = 65_536
    private let path: String
    private var position: Int64
    private var partial: [UInt8] = []

    init(path: String, after sequence: Int64) {
        self.path = path
        position = max(0, sequence)
    }

    /// Sends the lines up to the present end of the file; with `ended`, also a last one that has no line end.
    func sendLines(ended: Bool, to receive: Receiver<BackendLogLine>) async throws {
        while true {
            let (path, position) = (path, position + Int64(partial.count + skipped))
            let bytes = try await BlockingPool.shared.run { LogReader.read(path, at: position) }
            if bytes.isEmpty { break }
            for byte in bytes {
                if byte == UInt8(ascii: "\n") {
                    try await send(including: 1, to: receive)
                } else if partial.count < LogReader.longestLine {
                    partial.append(byte)
                } else {
                    skipped += 1
                }
            }
        }
        if ended && !partial.isEmpty { try await send(including: 0, to: receive) }
    }

    /// Bytes of the present line beyond the longest length.
    private var skipped = 0

    private func send(including lineEnd: Int, to receive: Receiver<BackendLogLine>) async throws {
        position += Int64(partial.count + skipped + lineEnd)
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        let text = String(decoding: partial, as: UTF8.self)
        partial = []
        skipped = 0
        try await receive(BackendLogLine(sequence: position, timestamp: .now, source: "driver", text: text))
    }

    /// At most 64 KiB of a file from that position on.
    static func read(_ path: String, at position: Int64) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        return [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
            count = max(0, pread(descriptor, buffer.baseAddress, 65_536, off_t(position)))
        }
    }
}

/// Tells when a file has grown, by inotify(7). The first element comes at once.
///
/// Touched on the loop only.
final class FileChanges: DescriptorHandler, @unchecked Sendable {
    let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let loop: EventLoop
    private var descriptor: Int32

    init(path: String, loop: EventLoop) throws(HarbourError) {
        loop.preconditionCurrent()
        self.loop = loop
        (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { throw .system("The log could not be followed", errno) }
        guard inotify_add_watch(descriptor, path, UInt32(IN_MODIFY)) >= 0 else {
            let failure = errno
            Glibc.close(descriptor)
            throw .system("The log could not be followed", failure, code: .notFound)
        }
        do {
            try loop.register(descriptor, .readable, self)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        continuation.yield()
    }

    func notify() { continuation.yield() }

    func descriptorReady(_ events: ReadyEvents) {
        // What exactly has changed does not matter; the events only have to be taken away.
        _ = read(descriptor, loop.scratch.baseAddress, loop.scratch.count)
        continuation.yield()
    }

    func close() {
        loop.preconditionCurrent()
        guard descriptor >= 0 else { return }
        loop.deregister(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
        continuation.finish()
    }
}
