/// What is under way on one connection in pipeline mode, in the order it was sent: a pure state machine.
///
/// Answers carry no names; the server gives one for each entry, in order. After a failure it skips everything up to the
/// next Sync and says so for each entry.
struct Pipeline<Request> {
    enum Entry {
        /// BEGIN, or housekeeping: nobody waits for it, but what follows depends on it.
        case preamble
        /// Preparing the statement that the next query runs.
        case prepare(StatementKey)
        case query(Request)
        case sync
    }
    enum Outcome {
        case success
        case failure
        /// Skipped, because an entry before it in the same segment failed.
        case aborted
    }
    enum Disposition {
        case nothing
        case succeeded(Request)
        /// The query itself failed.
        case failed(Request)
        /// What the query depended on failed; its error is the query's.
        case failedBefore(Request)
        /// A stranger's failure took the query with it; sending it again is right.
        case retry(Request)
        /// The statement could not be prepared, or nobody tried: the next use prepares it anew.
        case unprepared(StatementKey)
    }

    private var entries: [Entry] = []
    private var head = 0
    /// Whether the entry right before belonged to the next query and failed.
    private var ownFailure = false

    /// Queries that have no answer yet.
    private(set) var queries = 0

    var isEmpty: Bool { head == entries.count }

    /// The queries up to the next Sync. The server works on one of them: it holds back the answers of those before it
    /// until it comes to the Sync, so nobody can tell which.
    var segment: [Request] {
        var requests: [Request] = []
        for entry in entries[head...] {
            switch entry {
            case .query(let request): requests.append(request)
            case .sync: return requests
            case .preamble, .prepare: continue
            }
        }
        return requests
    }

    /// All queries without an answer, in order.
    var requests: [Request] {
        entries[head...].compactMap { entry in
            guard case .query(let request) = entry else { return nil }
            return request
        }
    }

    mutating func append(_ entry: Entry) {
        if case .query = entry { queries += 1 }
        entries.append(entry)
    }

    /// An entry's answer is complete.
    mutating func receive(_ outcome: Outcome) -> Disposition {
        switch takeFirst() {
        case .preamble:
            if outcome == .failure { ownFailure = true }
            return .nothing
        case .prepare(let key):
            switch outcome {
            case .success: return .nothing
            case .failure: ownFailure = true
            case .aborted: break
            }
            return .unprepared(key)
        case .query(let request):
            queries -= 1
            defer { ownFailure = false }
            switch outcome {
            case .success: return .succeeded(request)
            case .failure: return .failed(request)
            case .aborted: return ownFailure ? .failedBefore(request) : .retry(request)
            }
        case .sync, nil:
            // An answer nobody asked for: the shell has lost count, which its assertions in tests would show.
            return .nothing
        }
    }

    /// The server has come to a Sync.
    mutating func receiveSync() {
        ownFailure = false
        if head < entries.count, case .sync = entries[head] { _ = takeFirst() }
    }

    /// The connection is gone: all queries without an answer.
    mutating func removeAll() -> [Request] {
        let open = requests
        entries = []
        head = 0
        queries = 0
        ownFailure = false
        return open
    }

    private mutating func takeFirst() -> Entry? {
        guard head < entries.count else { return nil }
        let entry = entries[head]
        head += 1
        if head == entries.count {
            entries.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 1024 {
            // A connection that is never idle must not keep all it ever sent.
            entries.removeSubrange(..<head)
            head = 0
        }
        return entry
    }
}

/// A prepared statement is one text with one list of argument types.
struct StatementKey: Hashable {
    let text: String
    let types: [UInt32]
}
