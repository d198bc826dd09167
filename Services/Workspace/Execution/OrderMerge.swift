/// Brings two orders of the same things together, each made out of a third.
struct OrderMerge {
    /// Nil when both have moved things in ways that exclude each other.
    let order: [String]?
    /// Those that cannot be put into an order, as they were before.
    let conflicts: [String]

    /// - Parameter kept: those that are in the result; any that both have is among them.
    init(base: [String], mine: [String], theirs: [String], kept: Set<String>) {
        let both = Set(mine).intersection(theirs)
        let common = OrderMerge.common(
            base: base.filter(both.contains), mine: mine.filter(both.contains), theirs: theirs.filter(both.contains))
        guard common.conflicts.isEmpty else {
            (order, conflicts) = (nil, common.conflicts)
            return
        }
        let (my, their) = (OrderMerge.additions(mine, both, kept), OrderMerge.additions(theirs, both, kept))
        var order: [String] = []
        for anchor in [""] + common.order {
            if !anchor.isEmpty { order.append(anchor) }
            // What two have put at one place stands together, in an order that does not hang on who came first.
            let runs = [my[anchor] ?? [], their[anchor] ?? []].filter { !$0.isEmpty }
            for run in runs.sorted(by: { $0[0] < $1[0] }) { order += run }
        }
        (self.order, conflicts) = (order, [])
    }

    /// What only one has, by what it follows there that both have.
    private static func additions(_ ids: [String], _ both: Set<String>, _ kept: Set<String>) -> [String: [String]] {
        var runs: [String: [String]] = [:]
        var anchor = ""
        for id in ids {
            if both.contains(id) { anchor = id } else if kept.contains(id) { runs[anchor, default: []].append(id) }
        }
        return runs
    }

    /// The order of what both have: of each two, as the one has put them who has changed how they stand.
    private static func common(
        base: [String], mine: [String], theirs: [String]
    ) -> (order: [String], conflicts: [String]) {
        if mine == theirs { return (mine, []) }
        if base.count == mine.count {
            if mine == base { return (theirs, []) }
            if theirs == base { return (mine, []) }
        }
        // Where both begin and end alike nothing needs to be compared.
        let start = zip(mine, theirs).prefix { $0 == $1 }.count
        let end = zip(mine.reversed(), theirs.reversed()).prefix { $0 == $1 }.count
        let (my, their) = (mine[start..<(mine.count - end)], theirs[start..<(theirs.count - end)])
        let inner = Set(my)
        let (placed, conflicts) = byPairs(base: base.filter(inner.contains), mine: Array(my), theirs: Array(their))
        return (Array(mine[..<start]) + placed + Array(mine[(mine.count - end)...]), conflicts)
    }

    private static func byPairs(
        base: [String], mine: [String], theirs: [String]
    ) -> (order: [String], conflicts: [String]) {
        func places(_ ids: [String]) -> [String: Int] {
            Dictionary(ids.enumerated().map { ($1, $0) }) { first, _ in first }
        }
        let (baseAt, theirsAt) = (places(base), places(theirs))
        // How many come before each.
        var before = [Int](repeating: 0, count: mine.count)
        var undecided: Set<String> = []
        let old = mine.map { baseAt[$0] ?? -1 }
        let their = mine.map { theirsAt[$0] ?? 0 }
        for left in mine.indices {
            for right in mine.indices[(left + 1)...] {
                // Left of it in mine.
                var isLeft = true
                if their[left] > their[right] {
                    if old[left] < 0 || old[right] < 0 { undecided.formUnion([mine[left], mine[right]]) }
                    // Mine is as it was, so they have changed it.
                    isLeft = old[left] > old[right]
                }
                before[isLeft ? right : left] += 1
            }
        }
        let count = Dictionary(before.map { ($0, 1) }, uniquingKeysWith: +)
        // What goes round in a circle has as many before it as others have.
        let circling = mine.indices.filter { count[before[$0]] != 1 }.map { mine[$0] }
        guard undecided.isEmpty, circling.isEmpty else {
            let named = undecided.union(circling)
            return (mine, base.filter(named.contains) + named.subtracting(base).sorted())
        }
        return (mine.indices.sorted { before[$0] < before[$1] }.map { mine[$0] }, [])
    }
}
