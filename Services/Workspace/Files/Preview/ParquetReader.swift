internal import Core
internal import EventLoop
internal import Glibc

/// Turns a Parquet file into lines of JSON, as many as fit into the limit of a preview, by the Python environment of
/// the clusters. It runs apart: without our variables, which hold secrets, and within limits that the kernel enforces,
/// because the file may be made to harm whoever reads it.
final class ParquetReader: Sendable {
    /// What came of a file.
    struct Rows: Sendable {
        var columns: [String]
        /// All rows of the file.
        var total: Int
        /// Lines of JSON.
        var lines: [UInt8]
    }

    /// A file is read whole, because what says where its columns are stands at its end.
    static let fileLimit = 64 << 20
    private static let patience = Duration.seconds(30)
    /// The machine has more to do.
    private let turns = Turns(limit: 2, refusal: "Other files are being looked into. Try again in a moment.")

    private let python: String
    private let loop: EventLoop

    /// - Returns: nil when there is no such interpreter.
    init?(python: String?, loop: EventLoop) {
        guard let python, access(python, X_OK) == 0 else { return nil }
        self.python = python
        self.loop = loop
    }

    /// Reads a file.
    /// - Parameter feed: gives the bytes to a writer, one piece after the other.
    /// - Throws: `INVALID_STATE` when it is no Parquet file or too large a one, `RESOURCE_EXHAUSTED` when others are
    ///   read, and what the feed throws.
    func read(_ feed: @escaping @Sendable (([UInt8]) async throws -> Void) async throws -> Void) async throws -> Rows {
        let turn = try await turns.take()
        defer { withExtendedLifetime(turn) {} }
        let child = try await ChildProcess.start(specification, loop: loop)
        let timer = loop.schedule(after: ParquetReader.patience) { child.kill() }
        defer { timer.cancel() }
        let output = Task { try await ParquetReader.collect(child) }
        var failure: HarbourError?
        do {
            try await feed { bytes in
                // Who has ended reads no more, and its exit says why.
                do { try await child.input?.write(bytes) } catch {
                    throw HarbourError(.cancelled, "The reader has ended.", cause: error)
                }
            }
        } catch {
            let known = HarbourError.wrap(error)
            if known.code != .cancelled { failure = known }
        }
        child.input?.close()
        if failure != nil { child.kill() }
        let bytes = try await output.value
        let exit = try await child.wait()
        if let failure { throw failure }
        guard exit.isSuccess, let end = bytes.firstIndex(of: 0x0a) else {
            throw HarbourError(
                .invalidState, "This is no Parquet file that can be read here.", detail: "the reader \(exit)")
        }
        let head = try JSONValue(json: Array(bytes[..<end]))
        return Rows(
            columns: (head["columns"]?.array ?? []).compactMap(\.string), total: head["rows"]?.int ?? 0,
            lines: Array(bytes[(end + 1)...]))
    }

    private var specification: ProcessSpecification {
        var specification = ProcessSpecification(python, ["-I", "-B", "-c", ParquetReader.script])
        specification.environment = .only([
            "LANG": "C.UTF-8", "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1",
        ])
        specification.directory = "/"
        specification.input = .pipe
        specification.output = .pipe
        specification.errors = .null
        specification.parentDeathSignal = SIGKILL
        specification.nice = 10
        specification.limits = [
            .init(.cpuSeconds, 20), .init(.addressSpace, 4 << 30), .init(.fileSize, 0), .init(.coreSize, 0),
        ]
        return specification
    }

    private static func collect(_ child: ChildProcess) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let next = try await child.output?.read() {
            // The script holds itself to less.
            guard bytes.count + next.count <= 2 * FilePreviewer.byteLimit else {
                child.kill()
                break
            }
            bytes += next
        }
        return bytes
    }

    private static let script = """
        import json, math, sys
        import pyarrow as arrow
        import pyarrow.parquet as parquet


        def plain(value):
            if value is None or isinstance(value, (bool, int, str)):
                return value
            if isinstance(value, float):
                return value if math.isfinite(value) else None
            if isinstance(value, bytes):
                return value[:100].hex()
            if isinstance(value, dict):
                return {str(key): plain(item) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                return [plain(item) for item in value]
            return value.isoformat() if hasattr(value, "isoformat") else str(value)


        file = parquet.ParquetFile(arrow.BufferReader(sys.stdin.buffer.read()))
        head = {"columns": file.schema_arrow.names, "rows": file.metadata.num_rows}
        room = \(FilePreviewer.byteLimit)
        print(json.dumps(head))
        for batch in file.iter_batches(batch_size=500):
            for row in batch.to_pylist():
                line = json.dumps(plain(row), ensure_ascii=False)
                room -= len(line.encode("utf-8", "replace")) + 1
                if room < 0:
                    sys.exit()
                print(line)
        """
}
