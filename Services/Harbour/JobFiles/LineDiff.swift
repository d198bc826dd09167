/// What changes from one text to another, as people know it from version control.
struct LineDiff {
    private enum Line {
        case same(Substring), old(Substring), new(Substring)
    }
    /// Lines shown around a change.
    private static let around = 3

    private let lines: [Line]

    init(from old: String, to new: String) {
        let (before, after) = (LineDiff.lines(of: old), LineDiff.lines(of: new))
        let difference = after.difference(from: before)
        let removed = Set(difference.removals.map(LineDiff.offset))
        let inserted = Set(difference.insertions.map(LineDiff.offset))
        var lines: [Line] = []
        var (from, to) = (0, 0)
        while from < before.count || to < after.count {
            if from < before.count, removed.contains(from) {
                lines.append(.old(before[from]))
                from += 1
            } else if to < after.count, inserted.contains(to) {
                lines.append(.new(after[to]))
                to += 1
            } else {
                lines.append(.same(before[from]))
                from += 1
                to += 1
            }
        }
        self.lines = lines
    }

    private static func lines(of text: String) -> [Substring] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    private static func offset(_ change: CollectionDifference<Substring>.Change) -> Int {
        switch change {
        case .insert(let offset, _, _), .remove(let offset, _, _): offset
        }
    }

    /// The changed lines with `-` and `+` and what is around them; empty when nothing changes.
    var text: String {
        let changed = lines.indices.filter { if case .same = lines[$0] { false } else { true } }
        let shown = Set(changed.flatMap { max(0, $0 - Self.around)...min(lines.count - 1, $0 + Self.around) })
        var text = ""
        var last: Int?
        for index in shown.sorted() {
            if let last, index > last + 1 { text += "  ...\n" }
            switch lines[index] {
            case .same(let line): text += "  \(line)\n"
            case .old(let line): text += "- \(line)\n"
            case .new(let line): text += "+ \(line)\n"
            }
            last = index
        }
        return text
    }
}
