internal import CPostgres
internal import Core
internal import EventLoop

/// Queries in pipeline mode.
extension PostgresConnection {
    /// How many prepared statements a connection keeps before it forgets them all.
    private static let statementLimit = 500

    /// Sends a query, at once or at the end of this turn together with other reads.
    func submit(_ request: PostgresRequest) {
        request.hasBegun = true
        guard phase == .pipeline else {
            request.complete(.failure(.connectionLost("the connection is closed")))
            owner?.connectionFinished(self, request)
            return
        }
        request.connection = self
        // A cancellation that is still on its way must not hit this one. A read that is hit is sent again.
        if cancelsOutstanding > 0 && !request.isShared { return whenQuiet { self.send(request) } }
        send(request)
    }

    private func send(_ request: PostgresRequest) {
        guard phase == .pipeline, case .query(let sql) = request.work else {
            request.complete(.failure(.connectionLost("the connection is closed")))
            owner?.connectionFinished(self, request)
            return
        }
        // Given up while a cancellation held it back.
        guard request.isOpen else { return done(request) }
        let sharesSync = request.isShared && request.attempts == 0
        if !sharesSync && isSyncScheduled { sync() }
        var isSent = true
        if let preamble = request.preamble {
            isSent = sendPreamble(preamble)
        }
        if isSent { isSent = sendPrepared(sql) }
        pipeline.append(.query(request))
        guard isSent else { return close(.connectionLost(errorMessage)) }
        armDeadline(request.deadline)
        if !sharesSync {
            sync()
        } else if !isSyncScheduled {
            isSyncScheduled = true
            loop.later { if self.isSyncScheduled { self.sync() } }
        }
    }

    private func sync() {
        isSyncScheduled = false
        guard let handle, phase == .pipeline else { return }
        pipeline.append(.sync)
        guard PQpipelineSync(handle) == 1 else { return close(.connectionLost(errorMessage)) }
        flush()
    }

    private func sendPreamble(_ text: String) -> Bool {
        pipeline.append(.preamble)
        return PQsendQueryParams(handle, text, 0, nil, nil, nil, nil, 1) == 1
    }

    /// Runs a statement under its prepared name, preparing it right before when it is new here.
    private func sendPrepared(_ sql: SQL) -> Bool {
        let key = StatementKey(text: sql.text, types: sql.arguments.types)
        if let lastStatement, lastStatement.key == key { return sendExecution(lastStatement.name, sql.arguments) }
        if let name = statements[key] {
            lastStatement = (key, name)
            return sendExecution(name, sql.arguments)
        }
        if statements.count >= Self.statementLimit {
            statements.removeAll()
            lastStatement = nil
            guard sendPreamble("DEALLOCATE ALL") else { return false }
        }
        statementCount += 1
        let name = "s\(statementCount)"
        let prepared = key.types.withUnsafeBufferPointer {
            PQsendPrepare(handle, name, key.text, Int32($0.count), $0.baseAddress)
        }
        guard prepared == 1 else { return false }
        statements[key] = name
        pipeline.append(.prepare(key))
        return sendExecution(name, sql.arguments)
    }

    private func forget(_ key: StatementKey) {
        statements[key] = nil
        lastStatement = nil
    }

    private func sendExecution(_ name: String, _ arguments: PostgresArguments) -> Bool {
        let count = arguments.count
        guard count > 0 else { return PQsendQueryPrepared(handle, name, 0, nil, nil, nil, 1) == 1 }
        return withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { values in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: count * 2) { numbers in
                arguments.bytes.withUnsafeBytes { bytes in
                    for (index, entry) in arguments.entries.enumerated() {
                        // An empty value still needs an address, because a null one is NULL.
                        let address =
                            bytes.baseAddress.map { $0 + entry.offset } ?? UnsafeRawPointer(values.baseAddress)
                        let value = entry.length < 0 ? nil : address?.assumingMemoryBound(to: CChar.self)
                        values.initializeElement(at: index, to: value)
                        numbers.initializeElement(at: index, to: max(0, entry.length))
                        numbers.initializeElement(at: count + index, to: entry.isBinary ? 1 : 0)
                    }
                    return PQsendQueryPrepared(
                        handle, name, Int32(count), values.baseAddress, numbers.baseAddress,
                        numbers.baseAddress.map { $0 + count }, 1) == 1
                }
            }
        }
    }

    // MARK: Answers

    /// Takes in what the server sent and answers whom it is for.
    func readAnswers() {
        guard let handle else { return }
        let isAlive = PQconsumeInput(handle) == 1
        while phase == .pipeline, !pipeline.isEmpty, PQisBusy(handle) == 0 {
            if let pointer = PQgetResult(handle) {
                let result = ResultOwner(pointer)
                if result.status == .sync { pipeline.receiveSync() } else { current = result }
            } else if let result = current {
                current = nil
                finish(result)
            } else {
                break
            }
        }
        if !isAlive && phase != .closed { return close(.connectionLost(errorMessage)) }
        takeNotifications()
        cancelAbandoned()
        idle()
    }

    private func finish(_ result: ResultOwner) {
        let outcome: Pipeline<PostgresRequest>.Outcome
        switch result.status {
        case .failed: outcome = .failure
        case .aborted: outcome = .aborted
        default: outcome = .success
        }
        switch pipeline.receive(outcome) {
        case .nothing:
            if outcome == .failure { preambleError = result.error }
        case .unprepared(let key):
            forget(key)
            if outcome == .failure { preambleError = result.error }
        case .succeeded(let request):
            request.complete(.success(.rows(PostgresRows(result))))
            done(request)
        case .failed(let request): failed(request, result.error)
        case .failedBefore(let request):
            failed(request, preambleError ?? PostgresError(sqlState: "XX000", message: "skipped"))
        case .retry(let request): retry(request)
        }
    }

    private func failed(_ request: PostgresRequest, _ error: PostgresError) {
        if error.isStalePlan, request.attempts < 2, case .query(let sql) = request.work {
            forget(StatementKey(text: sql.text, types: sql.arguments.types))
            if request.canRepeat { return retry(request) }
        }
        // Cancelled in place of another one that ended before the cancellation came.
        if error.sqlState == "57014", !request.cancelSent, request.isShared, request.attempts < 5 {
            return retry(request)
        }
        request.complete(.failure(error.wrapped()))
        // The server hangs up next; before anybody is given this connection, it is closed.
        if error.isFatal { return close(.connectionLost(error.debugDescription)) }
        done(request)
    }

    /// Sends a request again that had no effect.
    private func retry(_ request: PostgresRequest) {
        guard request.isOpen else { return done(request) }
        request.attempts += 1
        send(request)
    }

    private func done(_ request: PostgresRequest) {
        if request.isShared {
            owner?.connectionFinished(self, request)
        } else {
            whenQuiet { self.owner?.connectionFinished(self, request) }
        }
    }

    func takeNotifications() {
        while let handle, let notification = PQnotifies(handle) {
            let channel = String(cString: notification.pointee.relname)
            let payload = String(cString: notification.pointee.extra)
            PQfreemem(notification)
            owner?.connectionNotified(channel: channel, payload: payload)
        }
    }
}
