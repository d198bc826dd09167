internal import Core
internal import Glibc

/// An input that made a fuzz check throw.
public struct FuzzFailure: Error, CustomStringConvertible {
    /// What was being fuzzed.
    public let name: String
    /// The seed of the run; `HARBOUR_FUZZ_SEED` plays it again.
    public let seed: UInt64
    /// The smallest input found that still fails.
    public let input: [UInt8]
    /// What the check threw.
    public let cause: any Error
    /// Where the input was saved.
    public let file: String

    /// Everything that is needed to play it again.
    public var description: String {
        "fuzzing \(name) failed with seed \(seed): \(cause); input (\(input.count) bytes, saved as \(file)): "
            + String(reflecting: String(decoding: input.prefix(400), as: UTF8.self))
    }
}

/// Tries many broken inputs, and all inputs that once failed. The check throws when an invariant does not hold; a trap
/// is a failure as well.
///
/// It is bounded by a count, so a test run takes the same time everywhere and is the same each time.
/// `HARBOUR_FUZZ_SEED` sets another seed, `HARBOUR_FUZZ_SECONDS` searches for that long instead of a count: with a random seed, that is the
/// nightly run. What fails is made smaller and saved as `Tests/Crashes/<Module>/<name>-<hash>`; it is tried first from
/// then on, so check it in together with the repair. When the process traps, the input is saved there too.
///
/// This search is blind; `Tests/README.md` says how to run Clang's libFuzzer, which is led by coverage and works with
/// this toolchain.
///
/// - Parameters:
///   - name: one word; the begin of the files' names.
///   - corpus: valid inputs to change, the more kinds the better.
///   - tokens: words of the format.
///   - iterations: how many inputs are tried; a tenth of them with the thread sanitizer.
///   - maximumLength: inputs are cut at this many bytes.
///   - file: the test's own path.
///   - check: looks at one input. It must depend on nothing else, or it cannot be replayed.
/// - Throws: `FuzzFailure`.
public func fuzz(
    _ name: String, corpus: [[UInt8]], tokens: [[UInt8]] = [], iterations: Int = 2000, maximumLength: Int = 16_384,
    file: String = #filePath, check: @escaping (FuzzInput) throws -> Void
) throws {
    let run = FuzzRun(name: name, directory: FuzzRun.directory(for: file), check: check)
    for (path, bytes) in run.savedInputs() { try run.replay(bytes, path) }
    for bytes in corpus { try run.attempt(bytes) }
    var mutator = FuzzMutator(
        corpus: corpus, tokens: tokens, maximumLength: maximumLength, random: SeededGenerator(seed: run.seed))
    if let seconds = FuzzRun.environment("HARBOUR_FUZZ_SECONDS") {
        let end = MonotonicTime.now + .seconds(Int64(clamping: seconds))
        while MonotonicTime.now < end { try run.attempt(mutator.next()) }
    } else {
        // One thread's inputs hold no races: so many only show that the sanitizer can follow.
        let count = isThreadSanitized ? iterations / 10 : iterations
        for _ in 0..<count { try run.attempt(mutator.next()) }
    }
}

/// The inputs that `fuzz` would try, for checks that look at many at once, such as by another program.
public func fuzzInputs(
    corpus: [[UInt8]], tokens: [[UInt8]] = [], count: Int, maximumLength: Int = 16_384, seed: UInt64? = nil
) -> [[UInt8]] {
    var mutator = FuzzMutator(
        corpus: corpus, tokens: tokens, maximumLength: maximumLength,
        random: SeededGenerator(seed: seed ?? FuzzRun.environment("HARBOUR_FUZZ_SEED") ?? 1))
    return (0..<count).map { _ in mutator.next() }
}

private struct FuzzRun {
    let name: String
    let directory: String
    let check: (FuzzInput) throws -> Void
    let seed = FuzzRun.environment("HARBOUR_FUZZ_SEED") ?? 1

    static func environment(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    /// `Tests/Crashes/<Module>` for a test in `Tests/<Module>`: outside the folders that are built.
    static func directory(for file: String) -> String {
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return "Crashes" }
        return (parts.dropLast(2) + ["Crashes", parts[parts.count - 2]]).joined(separator: "/")
    }

    func replay(_ bytes: [UInt8], _ path: String) throws {
        if let error = failure(bytes) {
            throw FuzzFailure(name: name, seed: seed, input: bytes, cause: error, file: path)
        }
    }

    func attempt(_ bytes: [UInt8]) throws {
        guard let error = failure(bytes) else { return }
        let small = minimized(bytes)
        let path = self.path(small)
        if let parent = directory.lastIndex(of: "/") { mkdir(String(directory[..<parent]), 0o777) }
        mkdir(directory, 0o777)
        write(small, path)
        throw FuzzFailure(name: name, seed: seed, input: small, cause: failure(small) ?? error, file: path)
    }

    private func failure(_ bytes: [UInt8]) -> (any Error)? {
        TrapRecorder.begin(bytes, path(bytes))
        defer { TrapRecorder.end() }
        do { try check(FuzzInput(bytes)) } catch { return error }
        return nil
    }

    /// Leaves out parts, halves first and single bytes last, as long as it still fails.
    private func minimized(_ bytes: [UInt8]) -> [UInt8] {
        var best = bytes
        var attempts = 0
        var size = max(1, best.count / 2)
        while size >= 1 {
            var start = 0
            while start < best.count, attempts < 2000 {
                attempts += 1
                var candidate = best
                candidate.removeSubrange(start..<min(best.count, start + size))
                if failure(candidate) != nil { best = candidate } else { start += size }
            }
            if size == 1 { return best }
            size /= 2
        }
        return best
    }

    private func path(_ bytes: [UInt8]) -> String {
        var choices = FuzzInput(bytes).choices
        return "\(directory)/\(name)-\(String(choices.next(), radix: 16))"
    }

    func savedInputs() -> [(path: String, bytes: [UInt8])] {
        guard let folder = opendir(directory) else { return [] }
        defer { closedir(folder) }
        var inputs: [(path: String, bytes: [UInt8])] = []
        while let entry = readdir(folder) {
            let file = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            let path = "\(directory)/\(file)"
            if file.hasPrefix("\(name)-"), let bytes = read(path) { inputs.append((path, bytes)) }
        }
        return inputs.sorted { $0.path < $1.path }
    }

    private func read(_ path: String) -> [UInt8]? {
        guard let stream = fopen(path, "r") else { return nil }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    private func write(_ bytes: [UInt8], _ path: String) {
        guard let stream = fopen(path, "w") else { return }
        // When it cannot be written, the failure's own text still has the input.
        fwrite(bytes, 1, bytes.count, stream)
        fclose(stream)
    }
}
