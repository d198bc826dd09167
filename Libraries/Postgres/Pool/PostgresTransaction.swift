public import Core
internal import EventLoop

/// How much of other transactions' work a transaction sees (PostgreSQL manual, section 13.2).
public enum TransactionIsolation: String, Sendable {
    /// Each statement sees what was committed before it.
    case readCommitted = "READ COMMITTED"
    /// All statements see what was committed before the first.
    case repeatableRead = "REPEATABLE READ"
    /// As if one transaction ran after the other; expect conflicts and allow retries.
    case serializable = "SERIALIZABLE"
}

/// A transaction under way. It is valid only inside the closure it was given to.
///
/// `@unchecked Sendable`: what changes is touched on the loop only.
public final class PostgresTransaction: @unchecked Sendable {
    private let connection: PostgresConnection
    private let deadline: MonotonicTime
    private let queryTimeout: Duration
    /// BEGIN goes with the first statement, which saves a round trip.
    private var preamble: String?
    fileprivate var isOpen = true
    fileprivate var hasBegun: Bool { preamble == nil }

    init(_ connection: PostgresConnection, isolation: TransactionIsolation, deadline: MonotonicTime) {
        self.connection = connection
        self.deadline = deadline
        queryTimeout = connection.configuration.queryTimeout
        preamble = isolation == .readCommitted ? "BEGIN" : "BEGIN ISOLATION LEVEL \(isolation.rawValue)"
    }

    /// Runs a statement inside the transaction. After a failure only the end of the transaction is possible, unless the
    /// statement ran inside `savepoint`.
    @discardableResult
    public func query(_ sql: SQL, timeout: Duration? = nil) async throws(HarbourError) -> PostgresRows {
        try sql.check()
        let limit = MonotonicTime.now + (timeout ?? queryTimeout)
        return try await send(sql, deadline: min(limit, deadline))
    }

    /// Runs the body inside a savepoint: when it throws, what it did is undone and the transaction goes on.
    @discardableResult
    public func savepoint<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        try await query("SAVEPOINT harbour")
        do {
            let value = try await body()
            try await query("RELEASE SAVEPOINT harbour")
            return value
        } catch {
            try await send("ROLLBACK TO SAVEPOINT harbour", deadline: .now + queryTimeout)
            try await send("RELEASE SAVEPOINT harbour", deadline: .now + queryTimeout)
            throw error
        }
    }

    /// `COMMIT` and `ROLLBACK` are not cancelled with the task, so that the connection comes back clean.
    @discardableResult
    fileprivate func send(
        _ sql: SQL, deadline: MonotonicTime, isCancellable: Bool = true
    ) async throws(HarbourError) -> PostgresRows {
        let request = PostgresRequest(.query(sql), isShared: false, deadline: deadline)
        let loop = connection.loop
        let outcome: PostgresRequest.Outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                request.park(continuation)
                loop.onLoop { self.begin(request) }
            }
        } onCancel: {
            guard isCancellable else { return }
            loop.submit {
                request.isCancelled = true
                self.connection.abandon(request, .databaseCancelled())
            }
        }
        guard case .rows(let rows) = try outcome.get() else { throw .connectionLost("no rows") }
        return rows
    }

    private func begin(_ request: PostgresRequest) {
        guard isOpen else {
            return request.complete(
                .failure(
                    HarbourError(
                        .internalError, "Something went wrong on our side. The log of the service has the details.",
                        detail: "a transaction was used after its end")))
        }
        if request.isCancelled { return request.complete(.failure(.databaseCancelled())) }
        request.preamble = preamble
        preamble = nil
        connection.submit(request)
    }
}

extension PostgresPool {
    /// Runs the body in one transaction: committed when it returns, rolled back when it throws.
    ///
    /// With `retries`, a transaction that lost against another (SQLSTATE 40001 or 40P01) runs again from its start, so
    /// the body must have no effects outside the database. `timeout` limits the whole, waiting for a connection included.
    /// Throws what the body threw; `TEMPORARILY_UNAVAILABLE` when the connection was lost, during the commit with
    ///   nobody knowing whether it took place.
    public func transaction<Value: Sendable>(
        isolation: TransactionIsolation = .readCommitted, retries: Int = 0, timeout: Duration? = nil,
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let deadline = MonotonicTime.now + (timeout ?? configuration.queryTimeout)
        var attempt = 0
        while true {
            do {
                return try await transact(isolation, deadline, body)
            } catch let error as HarbourError where error.isLostRace && attempt < retries {
                attempt += 1
                // Each at another time, or the same ones meet again.
                try await loop.sleep(for: .milliseconds(Int.random(in: 0...(5 << min(attempt, 6)))))
            }
        }
    }

    private func transact<Value: Sendable>(
        _ isolation: TransactionIsolation, _ deadline: MonotonicTime,
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let connection = try await lease(deadline: deadline)
        defer { release(connection) }
        let transaction = PostgresTransaction(connection, isolation: isolation, deadline: deadline)
        let endDeadline = max(deadline, .now + .seconds(5))
        do {
            let value = try await body(transaction)
            guard transaction.hasBegun else { return value }
            let answer = try await transaction.send("COMMIT", deadline: endDeadline, isCancellable: false)
            loop.onLoop { transaction.isOpen = false }
            // After a failed statement that the body swallowed, the server answers COMMIT with ROLLBACK.
            guard answer.commandTag == "COMMIT" else {
                throw HarbourError(
                    .internalError, "Something went wrong on our side. The log of the service has the details.",
                    detail: "a statement of the transaction had failed, so it was rolled back")
            }
            return value
        } catch {
            if transaction.hasBegun { await rollBack(transaction, endDeadline) }
            loop.onLoop { transaction.isOpen = false }
            throw error
        }
    }

    private func rollBack(_ transaction: PostgresTransaction, _ deadline: MonotonicTime) async {
        do throws(HarbourError) {
            try await transaction.send("ROLLBACK", deadline: deadline, isCancellable: false)
        } catch {
            // `release` closes a connection that is not clean; the server rolls back what it was doing.
            logger.debug("a rollback failed", ["error": error.describeChain()])
        }
    }
}

extension HarbourError {
    /// Whether the transaction failed only because of another one at the same moment.
    public var isLostRace: Bool { postgres?.sqlState == "40001" || postgres?.sqlState == "40P01" }
}
