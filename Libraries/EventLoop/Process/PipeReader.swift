internal import Core
internal import Glibc

/// The reading end of a child's output. Bytes are taken from the pipe only when somebody asks for them, so a child that
/// writes faster than it is read waits, and nothing grows in our memory.
///
/// One task reads at a time. `@unchecked Sendable`: the descriptor is touched on the loop only, the rest by that task.
public final class PipeReader: @unchecked Sendable {
    private let gate: DescriptorGate
    // Touched by the one reading task.
    private var splitter = LineSplitter()
    private var atEnd = false

    /// Owns the descriptor, which must be non-blocking.
    init(_ descriptor: Int32, loop: EventLoop) { gate = DescriptorGate(descriptor, .readable, loop: loop) }

    /// The next bytes, at most 64 KiB; nil at the end, when all writers have closed.
    /// - Throws: `CancellationError` when the task is cancelled, and a `HarbourError` when reading fails.
    public func read() async throws -> [UInt8]? {
        while true {
            try Task.checkCancellation()
            switch try await gate.perform({ [self] in try take() }) {
            case .bytes(let bytes): return bytes
            case .end: return nil
            case .nothing: try await gate.untilReady()
            }
        }
    }

    /// The next line without its end (LF or CR LF), invalid UTF-8 repaired; nil at the end. A last line without an end
    /// counts. A line longer than the limit comes in pieces of that many bytes. Do not mix with `read`.
    /// - Throws: as `read`.
    public func readLine(limit: Int = 1_048_576) async throws -> String? {
        while true {
            if let line = splitter.next(limit: limit) { return String(decoding: line, as: UTF8.self) }
            if atEnd { return nil }
            if let bytes = try await read() {
                splitter.append(bytes)
            } else {
                atEnd = true
                splitter.finish()
            }
        }
    }

    /// Stops reading: the child gets SIGPIPE when it writes again.
    public func close() { gate.close() }

    private enum Taken {
        case bytes([UInt8])
        case nothing
        case end
    }

    private func take() throws(HarbourError) -> Taken {
        guard gate.isOpen else { return .end }
        let scratch = gate.loop.scratch
        while true {
            let count = Glibc.read(gate.descriptor, scratch.baseAddress, scratch.count)
            if count > 0 { return .bytes(Array(scratch[..<count])) }
            if count == 0 {
                close()
                return .end
            }
            if errno == EAGAIN { return .nothing }
            if errno != EINTR { throw .system("The output of a process could not be read", errno) }
        }
    }
}

/// The lines of a child's output, as they come.
public struct PipeLines: AsyncSequence, AsyncIteratorProtocol {
    let reader: PipeReader
    let limit: Int

    /// The next line, or nil at the end; as `PipeReader.readLine`.
    public mutating func next() async throws -> String? { try await reader.readLine(limit: limit) }
    /// Itself: the lines can be read once.
    public func makeAsyncIterator() -> PipeLines { self }
}

extension PipeReader {
    /// All lines from here on; as `readLine`.
    public func lines(limit: Int = 1_048_576) -> PipeLines { PipeLines(reader: self, limit: limit) }
}
