internal import CPostgres
internal import Core
internal import EventLoop

/// Scripts and COPY, outside pipeline mode. Nothing else may be under way; whoever holds the lease sees to that.
/// All functions run on the loop: call them under its executor preference.
extension PostgresConnection {
    /// Runs several statements in the simple protocol, without arguments. They are one transaction unless they say
    /// otherwise.
    func runScript(_ text: String, deadline: MonotonicTime) async throws {
        try await plain(deadline) {
            try await self.sendPlain(text)
            _ = try await self.lastResult()
        }
    }

    /// Runs `COPY ... TO STDOUT` and hands over its data in chunks; the server waits while a chunk is being taken.
    func copyOut(
        _ text: String, deadline: MonotonicTime, _ consume: ([UInt8]) async throws -> Void
    ) async throws -> Int {
        try await plain(deadline) {
            try await self.sendPlain(text)
            try await self.begin(.copyOut)
            var chunk: [UInt8] = []
            while true {
                var buffer: UnsafeMutablePointer<CChar>?
                let count = PQgetCopyData(self.handle, &buffer, 1)
                if count > 0, let buffer {
                    chunk.append(contentsOf: UnsafeRawBufferPointer(start: buffer, count: Int(count)))
                    PQfreemem(buffer)
                    if chunk.count < 65_536 { continue }
                }
                if count < 0 && chunk.isEmpty { break }
                if !chunk.isEmpty {
                    do {
                        try await consume(chunk)
                    } catch {
                        // Nobody wants the rest, which may be endless.
                        self.close(.connectionLost("a COPY was given up"))
                        throw error
                    }
                    chunk.removeAll(keepingCapacity: true)
                }
                if count == 0 { try await self.waitForInput() }
                guard self.phase != .closed else { throw HarbourError.connectionLost("closed during COPY") }
            }
            return try await self.lastResult()?.affected ?? 0
        }
    }

    /// Runs `COPY ... FROM STDIN` with what the body writes. When it throws, the server keeps nothing of it.
    func copyIn(
        _ text: String, deadline: MonotonicTime, _ body: (PostgresCopyWriter) async throws -> Void
    ) async throws -> Int {
        try await plain(deadline) {
            try await self.sendPlain(text)
            try await self.begin(.copyIn)
            let writer = PostgresCopyWriter(connection: self)
            var failure: (any Error)?
            do { try await body(writer) } catch { failure = error }
            writer.isOpen = false
            guard let handle = self.handle else { throw failure ?? HarbourError.connectionLost("closed during COPY") }
            guard PQputCopyEnd(handle, failure == nil ? nil : "given up by the client") >= 0 else {
                throw HarbourError.connectionLost(self.errorMessage)
            }
            try await self.flushPlain()
            do throws(HarbourError) {
                let result = try await self.lastResult()
                if let failure { throw HarbourError.wrap(failure) }
                return result?.affected ?? 0
            } catch {
                throw failure ?? error
            }
        }
    }

    /// Sends more of a COPY; returns when the system has taken all of it.
    func putCopyData(_ bytes: [UInt8]) async throws(HarbourError) {
        guard let handle, phase == .plain else { throw .connectionLost("closed during COPY") }
        // In pieces, because libpq buffers whatever it is given.
        var offset = 0
        while offset < bytes.count {
            let count = min(65_536, bytes.count - offset)
            let status = bytes.withUnsafeBytes { raw in
                PQputCopyData(
                    handle, raw.baseAddress.map { $0 + offset }?.assumingMemoryBound(to: CChar.self), Int32(count))
            }
            if status < 0 { throw .connectionLost(errorMessage) }
            if status == 1 { offset += count }
            try await flushPlain()
        }
    }

    // MARK: Steps

    /// Leaves pipeline mode, does the work, and comes back. A deadline or cancellation stops the server's work.
    private func plain<Value: Sendable>(
        _ deadline: MonotonicTime, _ work: () async throws -> Value
    ) async throws -> Value {
        loop.preconditionCurrent()
        await withUnsafeContinuation { continuation in whenIdle { continuation.resume() } }
        guard let handle, phase == .pipeline, PQexitPipelineMode(handle) == 1 else {
            throw HarbourError.connectionLost("the connection is closed or busy")
        }
        phase = .plain
        plainCount += 1
        let count = plainCount
        let timer = loop.schedule(at: deadline) { [weak self] in
            guard let self, self.phase == .plain else { return }
            self.sendCancel()
            self.loop.schedule(after: Self.obeyLimit) { [weak self] in
                guard let self, self.phase == .plain, self.plainCount == count else { return }
                self.close(.connectionLost("the server did not obey a cancellation"))
            }
        }
        defer {
            timer.cancel()
            leavePlain()
        }
        do {
            return try await withTaskCancellationHandler {
                try await work()
            } onCancel: {
                loop.submit { if self.phase == .plain { self.sendCancel() } }
            }
        } catch let error as HarbourError where MonotonicTime.now >= deadline {
            // However it ended, obeyed or closed, it ended because its time was up.
            var timeout = HarbourError.databaseTimeout()
            timeout.cause = error
            throw timeout
        }
    }

