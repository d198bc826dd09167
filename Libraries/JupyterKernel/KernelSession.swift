internal import Core

/// Decides what a kernel's messages mean. Pure: no clock, no socket, no process.
///
/// One request is with the kernel at a time; the others wait here, so that a failure or an interrupt of one cannot make
/// the kernel throw away those behind it. A request has ended when both its reply (shell) and its idle status (output)
/// have come: the two channels are not ordered, and outputs come before idle.
struct KernelSession {
    enum Timer: Hashable {
        /// The kernel has replied, but its outputs do not reach us yet.
        case subscription
        /// The end of a request is late: half of it has come, or the kernel was interrupted.
        case end
        /// A question has not been answered yet.
        case question(UInt64)
    }

    enum Event {
        /// A process has been started and its channels made.
        case launched
        case submit(UInt64, KernelRequest)
        /// Take the request out of the queue; does nothing once it has begun.
        case withdraw(UInt64)
        /// Ask about code as soon as nothing runs, if that is within the time; then the kernel has time to think.
        case ask(UInt64, KernelQuestion, patience: Duration)
        /// Answer a question of the request that runs.
        case reply(String, to: KernelInput)
        /// Stop what runs.
        case interrupt
        case received(KernelChannel, JupyterMessage)
        case oversized(KernelChannel, Int)
        case fired(Timer)
        /// Ask the kernel to leave.
        case shutdown
        /// The process has ended; the text says how. Requests that wait end too, unless another process will follow.
        case ended(String, willRestart: Bool)
    }

    enum Action {
        case send(KernelChannel, JupyterMessage)
        case report(UInt64, KernelRequestEvent)
        /// What the kernel says to a question; nil when it did not say it in time.
        case answer(UInt64, JupyterMessage?)
        /// An output that belongs to no request of ours that still runs.
        case stray(KernelOutput)
        case ready(KernelInfo)
        case signalInterrupt
        /// Replaces the timer of the same name.
        case schedule(Timer, Duration)
        case cancel(Timer)
    }

    private struct Running {
        var id: UInt64
        var messageID: String
        var result: KernelResult?
        var isIdle = false
        /// The exception it has put out; stands in for a reply that got lost.
        var error: KernelError?
        /// The kernel info request that was sent because the end is late.
        var probeID: String?
    }

    private enum State {
        /// No process; requests wait for the next one, or are refused. To: starting.
        case down(willRestart: Bool)
        /// Waiting for the kernel info reply and a first message on the output channel. To: idle, down.
        case starting(info: KernelInfo?, outputSeen: Bool)
        /// To: busy, down.
        case idle
        /// To: idle, busy with the next request, down.
        case busy(Running)
    }

    /// How long the rest of a request's end may stay behind before the kernel is asked. A kernel under a flood throws
    /// outputs away, the idle status too, and one that is interrupted twice throws its reply away. A later request is
    /// taken up only after this one, so the answers to it prove that nothing more will come.
    static let endPatience: Duration = .seconds(2)
    static let subscriptionInterval: Duration = .milliseconds(50)
    /// How many questions of one request may be open.
    static let askedLimit = 16

    let interruptByMessage: Bool
    private let session: String
    private var state = State.down(willRestart: true)
    private var queue: [(id: UInt64, request: KernelRequest)] = []
    private var questions = KernelQuestions()
    /// What the running request asks.
    private var asked: Set<String> = []
    private var counter = 0

    /// `session` must be unique to this kernel: it names all our messages.
    init(session: String, interruptByMessage: Bool) {
        self.session = session
        self.interruptByMessage = interruptByMessage
    }

    var isReady: Bool {
        switch state {
        case .idle, .busy: true
        case .down, .starting: false
        }
    }

    /// The request the kernel works on.
    var running: UInt64? { if case .busy(let running) = state { running.id } else { nil } }

