internal import Core
internal import EventLoop
internal import Glibc
internal import HarbourProtocol

/// Spark's event log as it grows: what its history pages are made of. The number of a line is the position after it.
///
/// Used on the driver's loop only.
final class SparkEventLog: @unchecked Sendable {
    private static let turn = 262_144
    /// A line is the plan of one query at most; a longer one is left out.
    private static let longestLine = 16 << 20

    /// Known once Spark runs.
    var applicationID: String?
    private let folder: String
    private let loop: EventLoop

    private let redactor: Redactor

    init(folder: String, _ redactor: Redactor, loop: EventLoop) {
        self.redactor = redactor
        self.folder = folder
        self.loop = loop
    }

    /// Gives the lines after that position, and with `follow` those to come.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` while there is no event log, `CancellationError`, and what `body` throws.
    func read(after sequence: Int64, follow: Bool, _ body: (LogLine) async throws -> Void) async throws {
        guard let path else {
            throw HarbourError(.notFound, "There is no event log: Spark is not ready, or was told to write none.")
        }
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw HarbourError.system("Spark's event log cannot be read", errno) }
        defer { close(file) }
        let changed = LoopSignal(loop)
        let watch = follow ? try PathWatch(path, UInt32(IN_MODIFY), loop: loop) { changed.notify() } : nil
        defer { watch?.close() }
        var (position, partial) = (sequence, [UInt8]())
        while true {
            let version = changed.version
            let at = position + Int64(partial.count)
            let bytes = [UInt8](unsafeUninitializedCapacity: SparkEventLog.turn) { buffer, count in
                count = max(0, pread(file, buffer.baseAddress, SparkEventLog.turn, off_t(at)))
            }
            if bytes.isEmpty {
                guard follow else { return }
                try await changed.wait(after: version)
                continue
            }
            partial += bytes
            while let end = partial.firstIndex(of: UInt8(ascii: "\n")) {
                position += Int64(end + 1)
                let text = redactor(String(decoding: partial[..<end], as: UTF8.self))
                partial.removeSubrange(...end)
                if end <= SparkEventLog.longestLine {
                    try await body(LogLine(sequence: position, timestamp: .now, source: "spark-events", text: text))
                }
            }
            if partial.count > 2 * SparkEventLog.longestLine {
                throw HarbourError(.internalError, "Spark's event log has a line that is too long to be kept.")
            }
        }
    }

    private var path: String? {
        guard let applicationID else { return nil }
        let whole = "\(folder)/\(applicationID)"
        return ["\(whole).inprogress", whole].first { access($0, R_OK) == 0 }
    }
}

/// Calls back when what it watches has changed, by inotify(7). Used on its loop only; call `close`, or the loop keeps it.
final class PathWatch: DescriptorHandler {
    private let loop: EventLoop
    private let changed: () -> Void
    private var descriptor: Int32

    init(_ path: String, _ events: UInt32, loop: EventLoop, changed: @escaping () -> Void) throws(HarbourError) {
        loop.preconditionCurrent()
        self.loop = loop
        self.changed = changed
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0, inotify_add_watch(descriptor, path, events) >= 0 else {
            let failure = errno
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
            throw .system("\(path) cannot be watched", failure)
        }
        try loop.register(descriptor, .readable, self)
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    func close() { loop.deregister(descriptor) }

    func descriptorReady(_ events: ReadyEvents) {
        // What exactly has changed does not matter; the events only have to be taken away.
        while read(descriptor, loop.scratch.baseAddress, loop.scratch.count) > 0 {}
        changed()
    }
}