    private func leavePlain() {
        guard let handle, phase == .plain else { return }
        guard PQenterPipelineMode(handle) == 1 else { return close(.connectionLost(errorMessage)) }
        phase = .pipeline
        watch(.readable)
        takeNotifications()
    }

    private func sendPlain(_ text: String) async throws(HarbourError) {
        guard let handle, PQsendQuery(handle, text) == 1 else { throw .connectionLost(errorMessage) }
        try await flushPlain()
    }

    /// Waits for the server's word that the COPY has begun.
    private func begin(_ direction: ResultOwner.Status) async throws(HarbourError) {
        guard let first = try await nextResult(), first.status != direction else { return }
        _ = try await lastResult()
        if first.status == .failed { throw first.error.wrapped() }
        throw HarbourError(
            .internalError, "Something went wrong on our side. The log of the service has the details.",
            detail: "the statement is no COPY, or one in the other direction")
    }

    private func flushPlain() async throws(HarbourError) {
        while let handle, phase == .plain {
            switch PQflush(handle) {
            case 0: return
            case 1:
                await wait([.readable, .writable])
                // The server may be waiting for us to read before it reads on.
                if let handle = self.handle, PQconsumeInput(handle) != 1 { throw lost() }
            default: throw lost()
            }
        }
        throw .connectionLost("the connection is closed")
    }

    /// The next result, or nil when the statement is done. Failures are results too.
    private func nextResult() async throws(HarbourError) -> ResultOwner? {
        while let handle, phase == .plain {
            if PQisBusy(handle) == 0 {
                guard let pointer = PQgetResult(handle) else { return nil }
                return ResultOwner(pointer)
            }
            try await waitForInput()
        }
        throw .connectionLost("the connection is closed")
    }

    /// Takes all results up to the end of the statement.
    private func lastResult() async throws(HarbourError) -> ResultOwner? {
        var last: ResultOwner?
        var failure: PostgresError?
        while let result = try await nextResult() {
            switch result.status {
            case .failed: failure = failure ?? result.error
            case .copyIn:
                // A COPY in a script has nobody to feed it.
                if let handle { PQputCopyEnd(handle, "no data") }
                try await flushPlain()
            case .copyOut: throw lost()
            default: last = result
            }
        }
        if let failure { throw failure.wrapped() }
        return last
    }

    private func waitForInput() async throws(HarbourError) {
        await wait(.readable)
        guard let handle, phase == .plain else { throw .connectionLost("the connection is closed") }
        guard PQconsumeInput(handle) == 1 else { throw lost() }
    }

    private func wait(_ interest: ReadyEvents) async {
        watch(interest)
        await withUnsafeContinuation { plainWaiter = $0 }
    }

    private func lost() -> HarbourError {
        let error = HarbourError.connectionLost(errorMessage)
        close(error)
        return error
    }
}

/// Takes the data of a COPY into a table.
///
/// `@unchecked Sendable`: it is only used on its connection's loop, to which `write` goes.
public final class PostgresCopyWriter: @unchecked Sendable {
    private let connection: PostgresConnection
    var isOpen = true

    init(connection: PostgresConnection) { self.connection = connection }

    /// Sends bytes in the format of the COPY; returns when the system has taken them.
    /// Throws `TEMPORARILY_UNAVAILABLE` when the connection is lost.
    public func write(_ bytes: [UInt8]) async throws {
        try await withTaskExecutorPreference(connection.loop) {
            guard self.isOpen else { throw HarbourError.connectionLost("the COPY has ended") }
            try await self.connection.putCopyData(bytes)
        }
    }

    /// Sends a row of the text format: values escaped, nil as NULL.
    /// Throws `TEMPORARILY_UNAVAILABLE` when the connection is lost.
    public func writeRow(_ values: [String?]) async throws {
        var bytes: [UInt8] = []
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "\t")) }
            guard let value else {
                bytes += [UInt8(ascii: "\\"), UInt8(ascii: "N")]
                continue
            }
            for byte in value.utf8 {
                switch byte {
                case UInt8(ascii: "\\"): bytes += [byte, byte]
                case UInt8(ascii: "\n"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
                case UInt8(ascii: "\r"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
                case UInt8(ascii: "\t"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
                default: bytes.append(byte)
                }
            }
        }
        bytes.append(UInt8(ascii: "\n"))
        try await write(bytes)
    }
}