    /// How many requests wait.
    var waiting: Int { queue.count }

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .launched:
            state = .starting(info: nil, outputSeen: false)
            return [.send(.shell, message("kernel_info_request"))]
        case .submit(let id, let request):
            if case .down(willRestart: false) = state {
                return [.report(id, .ended(KernelResult(.died("The kernel does not run any more."))))]
            }
            queue.append((id, request))
            return startNext()
        case .withdraw(let id):
            guard let index = queue.firstIndex(where: { $0.id == id }) else { return [] }
            queue.remove(at: index)
            return [.report(id, .ended(KernelResult(.withdrawn)))]
        case .ask(let id, let question, let patience):
            if case .down(willRestart: false) = state { return [.answer(id, nil)] }
            return questions.add(id, question, patience: patience) + startNext()
        case .reply(let text, let input):
            guard asked.remove(input.id) != nil else { return [] }
            return [.send(.input, message("input_reply", content: ["status": "ok", "value": .string(text)]))]
        case .interrupt:
            guard running != nil else { return [] }
            let action: Action =
                interruptByMessage ? .send(.control, message("interrupt_request")) : .signalInterrupt
            return [action, .schedule(.end, KernelSession.endPatience)]
        case .received(let channel, let message): return received(channel, message)
        case .oversized(let channel, let bytes):
            guard channel == .output else { return [] }
            return report(output: .oversized(bytes))
        case .fired(let timer): return fired(timer)
        case .shutdown: return [.send(.control, message("shutdown_request", content: ["restart": false]))]
        case .ended(let reason, let willRestart): return ended(reason, willRestart)
        }
    }

    private mutating func received(_ channel: KernelChannel, _ message: JupyterMessage) -> [Action] {
        switch channel {
        case .shell: return reply(message)
        case .output: return output(message)
        case .input: return question(message)
        case .control, .heartbeat: return []
        }
    }

    // MARK: Shell

    private mutating func reply(_ message: JupyterMessage) -> [Action] {
        if let actions = questions.reply(message) { return actions + startNext() }
        switch state {
        case .starting(let info, let outputSeen):
            guard message.type == "kernel_info_reply" else { return [] }
            state = .starting(info: info ?? KernelContent.info(of: message), outputSeen: outputSeen)
            return becomeReady()
        case .busy(var running):
            guard running.result == nil else { return [] }
            if message.type == "execute_reply", message.parentID == running.messageID {
                running.result = KernelContent.result(of: message)
            } else if message.type == "kernel_info_reply", message.parentID == running.probeID {
                running.result = KernelSession.lostResult(running)
            } else {
                return []
            }
            state = .busy(running)
            return running.isIdle ? finish() : [.schedule(.end, KernelSession.endPatience)]
        case .down, .idle: return []
        }
    }

    private static func lostResult(_ running: Running) -> KernelResult {
        let error = KernelError(
            name: "KernelInterrupted", message: "The kernel was interrupted and did not say how far it got.")
        return KernelResult(.error(running.error ?? error))
    }

    private mutating func becomeReady() -> [Action] {
        guard case .starting(.some(let info), let outputSeen) = state else { return [] }
        // Until our subscription has arrived, outputs would be lost. Asking again brings a status message.
        guard outputSeen else { return [.schedule(.subscription, KernelSession.subscriptionInterval)] }
        state = .idle
        return [.cancel(.subscription), .ready(info)] + startNext()
    }

    private mutating func startNext() -> [Action] {
        guard case .idle = state else { return [] }
        guard !queue.isEmpty else { return askNext() }
        let (id, request) = queue.removeFirst()
        let content: JSONObject = [
            "code": .string(request.code), "silent": .bool(request.isSilent),
            "store_history": .bool(!request.isSilent), "user_expressions": [:], "allow_stdin": false,
            "stop_on_error": true,
        ]
        var execute = message("execute_request", content: content)
        execute.metadata = request.metadata.encodedJSON()
        state = .busy(Running(id: id, messageID: execute.id))
        return [.report(id, .began), .send(.shell, execute)]
    }

    private mutating func askNext() -> [Action] {
        guard let question = questions.next() else { return [] }
        var request = message(question.messageType, content: question.content)
        request.metadata = question.metadata.encodedJSON()
        return [.send(.shell, request), questions.sent(as: request.id)]
    }

    private mutating func finish() -> [Action] {
        guard case .busy(let running) = state, let result = running.result else { return [] }
        state = .idle
        asked = []
        return [.cancel(.end), .report(running.id, .ended(result))] + questions.passedOver() + startNext()
    }

    // MARK: Output

    private mutating func output(_ message: JupyterMessage) -> [Action] {
        switch state {
        case .starting(let info, _):
            state = .starting(info: info, outputSeen: true)
            return becomeReady()
        case .busy(var running) where message.parentID == running.messageID || message.parentID == running.probeID:
            if message.type == "status" { return status(message, running) }
            if message.type == "execute_input" {
                return KernelContent.executionCount(of: message).map { [.report(running.id, .counted($0))] } ?? []
            }
            guard let output = KernelContent.output(of: message) else { return [] }
            if case .error(let error) = output {
                running.error = error
                state = .busy(running)
            }
            return [.report(running.id, .output(output))]
        case .busy, .idle:
            return KernelContent.output(of: message).map { report(output: $0) } ?? []
        case .down: return []
        }
    }

    private mutating func status(_ message: JupyterMessage, _ running: Running) -> [Action] {
        var running = running
        if message.parentID == running.probeID {
            // The kernel has taken up a later request, so the idle status of this one, and perhaps more, is lost.
            running.result?.mayLackOutputs = true
            running.isIdle = true
        } else if KernelContent.state(of: message) == "idle" {
            running.isIdle = true
        }
        state = .busy(running)
        guard running.isIdle else { return [] }
        return running.result == nil ? [.schedule(.end, KernelSession.endPatience)] : finish()
    }

    /// An output whose request has ended comes from a thread it left behind: it is shown where the user looks now.
    private func report(output: KernelOutput) -> [Action] {
        if let running { return [.report(running, .output(output))] }
        return [.stray(output)]
    }

    // MARK: Input

    private mutating func question(_ request: JupyterMessage) -> [Action] {
        guard request.type == "input_request" else { return [] }
        if let running, let question = KernelContent.question(of: request), asked.count < KernelSession.askedLimit {
            asked.insert(request.id)
            return [.report(running, .asked(KernelInput(id: request.id, question: question)))]
        }
        let sentence = "Nobody can be asked here: input() and its like do not work in a cluster. Use a parameter."
        let answer = message(
            "input_reply",
            content: ["status": "error", "ename": "StdinNotSupported", "evalue": .string(sentence), "value": ""])
        let prompt = KernelContent.prompt(of: request)
        return report(output: .stream(name: "stderr", text: "\(prompt)\n\(sentence)\n")) + [.send(.input, answer)]
    }

    // MARK: Timers and the end

    private mutating func fired(_ timer: Timer) -> [Action] {
        switch (timer, state) {
        case (.question(let id), _): return questions.expired(id)
        case (.subscription, .starting):
            return [
                .send(.shell, message("kernel_info_request")),
                .schedule(.subscription, KernelSession.subscriptionInterval),
            ]
        case (.end, .busy(var running)):
            // The answer on the shell cannot get lost: one question is enough until it has come.
            if running.result == nil && running.probeID != nil { return [] }
            let probe = message("kernel_info_request")
            running.probeID = probe.id
            state = .busy(running)
            return [.send(.shell, probe), .schedule(.end, KernelSession.endPatience)]
        default: return []
        }
    }

    private mutating func ended(_ reason: String, _ willRestart: Bool) -> [Action] {
        var actions: [Action] = [.cancel(.end), .cancel(.subscription)] + questions.endAll()
        if case .busy(let running) = state {
            // A reply that has come is the truth, whatever happened to the kernel after it.
            var result = running.result ?? KernelResult(.died(reason))
            result.mayLackOutputs = true
            actions.append(.report(running.id, .ended(result)))
        }
        state = .down(willRestart: willRestart)
        asked = []
        if !willRestart {
            actions += queue.map { .report($0.id, .ended(KernelResult(.died(reason)))) }
            queue = []
        }
        return actions
    }

    private mutating func message(_ type: String, content: JSONObject = [:]) -> JupyterMessage {
        counter += 1
        return JupyterMessage(id: "\(session)-\(counter)", type: type, content: content.encodedJSON())
    }
}
