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
