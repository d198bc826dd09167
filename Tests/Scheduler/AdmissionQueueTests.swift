import Core
import Testing

@testable import SchedulerService

@Suite struct AdmissionQueueTests {
    private let start = MonotonicTime.now

    @Test func newOnesComeFirstAndOnce() {
        var queue = AdmissionQueue<Int>()
        var isNew = [1, 2, 3, 1].map { queue.add($0) }
        #expect(isNew == [true, true, true, false])
        queue.forget(2)
        isNew = [queue.add(2)]
        #expect(isNew == [true], "nobody waited for it any more, and now somebody does")
        #expect(queue.takeNew(2) == [1, 2])
        #expect(queue.takeNew(2) == [3])
        #expect(queue.takeNew(2).isEmpty && queue.next == nil)
    }

    @Test func whatHasNoAnswerIsAskedAgainAfterPausesThatGrow() {
        var queue = AdmissionQueue<Int>()
        _ = queue.add(1)
        #expect(queue.takeNew(10) == [1])
        var now = start
        var pauses: [Duration] = []
        for _ in 0..<7 {
            queue.putOff(1, now)
            pauses.append((queue.next ?? now) - now)
            #expect(queue.takeDue(now, 10).isEmpty)
            now = queue.next ?? now
            #expect(queue.takeDue(now, 10) == [1])
            #expect(queue.takeDue(now, 10).isEmpty, "it is being asked")
        }
        #expect(pauses == [100, 200, 400, 800, 1600, 2000, 2000].map { .milliseconds($0) })
        queue.forget(1)
        queue.putOff(1, now)
        #expect(queue.next == nil, "nobody waits for it any more")
    }

    /// However many have no answer: a hundred that stay without one must not be all that is ever asked.
    @Test func eachHasItsTurn() {
        var queue = AdmissionQueue<Int>()
        for question in 0..<250 { _ = queue.add(question) }
        while case let taken = queue.takeNew(100), !taken.isEmpty { for one in taken { queue.putOff(one, start) } }
        let later = start + .seconds(1)
        var asked: Set<Int> = []
        for _ in 0..<3 {
            for one in queue.takeDue(later, 100) {
                asked.insert(one)
                queue.putOff(one, later)
            }
        }
        #expect(asked.count == 250)
    }
}
