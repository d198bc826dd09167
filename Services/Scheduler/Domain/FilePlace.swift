internal import Core

/// Where a job waits for files.
enum FilePlace: Sendable, Hashable {
    /// A folder that the scheduler sees, without a slash at its end.
    case folder(String)
    case objects(bucket: String, prefix: String)

    /// - Throws: `INVALID_PARAMETER_VALUE`.
    init(_ url: String) throws(HarbourError) {
        if url.hasPrefix("s3://") {
            let parts = url.dropFirst(5).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let bucket = parts.first, bucket.utf8.count >= 3, bucket.allSatisfy(FilePlace.isBucketLetter) else {
                throw HarbourError(.invalidParameter, "\(url) names no bucket. Write s3://bucket/prefix/.")
            }
            self = .objects(bucket: String(bucket), prefix: parts.count > 1 ? String(parts[1]) : "")
            return
        }
        var path = url.hasPrefix("file://") ? String(url.dropFirst("file://".count)) : url
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard path.hasPrefix("/"), path != "/", !path.split(separator: "/").contains(where: { $0 == ".." || $0 == "." })
        else {
            throw HarbourError(
                .invalidParameter, "\(url) is no place for files. Write a folder as /data/in, or s3://bucket/prefix/.")
        }
        self = .folder(path)
    }

    private static func isBucketLetter(_ letter: Character) -> Bool {
        letter.isASCII && (letter.isLetter || letter.isNumber || letter == "-" || letter == "." || letter == "_")
    }
}

/// Whether files that have come make a run now: the whole decision, without a clock.
enum ArrivalDecision: Sendable, Equatable {
    /// No file waits.
    case nothing
    /// Files wait until then, and perhaps longer.
    case wait(Timestamp)
    case fire

    /// - Parameters:
    ///   - waiting: how many files have come that no run has been made for.
    ///   - lastChange: when the last of them came or changed.
    ///   - lastFire: when the last run was made.
    ///   - least: milliseconds from one run to the next.
    ///   - quiet: milliseconds after the last change.
    init(waiting: Int, lastChange: Timestamp?, lastFire: Timestamp?, least: Int64, quiet: Int64, now: Timestamp) {
        guard waiting > 0 else {
            self = .nothing
            return
        }
        var earliest = now
        if let lastFire { earliest = max(earliest, Timestamp(milliseconds: lastFire.milliseconds + least)) }
        if let lastChange { earliest = max(earliest, Timestamp(milliseconds: lastChange.milliseconds + quiet)) }
        self = earliest > now ? .wait(earliest) : .fire
    }
}
