internal import Core
internal import HarbourProtocol
internal import Postgres

/// A notification that is to be sent now.
struct DueNotification: Sendable {
    var notificationID: Int64
    var runID: Int64
    var url: String
    var payload: String
    /// Which try this is, 1 for the first.
    var tries: Int
}

extension DueNotification {
    /// Whom it is for, as others may see it: addresses of the web may hold secrets.
    var destination: String {
        if url.hasPrefix("mailto:") { return String(url.dropFirst("mailto:".count)) }
        guard let scheme = url.firstRange(of: "://") else { return "" }
        let authority = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return String(url[..<scheme.upperBound] + (authority.split(separator: "@").last ?? ""))
    }
}

/// Why a notification did not get there.
struct DeliveryFailure: Sendable {
    var code: String
    var message: String
    /// Whether it would be the same at every further try.
    var isFinal = false
}

/// The table of notifications.
struct NotificationStore: Sendable {
    let pool: PostgresPool

    /// How often a notification is tried, over about two hours.
    static let maxTries = 12

    /// Writes down whom something about a run is to be told to: web addresses, and `mailto:` for those of mail.
    func add(
        _ urls: [String], of runID: Int64, payload: JSONValue, in transaction: PostgresTransaction
    ) async throws {
        try await transaction.query(
            """
            INSERT INTO notifications (run_id, url, payload, next_try_at)
            SELECT \(runID), url, \(payload.jsonText())::text, clock_timestamp()
            FROM unnest(\(urls)::text[]) AS t (url)
            """)
        try await transaction.query("SELECT pg_notify('scheduler_notifications', '')")
    }

    /// Takes what is due. Nobody else takes it within the next minute and a half, whatever becomes of us.
    func take() async throws -> [DueNotification] {
        let rows = try await pool.query(
            """
            UPDATE notifications SET tries = tries + 1, next_try_at = clock_timestamp() + interval '90 s'
            WHERE notification_id IN (
                SELECT notification_id FROM notifications WHERE next_try_at <= clock_timestamp()
                ORDER BY next_try_at LIMIT 20 FOR UPDATE SKIP LOCKED)
            RETURNING notification_id, run_id, url, payload, tries
            """)
        return try rows.map { row in
            DueNotification(
                notificationID: try row["notification_id", as: Int64.self],
                runID: try row["run_id", as: Int64.self], url: try row["url", as: String.self],
                payload: try row["payload", as: String.self], tries: try row["tries", as: Int.self])
        }
    }

    /// Writes down how a try went: delivered without a failure; else it is tried again, later each time, unless that
    /// cannot help. What is given up is told in the events of its run.
    func settle(_ notification: DueNotification, failure: DeliveryFailure?, now: Timestamp = .now) async throws {
        let isGivenUp = failure.map { $0.isFinal || notification.tries >= Self.maxTries } ?? false
        let isOver = failure == nil || isGivenUp
        let pause = min(3600, 1 << min(notification.tries, 20))
        let event = RunEvent(
            sequence: 0, timestamp: now, type: .notificationFailed,
            notification: FailedNotification(
                destination: notification.destination, errorCode: failure?.code ?? "",
                message: failure?.message ?? "", tries: notification.tries))
        try await pool.query(
            """
            WITH settled AS (
                UPDATE notifications SET last_error = \(failure?.message),
                    delivered_at = CASE WHEN \(failure == nil) THEN clock_timestamp() END,
                    next_try_at = CASE WHEN \(isOver) THEN NULL
                                       ELSE clock_timestamp() + \(Int64(pause)) * interval '1 s' END
                WHERE notification_id = \(notification.notificationID) AND next_try_at IS NOT NULL
                RETURNING run_id
            ), numbered AS (
                UPDATE runs SET last_sequence = last_sequence + 1 FROM settled
                WHERE runs.run_id = settled.run_id AND \(isGivenUp) RETURNING runs.run_id, last_sequence
            ), told AS (
                INSERT INTO run_events (run_id, sequence, payload)
                SELECT run_id, last_sequence, \(event.jsonText())::text FROM numbered
            )
            SELECT pg_notify('scheduler_events', run_id::text) FROM numbered
            """)
    }

    /// How long until something is due; nil when nothing is to be sent.
    func untilNext() async throws -> Duration? {
        let rows = try await pool.query(
            """
            SELECT (extract(epoch FROM min(next_try_at) - clock_timestamp()) * 1000)::bigint AS next
            FROM notifications WHERE next_try_at IS NOT NULL
            """)
        return try rows.first?["next", as: Int64?.self].map { .milliseconds(max(0, $0)) }
    }
}
