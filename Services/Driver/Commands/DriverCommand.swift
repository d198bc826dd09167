internal import CommandJournals
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import JupyterKernel

/// One command: what it is asked, what became of it, and who follows it. Used on the driver's loop only.
final class DriverCommand: @unchecked Sendable {
    let journal: CommandJournal
    /// Empty for a command of a driver that came before this one.
    let source: String
    let timeoutSeconds: Int
    /// What the notebook has, until the kernel is given it.
    private var widgets: [NotebookWidget]?
    let changed: LoopSignal
    private(set) var state = CommandState.queued
    private(set) var started: Timestamp?
    private(set) var ended: Timestamp?
    private(set) var executionCount: Int64?
    private(set) var error: CommandError?
    private(set) var exitValue: String?
    private(set) var isTruncated = false
    /// Called when it is ended because its output could not be written down: the kernel does not know yet.
    var onGivenUp: (() -> Void)?
    private var limiter: OutputLimiter
    private let clusterID: String
    private let loop: EventLoop
    /// Until text that is held back, because it may be the beginning of a secret, is passed on all the same.
    private var holding: LoopTimer?
    /// Long enough for the second part of a text that a kernel has cut, too short for a person to miss it.
    private static let holdingTime = Duration.milliseconds(500)

    /// A new command, queued.
    init(
        journal: CommandJournal, source: String, timeoutSeconds: Int, widgets: [NotebookWidget]?,
        limiter: OutputLimiter, clusterID: String, loop: EventLoop
    ) {
        self.journal = journal
        self.source = source
        self.timeoutSeconds = timeoutSeconds
        self.widgets = widgets
        self.limiter = limiter
        self.clusterID = clusterID
        self.loop = loop
        changed = LoopSignal(loop)
        change { $0.state = .queued }
    }

    /// A command of a driver that came before this one. If that died in the middle of it, it ends here.
    init?(recovering path: String, limiter: OutputLimiter, clusterID: String, loop: EventLoop) throws(HarbourError) {
        var events: [CommandEvent] = []
        guard let journal = try CommandJournal(opening: path, restore: { events.append($0) }) else { return nil }
        self.journal = journal
        source = ""
        timeoutSeconds = 0
        self.limiter = limiter
        self.clusterID = clusterID
        self.loop = loop
        changed = LoopSignal(loop)
        for event in events { apply(event) }
        if !state.isFinal {
            end(
                .error,
                CommandError(
                    code: "DRIVER_LOST", name: "DriverLost",
                    message: "The cluster's driver ended while the command was running or waiting. Run it again."))
        }
        journal.seal()
    }

    var id: String { journal.header.commandID }

    var info: CommandInfo {
        CommandInfo(
            commandID: id, contextID: journal.header.contextID, clusterID: clusterID,
            language: journal.header.language, state: state, submittedTime: journal.header.submitted,
            startTime: started, endTime: ended, executionCount: executionCount, error: error, exitValue: exitValue,
            lastSequence: journal.lastSequence, truncated: isTruncated ? true : nil)
    }

    /// A piece of the output beyond the limit.
    /// - Throws: as `OverflowFile.piece`.
    func overflow(at offset: Int64) throws(HarbourError) -> CommandOverflow {
        let (bytes, size) = try OverflowFile.piece(of: limiter.overflowPath, at: offset)
        let next = offset + Int64(bytes.count)
        return CommandOverflow(
            text: String(decoding: bytes, as: UTF8.self), offset: offset, nextOffset: next < size ? next : nil,
            size: size)
    }

    // MARK: What happens to it

    /// The notebook's widgets, once: commands that have ended are kept, and these may be long.
    func takeWidgets() -> [NotebookWidget]? {
        defer { widgets = nil }
        return widgets
    }

    func begin() { change { $0.state = .running } }

    func beginCancelling() { if !state.isFinal { change { $0.state = .cancelling } } }

    func counted(_ count: Int64) { executionCount = count }

    func output(_ output: KernelOutput) {
        guard !state.isFinal else { return }
        append(limiter.drafts(of: output))
        holding?.cancel()
        holding =
            limiter.isHolding
            ? loop.schedule(after: DriverCommand.holdingTime) { [weak self] in self?.passRest() } : nil
    }

