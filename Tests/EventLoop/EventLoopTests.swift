import Core
import EventLoop
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite struct EventLoopTests {
    @Test func timersFireInOrderOfTheirTimes() async throws {
        let order = try await withEventLoop { loop in
            await withCheckedContinuation { (continuation: CheckedContinuation<[Int], Never>) in
                let log = Log()
                loop.schedule(after: .milliseconds(6)) {
                    log.values.append(3)
                    continuation.resume(returning: log.values)
                }
                loop.schedule(after: .milliseconds(2)) { log.values.append(1) }
                loop.schedule(after: .milliseconds(4)) { log.values.append(2) }
                let cancelled = loop.schedule(after: .milliseconds(1)) { log.values.append(9) }
                cancelled.cancel()
            }
        }
        #expect(order == [1, 2, 3])
    }

    @Test func aTimerCanCancelAnotherThatIsDueInTheSameTurn() async throws {
        let fired = try await withEventLoop { loop in
            await withCheckedContinuation { (continuation: CheckedContinuation<[Int], Never>) in
                let log = Log()
                let due = MonotonicTime.now
                loop.schedule(at: due) { log.timer?.cancel() }
                log.timer = loop.schedule(at: due) { log.values.append(2) }
                loop.schedule(at: due + .nanoseconds(1)) { continuation.resume(returning: log.values) }
            }
        }
        #expect(fired.isEmpty)
    }

    @Test func tasksStayOnTheLoopAcrossSuspensions() async throws {
        try await withEventLoop { loop in
            #expect(loop.isCurrent)
            try await loop.sleep(for: .milliseconds(1))
            #expect(loop.isCurrent)
            #expect(EventLoop.current === loop)
            async let child = EventLoop.current === loop
            #expect(await child)
        }
    }

    @Test func sleepEndsWhenItsTaskIsCancelled() async throws {
        try await withEventLoop { loop in
            let task = Task(executorPreference: loop) { try await loop.sleep(for: .seconds(3600)) }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test func submissionsOfOtherThreadsRunInOrder() async throws {
        let loop = try EventLoop()
        let thread = loop.start()
        let seen = Mutex<[Int]>([])
        for number in 0..<1000 { loop.submit { seen.withLock { $0.append(number) } } }
        await withCheckedContinuation { continuation in loop.submit { continuation.resume() } }
        thread.stopAndJoin()
        #expect(seen.withLock { $0 } == Array(0..<1000))
    }

    @Test func anIdleLoopDoesNotWake() async throws {
        try await withEventLoop { loop in
            let timerFired = Mutex(false)
            loop.onLoop { loop.schedule(after: .milliseconds(50)) { timerFired.withLock { $0 = true } } }
            // Two timers, two wake-ups; one more is allowed for the submission that ends the sleep.
            let wakeUps = try await fewestWakeUps(of: loop, in: .milliseconds(100), enough: 3)
            #expect(wakeUps <= 3)
            #expect(timerFired.withLock { $0 })
        }
    }

    @Test func aDescriptorIsReportedUntilItIsRead() async throws {
        try await withEventLoop { loop in
            var ends: [Int32] = [0, 0]
            #expect(pipe(&ends) == 0)
            defer { for end in ends { close(end) } }
            let reader = ends[0]
            let writer = ends[1]
            let byte = await withCheckedContinuation { (continuation: CheckedContinuation<UInt8, Never>) in
                loop.onLoop {
                    let handler = ReadOne(loop: loop, descriptor: reader) { continuation.resume(returning: $0) }
                    handler.begin()
                    var value: UInt8 = 42
                    #expect(write(writer, &value, 1) == 1)
                }
            }
            #expect(byte == 42)
        }
    }

    @Test func blockingWorkComesBackToTheLoop() async throws {
        try await withEventLoop { loop in
            let pool = BlockingPool(threads: 2)
            let values = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<50 { group.addTask { try await pool.run { number } } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(values.sorted() == Array(0..<50))
            #expect(loop.isCurrent)
        }
    }
}

private final class Log: @unchecked Sendable {
    var values: [Int] = []
    var timer: LoopTimer?
}

private final class ReadOne: DescriptorHandler, @unchecked Sendable {
    let loop: EventLoop
    let descriptor: Int32
    let done: (UInt8) -> Void
    var keepAlive: ReadOne?

    init(loop: EventLoop, descriptor: Int32, done: @escaping (UInt8) -> Void) {
        self.loop = loop
        self.descriptor = descriptor
        self.done = done
    }

    func begin() {
        keepAlive = self
        do { try loop.register(descriptor, .readable, self) } catch { Issue.record(error) }
    }

    func descriptorReady(_ events: ReadyEvents) {
        var value: UInt8 = 0
        guard read(descriptor, &value, 1) == 1 else { return }
        loop.deregister(descriptor)
        keepAlive = nil
        done(value)
    }
}
