internal import Core
internal import HarbourProtocol

/// Decides about one context: the order of its commands, cancelling, time limits, and what a dead kernel means. Pure:
/// it knows neither clock nor kernel.
struct ContextMachine {
    enum Timer: Hashable {
        /// A cancelled command goes on.
        case grace
        /// The running command's time is over.
        case limit
    }

    /// How the kernel says a command ended.
    enum Outcome {
        case ok
        case failed(CommandError)
    }

    enum Event {
        case submit(String, limit: Duration?)
        case cancel(String)
        /// A kernel has been found and belongs to this context now.
        case kernelReady
        /// None could be found; the error is the answer to those who wait for it.
        case kernelFailed(CommandError)
        /// The running command has ended.
        case ended(Outcome)
        /// The kernel's process is gone; the error says more where the kernel ended because Spark did.
        case kernelGone(String, because: CommandError? = nil)
        case fired(Timer)
        /// The context shall end.
        case close
    }

    enum Action: Equatable {
        /// Find a kernel.
        case acquire
        case run(String)
        case interrupt
        case killKernel
        case state(String, CommandState, CommandError?)
        case schedule(Timer, Duration)
        case cancel(Timer)
        /// Nothing is left of it.
        case closed
    }

    private enum Kernel {
        /// To: acquiring, closed.
        case none
        /// To: ready, none, closed.
        case acquiring
        /// To: none, closed.
        case ready
        /// The context has ended, or ends when its kernel does.
        case closing
    }

    private enum Reason { case user, limit }

    private struct Running {
        var id: String
        var limit: Duration?
        var cancelled: Reason?
        var graceStage = 0
        var killed = false
    }

    let grace: Duration
    private var kernel = Kernel.none
    private var queue: [(id: String, limit: Duration?)] = []
    private var running: Running?
    /// Kernels that died one after the other without having ended a command.
    private var deaths = 0
    private(set) var failure: String?

    init(grace: Duration) { self.grace = grace }

    var state: ContextState {
        switch kernel {
        case .closing: .terminated
        case .ready: .running
        case .none: failure == nil ? .pending : .error
        case .acquiring: .pending
        }
    }

    var runningID: String? { running?.id }
    var waiting: Int { queue.count }

