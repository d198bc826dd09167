internal import Core
internal import Synchronization

/// How much one archive may be, in both directions.
struct ArchiveLimits: Sendable {
    /// Files, notebooks and folders.
    var entries = 20_000
    /// Bytes of all files together; some uploads of the largest size.
    var bytes: Int
    /// Bytes of one file.
    var fileBytes: Int
    /// How many times as large as the archive its content may be, beyond `alwaysBytes`: text and tables stay far
    /// below it, and what is above it has been made to fill disks.
    var ratio = 200
    var alwaysBytes = 64 << 20
    /// Bytes of notebooks, compressed: they are in memory until the tree is changed at once.
    var notebookBytes = 256 << 20

    init(fileBytes: Int) {
        self.fileBytes = fileBytes
        bytes = fileBytes * 4
    }

    /// How many bytes may come out of an archive.
    func unpacked(from size: Int) -> Int {
        let (product, isOver) = size.multipliedReportingOverflow(by: ratio)
        return min(bytes, isOver ? bytes : max(alwaysBytes, product))
    }
}

/// Lets few do something at a time: each import may hold a lot in memory, each export keeps a processor busy.
final class ArchiveTurns: Sendable {
    private let limit: Int
    private let what: String
    private let taken = Mutex(0)

    init(limit: Int, _ what: String) {
        self.limit = limit
        self.what = what
    }

    /// - Throws: `RESOURCE_EXHAUSTED` when all turns are taken.
    func take() throws(HarbourError) -> Turn {
        let isFree = taken.withLock { taken in
            guard taken < limit else { return false }
            taken += 1
            return true
        }
        guard isFree else {
            throw HarbourError(
                .resourceExhausted,
                "\(limit) archives are being \(what) at the moment, which is the limit. Try again soon.")
        }
        return Turn(self)
    }

    /// Ends with its last owner.
    final class Turn: Sendable {
        private let turns: ArchiveTurns
        init(_ turns: ArchiveTurns) { self.turns = turns }
        deinit { turns.taken.withLock { $0 -= 1 } }
    }
}
