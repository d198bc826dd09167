public import Core
public import EventLoop
internal import Glibc

/// One part of a process with a life of its own: a pool, a server, a scheduler.
public struct LifecycleComponent: Sendable {
    /// What the log and the failure message call it.
    public let name: String
    let start: @Sendable () async throws -> Void
    let run: (@Sendable () async throws -> Void)?
    let drain: @Sendable (Duration) async -> Void

    /// Makes a component.
    ///
    /// `start` brings it up; the next component starts when this has returned. It is cancelled when a stop comes first.
    /// `run` goes on as long as the component lives; returning or throwing before the drain ends the process. It is
    /// cancelled after the drain. Leave it out for what has no task of its own. `drain` finishes the work at hand within
    /// the budget and lets go of everything.
    public init(
        _ name: String, start: @escaping @Sendable () async throws -> Void = {},
        run: (@Sendable () async throws -> Void)? = nil,
        drain: @escaping @Sendable (_ budget: Duration) async -> Void = { _ in }
    ) {
        self.name = name
        self.start = start
        self.run = run
        self.drain = drain
    }
}

/// How a group ended when nothing failed.
public struct LifecycleSummary: Sendable {
    /// What asked for the end: `SIGTERM`, `SIGINT` or the reason given to `shutDown`.
    public let reason: String
    /// Components that were not done within the budget, in the order they were given up.
    public let abandoned: [String]
}

/// Starts components in order, keeps them running, and drains them in reverse with a finite budget.
///
/// SIGTERM and SIGINT begin the drain, a second one cuts it short, SIGHUP calls `reload`. When a component's `run` ends
/// before that, the others are drained and `run()` throws with the component's name: a process is either whole or gone.
///
/// `@unchecked Sendable`: everything mutable is touched on the loop only.
public final class ServiceGroup: @unchecked Sendable {
    /// The signals a group listens to.
    public static let signals: [Int32] = [SIGTERM, SIGINT, SIGHUP]

    private let components: [LifecycleComponent]
    private let loop: EventLoop
    private let budget: Duration
    private let shortBudget: Duration
    private let reload: @Sendable () async -> Void
    private let ready: @Sendable () -> Void
    private let logger = Logger("lifecycle")

    private var machine: LifecycleMachine
    private var signalSource: SignalSource?
    private var budgetTimer: LoopTimer?
    private var deadline = MonotonicTime.now
    private var failures: [Int: any Error] = [:]
    private var tasks: [Int: [Task<Void, Never>]] = [:]
    private var completion: CheckedContinuation<LifecycleMachine.Outcome, Never>?

    /// Makes a group; nothing starts before `run()`.
    ///
    /// The whole drain takes no longer than `budget`, and after a second signal no longer than `shortBudget`. `reload` is
    /// called on SIGHUP, `ready` on the loop once everything has started.
    public init(
        _ components: [LifecycleComponent], loop: EventLoop, budget: Duration = .seconds(30),
        shortBudget: Duration = .seconds(1), reload: @escaping @Sendable () async -> Void = {},
        ready: @escaping @Sendable () -> Void = {}
    ) {
        self.components = components
        self.loop = loop
        self.budget = budget
        self.shortBudget = shortBudget
        self.reload = reload
        self.ready = ready
        machine = LifecycleMachine(count: components.count)
    }

    /// Holds the group's signals back until `run()` reads them. Call it first thing in `main`, before any thread.
    public static func blockSignals() { SignalSource.block(signals) }

    /// Ends the group as SIGTERM would, from any thread; before `run()` it is remembered.
    public func shutDown(reason: String) {
        loop.onLoop { self.feed(.stop(reason)) }
    }

    /// Runs the group to its end.
    /// Throws the error of the component that failed first, its name in the message.
    @discardableResult
    public func run() async throws(HarbourError) -> LifecycleSummary {
        let outcome = await withCheckedContinuation { continuation in
            loop.onLoop {
                self.completion = continuation
                self.begin()
            }
        }
        switch outcome {
        case .stopped(let reason, let abandoned):
            return LifecycleSummary(reason: reason, abandoned: abandoned.map { components[$0].name })
        case .failed(let index, let failure, _):
            let below = failures[index]
            let known = below as? HarbourError
            let name = components.indices.contains(index) ? components[index].name : "signals"
            throw HarbourError(
                known?.code ?? .internalError, "The part \"\(name)\" failed: \(known?.message ?? failure)",
                cause: below)
        }
    }

    private func begin() {
        do throws(HarbourError) {
            signalSource = try SignalSource(ServiceGroup.signals, loop: loop) { [weak self] in self?.signalled($0) }
        } catch {
            failures[components.count] = error
            complete(.failed(components.count, error.message, abandoned: []))
            return
        }
        feed(.begin)
    }

    private func signalled(_ number: Int32) {
        switch number {
        case SIGHUP:
            logger.info("reloading after SIGHUP")
            loop.spawn { await self.reload() }
        default:
            let name = number == SIGINT ? "SIGINT" : "SIGTERM"
            logger.info("stopping", ["signal": name])
            feed(.stop(name))
        }
    }

    private func feed(_ event: LifecycleMachine.Event) {
        loop.preconditionCurrent()
        for action in machine.handle(event) { perform(action) }
    }

    private func perform(_ action: LifecycleMachine.Action) {
        switch action {
        case .start(let index): start(index)
        case .run(let index): run(index)
        case .ready: ready()
        case .cancelStart(let index), .cancel(let index): for task in tasks[index] ?? [] { task.cancel() }
        case .drain(let index): drain(index)
        case .armBudget(let kind): arm(kind == .full ? budget : min(shortBudget, deadline - .now))
        case .finish(let outcome): complete(outcome)
        }
    }

    private func start(_ index: Int) {
        spawn(index) { [components] in
            do {
                try await components[index].start()
                self.loop.onLoop { self.feed(.started(index)) }
            } catch {
                self.loop.onLoop { self.failed(index, error) { .startFailed(index, $0) } }
            }
        }
    }

    private func run(_ index: Int) {
        guard let run = components[index].run else { return }
        spawn(index) {
            do {
                try await run()
                self.loop.onLoop { self.feed(.runEnded(index, nil)) }
            } catch {
                self.loop.onLoop { self.failed(index, error) { .runEnded(index, $0) } }
            }
        }
    }

    private func drain(_ index: Int) {
        let left = max(.zero, deadline - .now)
        spawn(index) { [components] in
            await components[index].drain(left)
            self.loop.onLoop {
                self.feed(.drained(index))
                // What has no task of its own ends with its drain.
                if components[index].run == nil { self.feed(.runEnded(index, nil)) }
            }
        }
    }

    private func spawn(_ index: Int, _ work: @escaping @Sendable () async -> Void) {
        tasks[index, default: []].append(loop.spawn(work))
    }

    private func failed(_ index: Int, _ error: any Error, _ event: (String) -> LifecycleMachine.Event) {
        // What ends because it was cancelled has not failed, and the first failure is the one to tell.
        if !(error is CancellationError), failures[index] == nil { failures[index] = error }
        feed(event((error as? HarbourError)?.message ?? String(describing: error)))
    }

    private func arm(_ budget: Duration) {
        budgetTimer?.cancel()
        deadline = .now + budget
        budgetTimer = loop.schedule(after: budget) { self.feed(.budgetExpired) }
    }

    private func complete(_ outcome: LifecycleMachine.Outcome) {
        budgetTimer?.cancel()
        signalSource?.close()
        signalSource = nil
        completion?.resume(returning: outcome)
        completion = nil
    }
}
