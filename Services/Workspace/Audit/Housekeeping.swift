internal import Core
internal import EventLoop
internal import Lifecycle

/// Removes what has been kept long enough: events of the audit log and sessions that have ended.
struct Housekeeping: Sendable {
    let audit: AuditStore
    let tokens: TokenStore
    /// How long events are kept; nil for ever.
    let retention: Duration?
    let loop: EventLoop
    private let logger = Logger("housekeeping")

    init(audit: AuditStore, tokens: TokenStore, retentionDays: Int, loop: EventLoop) {
        self.audit = audit
        self.tokens = tokens
        retention = retentionDays > 0 ? .seconds(retentionDays * 86_400) : nil
        self.loop = loop
    }

    private static let interval = Duration.seconds(3600)

    func sweep(now: Timestamp = .now) async throws(HarbourError) {
        try await tokens.sweepSessions()
        guard let retention else { return }
        try await audit.sweep(before: Timestamp(milliseconds: now.milliseconds - retention.milliseconds))
    }

    var component: LifecycleComponent {
        LifecycleComponent(
            "housekeeping",
            run: {
                while true {
                    do { try await sweep() } catch {
                        logger.warning("nothing was removed now", ["error": HarbourError.describe(error)])
                    }
                    try await loop.sleep(for: Housekeeping.interval)
                }
            })
    }
}
