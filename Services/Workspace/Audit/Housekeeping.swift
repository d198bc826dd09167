internal import Core
internal import EventLoop
internal import Lifecycle

/// Removes what has been kept long enough: events of the audit log, sessions that have ended, what is in the trash, and
/// uploads that nobody goes on with.
struct Housekeeping: Sendable {
    let audit: AuditStore
    let tokens: TokenStore
    let uploads: UploadService
    let trash: TrashEmptier
    /// How long events are kept; nil for ever.
    let retention: Duration?
    let loop: EventLoop
    private let logger = Logger("housekeeping")

    init(
        audit: AuditStore, tokens: TokenStore, uploads: UploadService, trash: TrashEmptier, retentionDays: Int,
        loop: EventLoop
    ) {
        self.audit = audit
        self.tokens = tokens
        self.uploads = uploads
        self.trash = trash
        retention = retentionDays > 0 ? .seconds(retentionDays * 86_400) : nil
        self.loop = loop
    }

    private static let interval = Duration.seconds(3600)

    func sweep(now: Timestamp = .now) async throws {
        try await tokens.sweepSessions()
        if let retention {
            try await audit.sweep(before: Timestamp(milliseconds: now.milliseconds - retention.milliseconds))
        }
        try await trash.sweep(at: now)
        // Last, for an object storage may be away for long.
        try await uploads.sweep(at: now)
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
