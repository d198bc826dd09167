internal import Archive
internal import Core
internal import Glibc
internal import Synchronization

/// An archive in the object storage, for a reader that blocks its thread until bytes are here. The thread must be one
/// that nobody else waits for: fetching takes those of the shared pool.
///
/// Each block that comes has been checked; one is kept, as archives are read nearly in their order.
final class StoredZip: ZipSource {
    private static let blockSize = 4 << 20
    let size: Int
    private let fetch: @Sendable (Range<Int>) async throws -> [UInt8]
    private let block = Mutex<(start: Int, bytes: [UInt8])>((0, []))

    init(size: Int, fetch: @escaping @Sendable (Range<Int>) async throws -> [UInt8]) {
        self.size = size
        self.fetch = fetch
    }

    func read(at offset: Int) throws -> [UInt8] {
        if let bytes = kept(offset) { return bytes }
        let start = offset / StoredZip.blockSize * StoredZip.blockSize
        let range = start..<min(size, start + StoredZip.blockSize)
        let bytes = try waitFor { [fetch] in try await fetch(range) }
        guard bytes.count == range.count else { throw HarbourError.missingRow("bytes of an archive") }
        block.withLock { $0 = (start, bytes) }
        guard let here = kept(offset) else { throw HarbourError.missingRow("bytes of an archive") }
        return here
    }

    private func kept(_ offset: Int) -> [UInt8]? {
        block.withLock { block in
            let from = offset - block.start
            guard block.bytes.indices.contains(from) else { return nil }
            return Array(block.bytes[from..<min(block.bytes.count, from + (64 << 10))])
        }
    }

    private func waitFor(_ work: @escaping @Sendable () async throws -> [UInt8]) throws -> [UInt8] {
        let outcome = Outcome()
        Task.detached {
            do { outcome.set(.success(try await work())) } catch { outcome.set(.failure(error)) }
        }
        return try outcome.wait().get()
    }
}

/// What one thread waits for and a task brings.
private final class Outcome: @unchecked Sendable {
    private let result = Mutex<Result<[UInt8], any Error>?>(nil)
    private let ready = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(ready, 0, 0) }

    deinit {
        sem_destroy(ready)
        ready.deallocate()
    }

    func set(_ value: Result<[UInt8], any Error>) {
        result.withLock { $0 = value }
        sem_post(ready)
    }

    func wait() -> Result<[UInt8], any Error> {
        while sem_wait(ready) != 0 {}
        return result.withLock { $0 } ?? .failure(HarbourError.missingRow("result of a task"))
    }
}
