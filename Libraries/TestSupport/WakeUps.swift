public import EventLoop

/// How often a loop wakes while it should be idle: the first count that is no more than `enough`, or else the lowest.
///
/// On a busy machine what is left of earlier work may come late, so it is looked at again. A loop that spins or polls
/// wakes as often each time.
public func fewestWakeUps(
    of loop: EventLoop, in window: Duration, enough: Int, isolation: isolated (any Actor)? = #isolation
) async throws -> Int {
    var fewest = Int.max
    for _ in 0..<10 where fewest > enough {
        let before = loop.wakeUps
        try await loop.sleep(for: window)
        fewest = min(fewest, loop.wakeUps - before)
    }
    return fewest
}
