internal import Core
internal import EventLoop

extension PostgresPool {
    /// Runs `COPY table FROM STDIN` with what the body writes and returns the number of rows. When the body throws,
    /// nothing is kept.
    @discardableResult
    public func copyIn(
        _ statement: SQL, timeout: Duration = .seconds(600), _ body: (PostgresCopyWriter) async throws -> Void
    ) async throws -> Int {
        let deadline = MonotonicTime.now + timeout
        let connection = try await lease(deadline: deadline)
        defer { release(connection) }
        return try await withTaskExecutorPreference(loop) {
            try await connection.copyIn(statement.text, deadline: deadline, body)
        }
    }

    /// Runs `COPY ... TO STDOUT`, hands its data over in chunks of about 64 KiB and returns the number of rows. The
    /// server waits while a chunk is being taken.
    @discardableResult
    public func copyOut(
        _ statement: SQL, timeout: Duration = .seconds(600), _ consume: ([UInt8]) async throws -> Void
    ) async throws -> Int {
        let deadline = MonotonicTime.now + timeout
        let connection = try await lease(deadline: deadline)
        defer { release(connection) }
        return try await withTaskExecutorPreference(loop) {
            try await connection.copyOut(statement.text, deadline: deadline, consume)
        }
    }

    /// Runs several statements without arguments, such as a file. They are one transaction unless they say otherwise.
    public func script(_ text: String, timeout: Duration = .seconds(600)) async throws {
        let deadline = MonotonicTime.now + timeout
        let connection = try await lease(deadline: deadline)
        defer { release(connection) }
        try await withTaskExecutorPreference(loop) { try await connection.runScript(text, deadline: deadline) }
    }
}
