import EventLoop
import TestSupport
import Testing

/// `@unchecked Sendable`: touched on the loop only.
private final class Heard: @unchecked Sendable {
    var all: [[Int]] = []
    var missed: [Bool] = []
    var end: (any Error)?
}

@Suite struct ChangeNewsTests {
    /// Goal: what changes as soon as it is said that somebody follows is told.
    @Test func nothingIsMissedFromTheBeginning() async throws {
        try await withEventLoop { loop in
            let (news, heard) = (ChangeNews<Int>(loop: loop), Heard())
            let follower = loop.spawn {
                try? await news.follow(begun: { news.signal(5) }) { heard.all.append($0.ids) }
            }
            try await eventually("it is heard of") { heard.all == [[5]] }
            follower.cancel()
            await follower.value
        }
    }

    /// Goal: who is slow hears of each thing once; and where there is no room to name all of them, that there were more.
    @Test func aSlowFollowerHearsOfEachThingOnce() async throws {
        try await withEventLoop { loop in
            let (news, heard) = (ChangeNews<Int>(loop: loop, limit: 4), Heard())
            #expect(news.isEmpty)
            let follower = loop.spawn {
                do {
                    try await news.follow(from: [9]) { changes in
                        heard.all.append(changes.ids)
                        heard.missed.append(changes.hasMissed)
                        // Meanwhile it all changes, and some of it more than once.
                        if heard.all.count == 1 { for id in [3, 1, 3, 1, 2, 7, 2] { news.signal(id) } }
                        if heard.all.count == 2 { for id in [3, 1, 2, 7, 8, 8] { news.signal(id) } }
                    }
                } catch { heard.end = error }
            }
            try await eventually("it has heard of all") { heard.all.count == 3 }
            #expect(heard.all == [[9], [1, 2, 3, 7], [1, 2, 3, 7]])
            #expect(heard.missed == [false, false, true], "that 8 has changed it was not told by name")
            news.signal(8)
            try await eventually("it goes on") { heard.all.last == [8] && heard.missed.last == false }
            follower.cancel()
            await follower.value
            #expect(heard.end is CancellationError && news.isEmpty)
        }
    }
}
