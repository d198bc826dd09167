internal import Core
internal import EventLoop
internal import Postgres
internal import Synchronization

extension ErrorCode {
    /// Another instance of the cluster service has taken over; whoever sees this stops working on clusters.
    static let superseded = ErrorCode("SERVICE_SUPERSEDED", status: 503)
}

/// The number that every write of this instance names: it counts the instances that have taken over.
final class Fence: Sendable {
    private let number = Mutex<Int64>(0)

    var epoch: Int64 { number.withLock { $0 } }
    func set(_ epoch: Int64) { number.withLock { $0 = epoch } }

    /// True in SQL as long as nobody else has taken over.
    var holds: SQL { "(SELECT epoch FROM installation) = \(epoch)" }

    static let lost = HarbourError(
        .superseded, "Another instance of the cluster service has taken over. Try again; it will answer.")
}

/// Lets one instance of the service act on clusters while the others wait.
///
/// One at a time rather than an owner for each cluster: a cluster's owner holds its driver's connection and its commands,
/// so that every request would have to be passed on to the owner, and what is to be gained is not throughput (the work is
/// in the drivers) but that another one goes on at once. An advisory lock of PostgreSQL does that: it is free in the
/// moment in which its holder ends in order, is killed, or its machine's connection is given up, and who waits for it
/// gets it without asking again. The fence makes it safe: who has lost the lock without knowing cannot write.
final class ActiveInstance: Sendable {
    private struct State {
        var holder: Task<Void, Never>?
        /// Ends when the lock is lost.
        var lost: AsyncStream<Void>?
        var isReleased = false
    }

    private let pool: PostgresPool
    private let loop: EventLoop
    private let fence: Fence
    private let logger = Logger("cluster.active")
    private let state = Mutex(State())

    /// How often it is looked whether the lock's connection is still there.
    private static let heartbeat = Duration.seconds(5)
    private static let always = Duration.seconds(3_153_600_000)
    private static let key: SQL = "hashtextextended('harbour cluster: the active instance', 0)"

    init(pool: PostgresPool, loop: EventLoop, fence: Fence) {
        self.pool = pool
        self.loop = loop
        self.fence = fence
    }

    /// Waits until no other instance acts, and takes over. When it returns, all that the one before has begun to write is
    /// written, and it can write nothing more.
    func acquire() async throws {
        guard try await take(patiently: true) else {
            try Task.checkCancellation()
            throw HarbourError(.unavailable, "The database could not be asked which instance is active. Try again.")
        }
        try await pool.query("INSERT INTO installation (id) VALUES (\(Identifier.make())) ON CONFLICT DO NOTHING")
        let rows = try await pool.query("UPDATE installation SET epoch = epoch + 1 RETURNING epoch")
        guard let row = rows.first else { throw HarbourError(.internalError, "The installation has no name.") }
        fence.set(try row.decode(Int64.self))
        // A statement that saw the number before has locked its table until its transaction ends.
        _ = try await pool.transaction { transaction in
            try await transaction.query("LOCK TABLE clusters, commands IN SHARE MODE")
        }
        logger.info("this instance is active", ["epoch": fence.epoch])
    }

    /// Keeps the lock, and takes it again when the database was away.
    /// - Throws: `SERVICE_SUPERSEDED` when another instance has it.
    func keep() async throws {
        while true {
            if let lost = state.withLock({ $0.lost }) { for await _ in lost {} }
            if Task.isCancelled || state.withLock({ $0.isReleased }) { return }
            logger.warning("the connection of the active instance was lost")
            var pause = Pause(from: .milliseconds(50), to: .seconds(1))
            while try await !takeAgain() { try await pause.wait(on: loop) }
        }
    }

    /// Lets another instance take over.
    func release() async {
        let holder = state.withLock { state in
            state.isReleased = true
            return state.holder
        }
        holder?.cancel()
        await holder?.value
    }

    private func takeAgain() async throws -> Bool {
        do {
            let taken = try await take(patiently: false)
            let rows = try await pool.query("SELECT epoch FROM installation", timeout: .seconds(5))
            guard try rows.first?.decode(Int64.self) == fence.epoch else { throw Fence.lost }
            return taken
        } catch let error as HarbourError where error.code != .superseded {
            logger.debug("the database does not answer", ["error": error.describeChain()])
            return false
        }
    }

    /// Takes the lock in a transaction that is kept open; false when somebody else has it, or the database is away.
    private func take(patiently: Bool) async throws -> Bool {
        let (lost, lostEnd) = AsyncStream.makeStream(of: Void.self)
        let (answers, answer) = AsyncStream.makeStream(of: Bool.self)
        let holder = loop.spawn { [self] in
            do {
                try await pool.transaction(timeout: ActiveInstance.always) { transaction in
                    try await transaction.query("SET LOCAL idle_in_transaction_session_timeout = 0")
                    try await transaction.query("SET LOCAL statement_timeout = 0")
                    let taken = try await lock(transaction, patiently: patiently)
                    answer.yield(taken)
                    if taken { try await beat(transaction, lostEnd) }
                }
            } catch {
                if !Task.isCancelled { logger.debug("no lock", ["error": HarbourError.describe(error)]) }
            }
            answer.finish()
            lostEnd.finish()
        }
        for await taken in answers {
            if taken { state.withLock { $0 = State(holder: holder, lost: lost) } }
            return taken
        }
        // Cancelled while it waited, or the database is away.
        holder.cancel()
        return false
    }

    private func lock(_ transaction: PostgresTransaction, patiently: Bool) async throws -> Bool {
        if patiently {
            try await transaction.query(
                "SELECT pg_advisory_xact_lock(\(ActiveInstance.key))", timeout: ActiveInstance.always)
            return true
        }
        let rows = try await transaction.query("SELECT pg_try_advisory_xact_lock(\(ActiveInstance.key))")
        return try rows.first?.decode(Bool.self) ?? false
    }

    private func beat(_ transaction: PostgresTransaction, _ lost: AsyncStream<Void>.Continuation) async throws {
        do {
            while true {
                try await loop.sleep(for: ActiveInstance.heartbeat)
                try await transaction.query("SELECT 1", timeout: ActiveInstance.heartbeat)
            }
        } catch {
            // Told at once: rolling back on a connection that hangs may take its time.
            lost.finish()
            throw error
        }
    }
}