    private func passRest() {
        holding?.cancel()
        holding = nil
        // After its last event nothing may follow, such as when the text that was held back came before a full disk.
        guard !state.isFinal else { return }
        append(limiter.rest())
    }

    private func append(_ drafts: [OutputLimiter.Draft]) {
        do throws(HarbourError) {
            for draft in drafts {
                try append(changesState: draft.type == .exit || draft.type == .truncated) { event in
                    event.type = draft.type
                    event.name = draft.name
                    event.text = draft.text
                    event.data = draft.data
                    event.metadata = draft.metadata
                    event.displayID = draft.displayID
                    event.wait = draft.wait
                    event.executionCount = draft.executionCount
                    event.error = draft.error
                }
            }
        } catch {
            giveUp(error)
        }
    }

    /// Its output cannot be written down: it ends here, with a mark where the output stops, rather than with a gap.
    private func giveUp(_ cause: HarbourError) {
        change { event in
            event.type = .truncated
            event.text = "The output stops here: it could not be written to the cluster's disk."
        }
        let error = CommandError(
            code: "OUTPUT_NOT_STORED", name: "OutputNotStored",
            message: "\(cause.message) The command was ended, and what it put out after that is lost. Make room on the "
                + "disk of the cluster's folder, then run it again.")
        finish(.error, error)
        onGivenUp?()
    }

    /// The last event: followers end after it.
    func end(_ state: CommandState, _ error: CommandError? = nil) {
        guard !self.state.isFinal else { return }
        // Its kernel has ended it already.
        onGivenUp = nil
        passRest()
        // Unless the rest could not be written.
        if !self.state.isFinal { finish(state, error) }
    }

    private func finish(_ state: CommandState, _ error: CommandError?) {
        let count = executionCount
        change { event in
            event.state = state
            event.executionCount = count
            // The traceback has been an output of its own.
            event.error = error.map { CommandError(code: $0.code, name: $0.name, message: $0.message) }
        }
        journal.seal()
    }

    /// Forgets what it has put out.
    func remove() {
        journal.remove()
        limiter.removeOverflow()
    }

    private func change(_ fill: (inout CommandEvent) -> Void) {
        // What changes the command is there for readers whatever the disk says.
        do throws(HarbourError) { try append(changesState: true, fill) } catch { preconditionFailure("\(error)") }
    }

    private func append(
        changesState: Bool, _ fill: (inout CommandEvent) -> Void
    ) throws(HarbourError) {
        var event = CommandEvent(sequence: 0, timestamp: .now, type: .state)
        fill(&event)
        try journal.append(changesState: changesState) { sequence in
            event.sequence = sequence
            return event
        }
        apply(event)
        changed.notify()
    }

    private func apply(_ event: CommandEvent) {
        switch event.type {
        case .exit: exitValue = event.text
        case .truncated: isTruncated = true
        case .state:
            guard let state = event.state else { return }
            self.state = state
            if state == .running { started = event.timestamp }
            if state.isFinal {
                ended = event.timestamp
                error = event.error
                executionCount = event.executionCount ?? executionCount
            }
        default: break
        }
    }

    // MARK: Following

    /// Gives every event after that number, as JSON and in batches, until the last one. Any number may follow.
    /// - Throws: `CancellationError`, and what `body` throws.
    func follow(after sequence: Int64, _ body: (_ events: [[UInt8]]) async throws -> Void) async throws {
        var seen = max(0, sequence)
        while true {
            let version = changed.version
            let events = try journal.events(after: seen, bytes: 262_144)
            if !events.isEmpty {
                seen += Int64(events.count)
                try await body(events)
            } else if state.isFinal {
                return
            } else {
                try await changed.wait(after: version)
            }
        }
    }
}

extension CommandState {
    /// Whether nothing more happens to the command.
    var isFinal: Bool {
        switch self {
        case .queued, .running, .cancelling: false
        case .finished, .error, .cancelled: true
        }
    }
}
