import EventLoop
import TestSupport
import Testing

/// `@unchecked Sendable`: touched on the loop only.
private final class Heard: @unchecked Sendable {
    var all: [[Int]] = []
    var end: (any Error)?
}

@Suite struct ChangeNewsTests {
    /// Goal: nothing is missed, and who is slow hears of each thing once.
    @Test func aSlowFollowerHearsOfEachThingOnce() async throws {
        try await withEventLoop { loop in
            let (news, heard) = (ChangeNews<Int>(loop: loop, limit: 4), Heard())
            #expect(news.isEmpty)
            let follower = loop.spawn {
                do {
                    try await news.follow(from: [9]) { changed in
                        heard.all.append(changed)
                        // Meanwhile it all changes, and some of it more than once.
                        if heard.all.count == 1 { for id in [3, 1, 3, 1, 2, 7, 8, 8] { news.signal(id) } }
                    }
                } catch { heard.end = error }
            }
            try await eventually("it has heard of both") { heard.all.count == 2 }
            #expect(heard.all == [[9], [1, 2, 3, 7]])
            news.signal(8)
            try await eventually("it goes on") { heard.all.last == [8] }
            follower.cancel()
            await follower.value
            #expect(heard.end is CancellationError && news.isEmpty)
        }
    }
}
