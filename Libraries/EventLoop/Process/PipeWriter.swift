internal import Core
internal import Glibc

/// The writing end of a child's input. `write` returns when the pipe has taken all bytes, so a child that does not read
/// holds the writer up and nothing grows in our memory.
///
/// One task writes at a time. `@unchecked Sendable`: the descriptor is touched on the loop only.
public final class PipeWriter: @unchecked Sendable {
    private let gate: DescriptorGate

    /// Owns the descriptor, which must be non-blocking.
    init(_ descriptor: Int32, loop: EventLoop) { gate = DescriptorGate(descriptor, .writable, loop: loop) }

    /// Writes all the bytes.
    /// - Throws: `INVALID_STATE` when the child has closed its end or ended, or the pipe is closed; `CancellationError`
    ///   when the task is cancelled, with an unknown part of the bytes written.
    public func write(_ bytes: [UInt8]) async throws {
        var written = 0
        while written < bytes.count {
            try Task.checkCancellation()
            let from = written
            let count = try await gate.perform { [self] in try put(bytes, from: from) }
            written += count
            if count == 0 { try await gate.untilReady() }
        }
    }

    /// Ends the child's input; writing after that fails.
    public func close() { gate.close() }

    private func put(_ bytes: [UInt8], from start: Int) throws(HarbourError) -> Int {
        guard gate.isOpen else { throw HarbourError(.invalidState, "The input of the process is closed.") }
        while true {
            let count = bytes[start...].withUnsafeBytes { Glibc.write(gate.descriptor, $0.baseAddress, $0.count) }
            if count > 0 { return count }
            if errno == EAGAIN { return 0 }
            if errno == EPIPE {
                throw HarbourError(.invalidState, "The process does not take input any more.", detail: "EPIPE")
            }
            if errno != EINTR { throw .system("The input of a process could not be written", errno) }
        }
    }
}
