internal import Glibc

/// Takes secrets out of a text that comes in pieces, wherever it was cut: what may be the beginning of a secret is held
/// back until it is known. The result does not depend on the cuts.
///
/// Every byte of every occurrence goes; a run of occurrences that overlap becomes one mark. The work is one step for each
/// byte and secret, however small the pieces are. No I/O, no clock.
struct StreamRedactor {
    /// A run of bytes that are taken out, counted from the first byte that is held. One that begins before it has got
    /// its mark already.
    private struct Run {
        var start: Int
        var end: Int
    }

    private var patterns: SecretPatterns
    /// For each secret, how much of its beginning the text ends with.
    private var seen: [Int]
    /// What is held back begins here; what is before it has been given out.
    private var head = 0
    private var bytes: [UInt8] = []
    private var runs: [Run] = []

    init(_ patterns: SecretPatterns) {
        self.patterns = patterns
        seen = [Int](repeating: 0, count: patterns.all.count)
    }

    /// Whether something is held back.
    var isHolding: Bool { head < bytes.count }

    /// Takes the next piece.
    /// - Parameter patterns: what is looked for from now on, in what is held back too.
    /// - Returns: what is known not to belong to a secret, with marks for what does.
    mutating func take(_ text: String, _ patterns: SecretPatterns) -> String {
        if patterns !== self.patterns { look(for: patterns) }
        let start = bytes.count
        bytes += text.utf8
        search(from: start)
        return release(to: bytes.count - (seen.max() ?? 0))
    }

    /// Gives out what was held back: nothing follows, or not soon.
    mutating func flush() -> String {
        for index in seen.indices { seen[index] = 0 }
        return release(to: bytes.count)
    }

    /// What has been seen of a secret is held, so looking through that again is enough.
    private mutating func look(for patterns: SecretPatterns) {
        self.patterns = patterns
        seen = [Int](repeating: 0, count: patterns.all.count)
        search(from: head)
    }

    private mutating func search(from start: Int) {
        var found = runs
        bytes.withUnsafeBufferPointer { bytes in
            for (index, pattern) in patterns.all.enumerated() {
                seen[index] = StreamRedactor.search(
                    pattern, in: bytes, from: start, seen: seen[index], head, &found)
            }
        }
        found.sort { $0.start < $1.start }
        runs = []
        for run in found { StreamRedactor.add(run, to: &runs) }
    }

    private static func add(_ run: Run, to runs: inout [Run]) {
        if let last = runs.last, run.start < last.end {
            runs[runs.count - 1].end = max(last.end, run.end)
        } else {
            runs.append(run)
        }
    }

    /// - Returns: how much of the pattern's beginning the bytes end with.
    private static func search(
        _ pattern: SecretPattern, in bytes: UnsafeBufferPointer<UInt8>, from start: Int, seen: Int, _ head: Int,
        _ found: inout [Run]
    ) -> Int {
        let (wanted, fallback) = (pattern.bytes, pattern.fallback)
        let before = found.count
        var (length, index) = (seen, start)
        while index < bytes.count {
            if length == 0 {
                guard let next = memchr(bytes.baseAddress! + index, Int32(wanted[0]), bytes.count - index) else {
                    break
                }
                index = UnsafeRawPointer(next) - UnsafeRawPointer(bytes.baseAddress!)
            }
            while length > 0, wanted[length] != bytes[index] { length = Int(fallback[length - 1]) }
            if wanted[length] == bytes[index] { length += 1 }
            index += 1
            guard length == wanted.count else { continue }
            length = Int(fallback[length - 1])
            let run = Run(start: index - wanted.count - head, end: index - head)
            // Its own occurrences come in order; a text that overlaps itself for long is one run.
            if found.count > before, run.start < found[found.count - 1].end {
                found[found.count - 1].end = run.end
            } else {
                found.append(run)
            }
        }
        return length
    }

    private mutating func release(to end: Int) -> String {
        let known = end - head
        var out: [UInt8] = []
        var position = 0
        for run in runs where run.start < known {
            if run.start >= 0 {
                out += bytes[(head + position)..<(head + run.start)]
                out += Redactor.mark.utf8
            }
            position = min(run.end, known)
        }
        out += bytes[(head + position)..<end]
        runs = runs.filter { $0.end > known }.map { Run(start: $0.start - known, end: $0.end - known) }
        head = end
        if head == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.count < 65_536)
            head = 0
        } else if head > bytes.count / 2 {
            // Moves less than it forgets.
            bytes.removeFirst(head)
            head = 0
        }
        return String(decoding: out, as: UTF8.self)
    }
}
