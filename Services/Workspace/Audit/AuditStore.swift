internal import Core
internal import Cryptography
internal import HarbourProtocol
internal import Postgres

/// The table of what was done. The only place with its SQL.
struct AuditStore: Sendable {
    /// What is asked for.
    struct Question: Sendable {
        var before: Int64?
        var user: String?
        var action: String?
        var since: Timestamp?
        var refusedOnly = false
        var count: Int
    }

    let pool: PostgresPool

    func insert(_ event: AuditEvent) async throws(HarbourError) {
        try await pool.query(
            """
            INSERT INTO audit_events (happened_at, user_name, token_name, service, action, object, status, error_code,
                source, request_id)
            VALUES (\(event.timestamp), \(event.userName), \(event.tokenName), \(event.service), \(event.action),
                \(event.object), \(Int32(event.status)), \(event.errorCode), \(event.source), \(event.requestID))
            """)
    }

    /// Writes down of an event how often it was about which objects. Those of one minute that have all in common but the
    /// request and the time are one row.
    func count(_ event: AuditEvent, objects: [String: Int64]) async throws(HarbourError) {
        let common = [
            "\(AuditNames.minute(of: event.timestamp))", event.userName ?? "", event.tokenName ?? "", event.service,
            event.action, "\(event.status)", event.errorCode ?? "", event.source,
        ]
        // In one order, so that two that count the same never wait for each other.
        let rows = objects.map { object, count in
            let text = JSONValue.array((common + [object]).map { .string($0) }).jsonText()
            return (object: object, count: count, tally: Base64.encode(Digest.sha256(Array(text.utf8)), .url))
        }.sorted { $0.tally < $1.tally }
        try await pool.query(
            """
            INSERT INTO audit_events (happened_at, user_name, token_name, service, action, object, status, error_code,
                source, request_id, count, last_at, tally)
            SELECT \(event.timestamp), \(event.userName), \(event.tokenName), \(event.service), \(event.action),
                nullif(new.object, ''), \(Int32(event.status)), \(event.errorCode), \(event.source), \(event.requestID),
                new.count, \(event.timestamp), new.tally
            FROM unnest(\(rows.map(\.object)), \(rows.map(\.count)), \(rows.map(\.tally)))
                WITH ORDINALITY AS new (object, count, tally, place)
            ORDER BY new.place
            ON CONFLICT (tally) WHERE tally IS NOT NULL DO UPDATE SET
                count = audit_events.count + excluded.count,
                last_at = greatest(audit_events.last_at, excluded.last_at)
            """)
    }

    func list(_ question: Question) async throws(HarbourError) -> [AuditEvent] {
        let rows = try await pool.query(
            """
            SELECT event_id, happened_at, user_name, token_name, service, action, object, status, error_code, source,
                request_id, count, last_at
            FROM audit_events
            WHERE event_id < \(question.before ?? .max)
                AND (\(question.user)::text IS NULL OR user_name = \(question.user)::text)
                AND (\(question.action)::text IS NULL OR action = \(question.action)::text)
                AND (\(question.since)::timestamptz IS NULL OR happened_at >= \(question.since)::timestamptz)
                AND (NOT \(question.refusedOnly) OR status >= 400)
            ORDER BY event_id DESC LIMIT \(Int64(question.count))
            """)
        var events: [AuditEvent] = []
        for row in rows {
            let (id, time, user, token, service, action, object, status, code, source, request, count, last) =
                try row.decode(
                    (
                        Int64.self, Timestamp.self, String?.self, String?.self, String.self, String.self, String?.self,
                        Int32.self, String?.self, String.self, String.self, Int64.self, Timestamp?.self
                    ))
            events.append(
                AuditEvent(
                    eventID: id, timestamp: time, userName: user, tokenName: token, service: service, action: action,
                    object: object, status: Int(status), errorCode: code, source: source, requestID: request,
                    count: last == nil ? nil : count, lastTimestamp: last))
        }
        return events
    }

    /// Removes what is older, a piece at a time so that no lock is held for long.
    func sweep(before time: Timestamp) async throws(HarbourError) {
        while true {
            let gone = try await pool.query(
                """
                DELETE FROM audit_events WHERE event_id IN (
                    SELECT event_id FROM audit_events WHERE happened_at < \(time) ORDER BY happened_at LIMIT 5000)
                """)
            if gone.affected < 5000 { return }
        }
    }
}
