internal import Core
internal import EventLoop
internal import HarbourProtocol

/// How much is kept of outputs that nobody has read when their cluster ended, and for how long.
struct OutputLimits: Sendable {
    /// Compressed bytes of all of it; the oldest goes first.
    var total = 4 << 30
    /// How long.
    var age = Duration.seconds(14 * 86_400)
}

/// Keeps the outputs of commands beyond their cluster's end until whoever asked for them has read them.
///
/// An actor on the service's loop.
actor OutputKeeper {
    nonisolated let loop: EventLoop
    nonisolated let store: KeptEventStore
    private let limits: OutputLimits
    private var timer: LoopTimer?
    private let logger = Logger("cluster.outputs")

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(store: KeptEventStore, limits: OutputLimits, loop: EventLoop) {
        self.store = store
        self.limits = limits
        self.loop = loop
    }

    // MARK: Keeping

    /// Commands that are kept at a time.
    private static let width = 8

    /// Keeps the commands' events as far as the source has them and the budget lasts.
    /// - Returns: the commands of which not everything is kept.
    func keep(
        _ commands: [CommandInfo], start: Int64, from source: OutputSource, _ budget: KeepingBudget
    ) async -> [CommandInfo] {
        var waiting = KeepingQueue(commands)
        var missing: [CommandInfo] = []
        await withTaskGroup(of: CommandInfo?.self) { group in
            for _ in 0..<OutputKeeper.width {
                guard let info = waiting.next(budget) else { break }
                group.addTask { [self] in await kept(info, start: start, from: source, budget) ? nil : info }
            }
            while let left = await group.next() {
                if let left { missing.append(left) }
                guard let info = waiting.next(budget) else { continue }
                group.addTask { [self] in await kept(info, start: start, from: source, budget) ? nil : info }
            }
        }
        return missing + waiting.rest
    }

    private func kept(
        _ info: CommandInfo, start: Int64, from source: OutputSource, _ budget: KeepingBudget
    ) async -> Bool {
        do {
            return try await keep(info, start: start, from: source, budget)
        } catch {
            logger.warning(
                "the output of a command could not be kept",
                [
                    "cluster_id": info.clusterID, "context_id": info.contextID, "command_id": info.commandID,
                    "error": HarbourError.describe(error),
                ])
            return false
        }
    }

    private func keep(
        _ info: CommandInfo, start: Int64, from source: OutputSource, _ budget: KeepingBudget
    ) async throws -> Bool {
        let begun = try await persistently(budget) { [store] in
            try await store.begin(info, start: start, now: .now)
        }
        guard let known = begun, !known.isWhole else { return true }
        var gathering = OutputGathering(info, kept: known.lastSequence)
        let isThere: Bool
        do {
            isThere = try await read(info, from: source, budget) { event in
                let before = gathering.byteCount
                let piece = gathering.take(event)
                let size = gathering.byteCount - before
                // What the gathering has given away is not in its rest any more, should the budget end here.
                if let piece { try await add(piece, to: info, budget) }
                try budget.take(size, forEnded: info.hasEnded, now: .now)
            }
        } catch {
            // What came before it broke off is there all the same.
            if let piece = gathering.rest() { try await add(piece, to: info, budget) }
            throw error
        }
        if let piece = gathering.rest() { try await add(piece, to: info, budget) }
        switch source {
        // Its stream ends with the command's last event, or has broken.
        case .driver: guard gathering.isEnded || !isThere else { return false }
        // Nobody writes it any more: what is there is all there is, unless more was seen, such as what a full disk did not
        // take. Where somebody may still write it, only an end in it is one.
        case .folder(_, let isFinal):
            guard gathering.last >= info.lastSequence, isFinal || gathering.isEnded else { return false }
        }
        // A command that had ended has been there. One that had not may never have come to the driver.
        guard isThere || !info.hasEnded else { return false }
        let ended = gathering.info
        try await persistently(budget) { [store] in try await store.finish(ended) }
        return true
    }

    private func add(_ piece: KeptPiece, to info: CommandInfo, _ budget: KeepingBudget) async throws {
        try await persistently(budget) { [store] in try await store.append(piece, to: info) }
    }

    /// Waits for a database that is away, which is not counted as work.
    func persistently<Value: Sendable>(
        _ budget: KeepingBudget? = nil, _ body: () async throws -> Value
    ) async throws -> Value {
        var pause = Pause(from: .milliseconds(100), to: .seconds(5))
        var waits = false
        defer { if waits { budget?.waited(now: .now) } }
        while true {
            do {
                return try await body()
            } catch {
                let failure = HarbourError.wrap(error)
                guard failure.code == .unavailable || failure.code == .deadlineExceeded, !Task.isCancelled else {
                    throw failure
                }
                if !waits { budget?.waits(now: .now) }
                waits = true
                logger.warning("outputs cannot be kept yet", ["error": failure.describeChain()])
                try await pause.wait(on: loop)
            }
        }
    }

    // MARK: Bounds

    /// Begins to remove what is too old or too much, now and every hour.
    func start() {
        loop.spawn { [self] in await sweep() }
        timer = loop.schedule(after: .seconds(3600)) { [self] in loop.spawn { [self] in await start() } }
    }

    func stop() { timer?.cancel() }

    /// Removes what is older than the age, then the oldest until the rest fits.
    func sweep() async {
        do {
            let oldest = Timestamp(milliseconds: Timestamp.now.milliseconds - limits.age.milliseconds)
            let gone = try await store.sweep(before: oldest, keeping: limits.total)
            if gone > 0 {
                logger.warning(
                    "outputs that nobody has read were removed by age or size", ["commands": gone])
            }
        } catch {
            logger.warning("kept outputs could not be looked through", ["error": HarbourError.describe(error)])
        }
    }
}

/// The commands that nobody has begun to keep.
private struct KeepingQueue {
    private var ended: ArraySlice<CommandInfo>
    private var open: ArraySlice<CommandInfo>

    init(_ commands: [CommandInfo]) {
        ended = commands.filter { $0.hasEnded }[...]
        open = commands.filter { !$0.hasEnded }[...]
    }

    /// Those that are left.
    var rest: [CommandInfo] { Array(ended) + Array(open) }

    /// The next one for which there is room: those that have ended leave some that only the open ones may take.
    mutating func next(_ budget: KeepingBudget) -> CommandInfo? {
        if !ended.isEmpty, budget.hasRoom(forEnded: true, now: .now) { return ended.popFirst() }
        return budget.hasRoom(forEnded: false, now: .now) ? open.popFirst() : nil
    }
}

extension CommandInfo {
    /// Whether it is known to have ended: only then its last number is.
    var hasEnded: Bool { lastSequence != 0 }
}
