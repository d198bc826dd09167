internal import CPlatform
public import Core
internal import Glibc
internal import Synchronization

/// What a descriptor is watched for, and what happened to it.
public struct ReadyEvents: OptionSet, Sendable {
    /// The epoll bits.
    public let rawValue: UInt32
    /// Makes a set from epoll bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// There is something to read, or the peer has closed.
    public static let readable = ReadyEvents(rawValue: 0x001)
    /// There is room to write.
    public static let writable = ReadyEvents(rawValue: 0x004)
    /// The descriptor has failed; always reported, never asked for.
    public static let failed = ReadyEvents(rawValue: 0x008)
    /// Both directions are closed; always reported, never asked for.
    public static let hungUp = ReadyEvents(rawValue: 0x010)
    /// The peer will not write any more.
    public static let peerClosed = ReadyEvents(rawValue: 0x2000)
    /// Only told when it becomes ready anew.
    static let edge = ReadyEvents(rawValue: 1 << 31)
}

/// Is told when a registered descriptor is ready. Called on the loop's thread only.
public protocol DescriptorHandler: AnyObject {
    /// Level-triggered: called again in the next turn while the condition lasts.
    func descriptorReady(_ events: ReadyEvents)
}

/// One thread, one epoll: a `SerialExecutor`, so that actors can live on it, and a `TaskExecutor`, so that async
/// functions run on it without hopping threads.
///
/// Each turn runs queued jobs and `later` work until none is left, fires the timers that are due, and then waits in
/// epoll for descriptors, the next timer, or another thread's `submit`. With nothing to do it does not wake at all.
///
/// `@unchecked Sendable`: what is not atomic or behind the mutex is touched by the loop's own thread only, which the
/// entry points check.
public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    private struct QueuedJob {
        let job: UnownedJob
        /// Whether it runs for an actor of this loop, rather than for a task that prefers the loop.
        let isForActor: Bool
    }
    private struct Inbox {
        var jobs: [QueuedJob] = []
        var calls: [@Sendable () -> Void] = []
        var signalled = false
        /// Nobody will look any more.
        var isClosed = false

        /// Whether this addition is the first since the loop last looked.
        mutating func needsSignal() -> Bool {
            defer { signalled = true }
            return !signalled
        }
    }
    private struct Registration {
        var handler: (any DescriptorHandler)?
        /// Told apart from the registration an old event was meant for, when the kernel reuses the number.
        var generation: UInt32 = 0
    }

    private let poller: Int32
    private let wakeDescriptor: Int32
    private let timerDescriptor: Int32
    /// When the kernel's timer fires, unless it is not set.
    @exclusivity(unchecked) private var timerSet: MonotonicTime?
    private let owner = Atomic<UInt>(0)
    private let stopping = Atomic<Bool>(false)
    private let inbox = Mutex(Inbox())
    /// Says again what the inbox's lock says already: what happened before `submit` happens before the work. The thread
    /// sanitizer sees atomics but not `Mutex`, and would report all that is handed over.
    private let handedOver = Atomic<Int>(0)
    // One thread touches these, and none is borrowed while others' code runs: to check that again at every access would
    // cost several hundred instructions a turn.
    @exclusivity(unchecked) private var registrations: [Registration] = []
    private var registered = 0
    @exclusivity(unchecked) private var jobs: [QueuedJob] = []
    @exclusivity(unchecked) private var spareJobs: [QueuedJob] = []
    @exclusivity(unchecked) private var laters: [() -> Void] = []
    @exclusivity(unchecked) private var timers = TimerQueue()
    @exclusivity(unchecked) private var turnTime = MonotonicTime.now

    private let wakeUpCount = Atomic<Int>(0)

    /// How often the loop has come back from waiting: an idle process must not move this number. From any thread.
    public var wakeUps: Int { wakeUpCount.load(ordering: .relaxed) }

    /// A buffer of 64 KiB for whoever reads on this loop, valid within one callback.
    public let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 64)

    /// Makes a loop; nothing runs before `run()`.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the process is out of descriptors.
    public init() throws(HarbourError) {
        poller = epoll_create1(Int32(EPOLL_CLOEXEC))
        wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        timerDescriptor = platform_timer_make()
        guard poller >= 0, wakeDescriptor >= 0, timerDescriptor >= 0 else {
            throw .system("The event loop could not be made", errno)
        }
        control(EPOLL_CTL_ADD, wakeDescriptor, .readable, generation: 0)
        // Edge-triggered, so that it need not be read.
        control(EPOLL_CTL_ADD, timerDescriptor, [.readable, .edge], generation: 0)
    }

    deinit {
        close(poller)
        close(wakeDescriptor)
        close(timerDescriptor)
        scratch.deallocate()
    }

    // MARK: Where am I

    /// The loop whose thread this is, or nil.
    public static var current: EventLoop? {
        platform_loop_get().map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Whether the caller is on this loop's thread.
    @inline(__always)
    public var isCurrent: Bool { pthread_self() == owner.load(ordering: .relaxed) }

    /// Traps when called from another thread: a defect of the caller's, never of its input.
    @inline(__always)
    public func preconditionCurrent() { precondition(isCurrent, "not on this event loop's thread") }

    /// The monotonic time at the start of this turn; cheap, and the same for all work of one turn.
    public var now: MonotonicTime { turnTime }

    // MARK: Work

    /// Runs the closure on the loop, from any thread, in the order of submission. It is dropped when the loop's own thread
    /// has ended.
    public func submit(_ work: @escaping @Sendable () -> Void) {
        handedOver.wrappingAdd(1, ordering: .releasing)
        let wake = inbox.withLock { inbox in
            if inbox.isClosed { return false }
            inbox.calls.append(work)
            return inbox.needsSignal()
        }
        if wake { signal() }
    }

    /// Runs the closure later in this turn, before the loop waits again. Only on the loop.
    public func later(_ work: @escaping () -> Void) {
        preconditionCurrent()
        laters.append(work)
    }

    /// Starts a task that runs on this loop, at once when called on it. What the task spawns with `Task {}` leaves the
    /// loop: spawn with this function instead.
    @discardableResult
    public func spawn(_ work: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        if isCurrent { return Task.immediate(executorPreference: self) { await work() } }
        return Task(executorPreference: self) { await work() }
    }

    // MARK: Descriptors

    /// Watches a descriptor, which must be non-blocking and stay open until `deregister`. Only on the loop.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the system's limit of watches is reached.
    public func register(_ descriptor: Int32, _ interest: ReadyEvents, _ handler: any DescriptorHandler)
        throws(HarbourError)
    {
        preconditionCurrent()
        let index = Int(descriptor)
        while registrations.count <= index { registrations.append(Registration()) }
        registrations[index].handler = handler
        registrations[index].generation &+= 1
        registered += 1
        guard control(EPOLL_CTL_ADD, descriptor, interest, generation: registrations[index].generation) else {
            let failure = errno
            registrations[index].handler = nil
            registered -= 1
            throw .system("A connection could not be watched", failure)
        }
    }

    /// Changes what a registered descriptor is watched for. Only on the loop.
    public func modify(_ descriptor: Int32, _ interest: ReadyEvents) {
        preconditionCurrent()
        control(EPOLL_CTL_MOD, descriptor, interest, generation: registrations[Int(descriptor)].generation)
    }

    /// Stops watching; call it before closing the descriptor. Only on the loop.
    public func deregister(_ descriptor: Int32) {
        preconditionCurrent()
        guard registrations.indices.contains(Int(descriptor)), registrations[Int(descriptor)].handler != nil else {
            return
        }
        control(EPOLL_CTL_DEL, descriptor, [], generation: 0)
        registrations[Int(descriptor)].handler = nil
        registered -= 1
    }

    @discardableResult
    private func control(_ operation: Int32, _ descriptor: Int32, _ interest: ReadyEvents, generation: UInt32) -> Bool {
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        return epoll_ctl(poller, operation, descriptor, &event) == 0
    }

    // MARK: Timers

    /// Runs the closure once after the duration, not earlier; a negative duration means the next turn. Only on the loop.
    @discardableResult
    public func schedule(after delay: Duration, _ work: @escaping () -> Void) -> LoopTimer {
        preconditionCurrent()
        return timers.add(at: .now + delay, work)
    }

    /// Runs the closure once at that point of the monotonic clock. Only on the loop.
    @discardableResult
    public func schedule(at time: MonotonicTime, _ work: @escaping () -> Void) -> LoopTimer {
        preconditionCurrent()
        return timers.add(at: time, work)
    }

    // MARK: Executor

    /// Queues a job of an actor that lives on the loop.
    public func enqueue(_ job: consuming ExecutorJob) { queue(QueuedJob(job: UnownedJob(job), isForActor: true)) }

    /// Queues a job of a task that prefers the loop.
    ///
    /// Told apart from those of actors, because the runtime compares executors when a function returns to a caller that
    /// is on no actor: a job said to be the loop's as an actor's executor would be queued anew at each such return.
    @_implements(TaskExecutor,enqueue(_:))
    public func enqueueTask(_ job: consuming ExecutorJob) { queue(QueuedJob(job: UnownedJob(job), isForActor: false)) }

    private func queue(_ job: QueuedJob) {
        if isCurrent {
            jobs.append(job)
            return
        }
        let wake = inbox.withLock { inbox in
            inbox.jobs.append(job)
            return inbox.needsSignal()
        }
        if wake { signal() }
    }

    /// The loop as an actor's executor.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
    /// The loop as a task's preferred executor.
    public func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }
    /// Two loops are the same context when they are the same loop.
    public func isSameExclusiveExecutionContext(other: EventLoop) -> Bool { self === other }
    /// Lets `assumeIsolated` succeed on the loop's own thread.
    public func checkIsolated() { preconditionCurrent() }
    /// Lets the runtime ask without trapping.
    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    // MARK: Running

    /// Runs the loop on this thread until `stop()`.
    public func run() { run(lettingGo: false) }

    /// The same; at the end, what still waits for something is let go of when the process goes on without this loop.
    func run(lettingGo: Bool) {
        owner.store(pthread_self(), ordering: .relaxed)
        platform_loop_set(Unmanaged.passUnretained(self).toOpaque())
        defer {
            platform_loop_set(nil)
            owner.store(0, ordering: .relaxed)
        }
        let capacity = 256
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: capacity) { events in
            while true {
                runQueued()
                if stopping.load(ordering: .acquiring) { break }
                setTimer()
                let count = epoll_wait(poller, events.baseAddress, Int32(capacity), -1)
                wakeUpCount.wrappingAdd(1, ordering: .relaxed)
                turnTime = .now
                for index in 0..<max(0, Int(count)) { dispatch(events[index]) }
                for work in timers.takeDue(at: turnTime) { work() }
            }
        }
        if lettingGo { letGo() }
    }

    /// What is watched holds its handler, which holds its object, which holds this loop: without an end to it none of
    /// them is ever freed. A child process goes on; nobody sees its end.
    private func letGo() {
        inbox.withLock { $0.isClosed = true }
        // What is freed may ask for something more, but not without end.
        for _ in 0..<8 {
            let calls = inbox.withLock { inbox in
                defer { inbox.calls = [] }
                return inbox.calls
            }
            let handlers = registrations.compactMap(\.handler)
            if calls.isEmpty && handlers.isEmpty && timers.isEmpty && laters.isEmpty { return }
            for index in registrations.indices { registrations[index].handler = nil }
            registered = 0
            let (left, late) = (timers, laters)
            timers = TimerQueue()
            laters = []
            withExtendedLifetime((calls, handlers, left, late)) {}
        }
    }

    /// Ends `run()` after the current turn, from any thread.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        signal()
    }

    /// Lets the kernel wake the loop for its next timer.
    ///
    /// A time limit for each wait would cost more than the rest of the wait, because the kernel sets and takes back a
    /// timer of its own for it. So the timer is left set when the next one has become later: the loop then wakes once
    /// for nothing.
    private func setTimer() {
        guard let next = timers.next() else { return }
        if let timerSet, timerSet <= next { return }
        timerSet = next
        platform_timer_set(timerDescriptor, next.nanoseconds)
    }

    private func dispatch(_ event: epoll_event) {
        let descriptor = Int32(bitPattern: UInt32(truncatingIfNeeded: event.data.u64))
        if descriptor == wakeDescriptor {
            drainInbox()
            return
        }
        if descriptor == timerDescriptor {
            timerSet = nil
            return
        }
        // A handler earlier in this batch may have closed this one, and another may have its number by now.
        guard registrations.indices.contains(Int(descriptor)) else { return }
        let registration = registrations[Int(descriptor)]
        guard registration.generation == UInt32(event.data.u64 >> 32) else { return }
        registration.handler?.descriptorReady(ReadyEvents(rawValue: event.events))
    }

    /// Jobs first, then `later` work, until both are empty: what they start belongs to this turn.
    private func runQueued() {
        while true {
            while !jobs.isEmpty {
                swap(&jobs, &spareJobs)
                for entry in spareJobs { run(entry) }
                spareJobs.removeAll(keepingCapacity: true)
            }
            if laters.isEmpty { return }
            let batch = laters
            laters = []
            for work in batch { work() }
        }
    }

    private func run(_ entry: QueuedJob) {
        if entry.isForActor {
            entry.job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        } else {
            entry.job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    private func drainInbox() {
        var count: UInt64 = 0
        // The counter only wakes us; that it was read short or not at all changes nothing.
        _ = read(wakeDescriptor, &count, 8)
        let (newJobs, calls) = inbox.withLock { inbox in
            defer {
                inbox.jobs = []
                inbox.calls = []
                inbox.signalled = false
            }
            return (inbox.jobs, inbox.calls)
        }
        jobs.append(contentsOf: newJobs)
        _ = handedOver.load(ordering: .acquiring)
        for call in calls { call() }
    }

    private func signal() {
        var one: UInt64 = 1
        // It can only fail when the counter is full, and then the loop is being woken already.
        _ = write(wakeDescriptor, &one, 8)
    }
}
