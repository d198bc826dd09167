internal import Core
internal import EventLoop

/// One thing that somebody waits for: a query, or a connection to hold for a while.
///
/// `@unchecked Sendable`: made by the asking task, then touched on the loop only.
final class PostgresRequest: @unchecked Sendable {
    enum Work {
        case query(SQL)
        case lease
    }
    enum Answer: @unchecked Sendable {
        case rows(PostgresRows)
        /// Used on the loop only.
        case connection(PostgresConnection)
    }
    typealias Outcome = Result<Answer, HarbourError>

    let work: Work
    /// A read may share its Sync with others and be sent again after their failures.
    let isShared: Bool
    let deadline: MonotonicTime
    /// Sent in the same segment before the query, such as BEGIN.
    @exclusivity(unchecked) var preamble: String?
    @exclusivity(unchecked) var attempts = 0
    /// Somebody still waits. It is false after a timeout or cancellation, when only the server has not noticed yet.
    @exclusivity(unchecked) private(set) var isOpen = true
    /// The loop has taken it over. Before that the task may still be about to park, so nobody can be answered.
    @exclusivity(unchecked) var hasBegun = false
    /// Set when the task was cancelled before the request reached the loop.
    @exclusivity(unchecked) var isCancelled = false
    /// The connection it was given to.
    weak var connection: PostgresConnection?
    /// Ends its waiting in the pool.
    @exclusivity(unchecked) var waitTimer: LoopTimer?
    /// The Sync's segment on its connection in which the server was told to cancel it.
    var cancelSent = false
    /// Whether the query may be sent again after the server refused it without effect: not inside a transaction.
    @exclusivity(unchecked) var canRepeat = false
    /// Whether its end frees the connection: not inside a lease.
    var endsAssignment: Bool { canRepeat }

    /// Told the outcome on the loop, by those who do not suspend.
    @exclusivity(unchecked) var onComplete: ((Outcome) -> Void)?

    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Outcome, Never>?

    init(_ work: Work, isShared: Bool, deadline: MonotonicTime, preamble: String? = nil) {
        self.work = work
        self.isShared = isShared
        self.deadline = deadline
        self.preamble = preamble
    }

    /// Sets who waits. Before the request reaches the loop.
    func park(_ continuation: UnsafeContinuation<Outcome, Never>) { self.continuation = continuation }

    /// Answers once; later answers find nobody.
    func complete(_ outcome: Outcome) {
        guard isOpen else { return }
        isOpen = false
        waitTimer?.cancel()
        waitTimer = nil
        continuation?.resume(returning: outcome)
        continuation = nil
        onComplete?(outcome)
        onComplete = nil
    }
}

extension PostgresRequest: Equatable {
    static func == (left: PostgresRequest, right: PostgresRequest) -> Bool { left === right }
}