    /// Finds a kernel before there is a command for it.
    mutating func start() -> [Action] { acquire() }

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .submit(let id, let limit):
            queue.append((id, limit))
            return pump()
        case .cancel(let id): return cancel(id)
        case .kernelReady:
            if case .closing = kernel { return [.killKernel] }
            kernel = .ready
            failure = nil
            return pump()
        case .kernelFailed(let error):
            if case .closing = kernel { return [.closed] }
            kernel = .none
            failure = error.message
            return endQueue(.error, error)
        case .ended(let outcome): return ended(outcome)
        case .kernelGone(let reason, let cause): return kernelGone(reason, cause)
        case .fired(let timer): return fired(timer)
        case .close: return close()
        }
    }

    private mutating func acquire() -> [Action] {
        guard case .none = kernel else { return [] }
        kernel = .acquiring
        return [.acquire]
    }

    private mutating func pump() -> [Action] {
        switch kernel {
        case .none: return queue.isEmpty ? [] : acquire()
        case .acquiring: return []
        case .closing: return endQueue(.cancelled, ContextMachine.contextEnded)
        case .ready:
            guard running == nil, !queue.isEmpty else { return [] }
            let (id, limit) = queue.removeFirst()
            running = Running(id: id, limit: limit)
            let timer: [Action] = limit.map { [.schedule(.limit, $0)] } ?? []
            return [.state(id, .running, nil)] + timer + [.run(id)]
        }
    }

    private mutating func endQueue(_ state: CommandState, _ error: CommandError) -> [Action] {
        defer { queue = [] }
        return queue.map { .state($0.id, state, error) }
    }

    // MARK: Cancelling

    private mutating func cancel(_ id: String) -> [Action] {
        if let index = queue.firstIndex(where: { $0.id == id }) {
            queue.remove(at: index)
            return [.state(id, .cancelled, nil)]
        }
        guard running?.id == id else { return [] }
        return stop(.user)
    }

    private mutating func stop(_ reason: Reason) -> [Action] {
        guard var stopped = running, stopped.cancelled == nil else { return [] }
        stopped.cancelled = reason
        running = stopped
        return [.state(stopped.id, .cancelling, nil), .cancel(.limit), .interrupt, .schedule(.grace, grace / 2)]
    }

    private mutating func fired(_ timer: Timer) -> [Action] {
        switch timer {
        case .limit: return stop(.limit)
        case .grace:
            guard var late = running, late.cancelled != nil, !late.killed else { return [] }
            late.graceStage += 1
            late.killed = late.graceStage == 2
            running = late
            // An interrupt can get lost in code that catches everything: it is sent once more.
            return late.killed ? [.killKernel] : [.interrupt, .schedule(.grace, grace / 2)]
        }
    }

    // MARK: Ends

    private mutating func ended(_ outcome: Outcome) -> [Action] {
        guard let command = running else { return [] }
        running = nil
        deaths = 0
        let end: Action
        switch (outcome, command.cancelled) {
        case (.ok, _): end = .state(command.id, .finished, nil)
        case (.failed, .user): end = .state(command.id, .cancelled, nil)
        case (.failed, .limit):
            end = .state(command.id, .error, ContextMachine.timedOut(command.limit, restarted: false))
        case (.failed(let error), nil): end = .state(command.id, .error, error)
        }
        return [.cancel(.grace), .cancel(.limit), end] + pump()
    }

    private mutating func kernelGone(_ reason: String, _ cause: CommandError?) -> [Action] {
        var actions: [Action] = [.cancel(.grace), .cancel(.limit)]
        if let command = running {
            running = nil
            actions.append(lastState(of: command, reason, cause))
        }
        if case .closing = kernel { return actions + endQueue(.cancelled, ContextMachine.contextEnded) + [.closed] }
        deaths += 1
        kernel = .none
        actions += endQueue(
            .cancelled,
            CommandError(
                code: "KERNEL_DIED", name: "KernelDied",
                message: "It was not run: the kernel was restarted while it waited, and all variables were lost."))
        if deaths < 3 { return actions + acquire() }
        // Only when the next command comes: a kernel that dies by itself again and again must not keep us busy.
        failure = reason
        return actions
    }

    private func lastState(of command: Running, _ reason: String, _ cause: CommandError?) -> Action {
        if case .closing = kernel { return .state(command.id, .cancelled, ContextMachine.contextEnded) }
        if let cause, command.cancelled == nil { return .state(command.id, .error, cause) }
        guard command.killed else {
            let message = "\(reason) All variables of the context were lost; it has been restarted."
            return .state(command.id, .error, CommandError(code: "KERNEL_DIED", name: "KernelDied", message: message))
        }
        if case .limit = command.cancelled {
            return .state(command.id, .error, ContextMachine.timedOut(command.limit, restarted: true))
        }
        let message =
            "It did not react to the interrupt in time, so its kernel was restarted. "
            + "All variables of the context were lost."
        return .state(
            command.id, .cancelled, CommandError(code: "KERNEL_RESTARTED", name: "KernelRestarted", message: message))
    }

    private mutating func close() -> [Action] {
        let kernel = kernel
        self.kernel = .closing
        let ends = endQueue(.cancelled, ContextMachine.contextEnded)
        switch kernel {
        case .none: return ends + [.closed]
        case .ready: return ends + [.killKernel]
        // The kernel is killed when it comes, and a second request changes nothing.
        case .acquiring, .closing: return ends
        }
    }

    private static let contextEnded = CommandError(
        code: "CONTEXT_TERMINATED", name: "ContextTerminated", message: "The context was ended.")

    private static func timedOut(_ limit: Duration?, restarted: Bool) -> CommandError {
        let seconds = (limit?.milliseconds ?? 0) / 1000
        let end =
            restarted
            ? "It did not react to the interrupt, so its kernel was restarted and all variables were lost."
            : "It was interrupted."
        return CommandError(
            code: "TIMED_OUT", name: "TimedOut",
            message: "The command took longer than its limit of \(seconds) s. \(end)")
    }
}
