internal import Core
internal import HarbourProtocol
internal import Postgres

/// Tokens of users, by their hashes.
struct TokenStore: Sendable {
    /// Whose token it is.
    struct Owner: Sendable {
        let user: String
        let tokenName: String
        /// When the token ends.
        let expires: Timestamp?
    }

    /// The name of the token that configuration gives.
    static let adminTokenName = "admin"
    /// The user it stands for.
    static let adminUser = "admin"
    /// How exactly it is known when a token was last used.
    private static let useInterval = Duration.seconds(300)

    let pool: PostgresPool

    /// Whose token has this hash; nil when it was revoked, has ended, or its user is shut out.
    /// - Parameter mark: of the session that shows the token, if one does; nil is answered when that was signed out of.
    func owner(ofHash hash: [UInt8], unlessEnded mark: [UInt8]? = nil) async throws(HarbourError) -> Owner? {
        let now = Timestamp.now
        let mark = mark ?? []
        let rows = try await pool.query(
            """
            SELECT t.user_name, t.name, t.last_used_at, t.expires_at FROM tokens t JOIN users u ON u.user_name = t.user_name
            WHERE t.token_hash = \(hash) AND t.revoked_at IS NULL AND u.is_active
                AND (t.expires_at IS NULL OR t.expires_at > \(now))
                AND NOT EXISTS (SELECT 1 FROM tokens e WHERE e.token_hash = \(mark))
            """)
        guard let row = rows.first else { return nil }
        let (user, name, lastUsed, expires) = try row.decode(
            (String.self, String.self, Timestamp?.self, Timestamp?.self))
        if lastUsed.map({ now - $0 > TokenStore.useInterval }) ?? true {
            try await pool.query("UPDATE tokens SET last_used_at = \(now) WHERE token_hash = \(hash)")
        }
        return Owner(user: user, tokenName: name, expires: expires)
    }

    /// Makes this the one token of the administrator; one that was configured before is revoked.
    func setAdminToken(hash: [UInt8]) async throws {
        try await pool.transaction { transaction in
            let now = Timestamp.now
            try await transaction.query(
                """
                UPDATE tokens SET revoked_at = \(now)
                WHERE name = \(TokenStore.adminTokenName) AND user_name = \(TokenStore.adminUser)
                    AND token_hash <> \(hash) AND revoked_at IS NULL
                """)
            try await transaction.query(
                """
                INSERT INTO tokens (token_hash, user_name, name, created_at)
                VALUES (\(hash), \(TokenStore.adminUser), \(TokenStore.adminTokenName), \(now))
                ON CONFLICT (token_hash) DO UPDATE SET revoked_at = NULL
                """)
        }
    }

    // MARK: Personal tokens

    private static let limitOfUser: Int64 = 600

    private static let columns: SQL = "token_id, user_name, name, created_at, expires_at, last_used_at"

    private static func info(_ row: PostgresRow) throws(HarbourError) -> TokenInfo {
        let (id, user, name, created, expires, used) = try row.decode(
            (Int64.self, String.self, String.self, Timestamp.self, Timestamp?.self, Timestamp?.self))
        return TokenInfo(
            tokenID: "\(id)", userName: user, comment: name, creationTime: created, expiryTime: expires,
            lastUsedTime: used)
    }

    func insert(
        hash: [UInt8], user: String, name: String, expires: Timestamp?, isSession: Bool = false
    ) async throws(HarbourError) -> TokenInfo {
        let now = Timestamp.now
        let rows = try await pool.query(
            """
            INSERT INTO tokens (token_hash, user_name, name, created_at, expires_at, is_session)
            SELECT \(hash), \(user), \(name), \(now), \(expires), \(isSession)
            WHERE \(isSession) OR (SELECT count(*) FROM tokens WHERE user_name = \(user) AND NOT is_session
                AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > \(now))) < \(TokenStore.limitOfUser)
            RETURNING \(TokenStore.columns)
            """)
        guard let row = rows.first else {
            throw HarbourError(
                .resourceExhausted,
                "\(user) has \(TokenStore.limitOfUser) tokens, which is the limit. Revoke one that is not used.")
        }
        return try TokenStore.info(row)
    }

    /// The valid tokens of a user, or of everybody; sessions are not among them.
    func list(of user: String) async throws(HarbourError) -> [TokenInfo] {
        let rows = try await pool.query(
            """
            SELECT \(TokenStore.columns) FROM tokens
            WHERE NOT is_session AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > \(Timestamp.now))
                AND user_name = \(user)
            ORDER BY token_id DESC
            """)
        var infos: [TokenInfo] = []
        for row in rows { infos.append(try TokenStore.info(row)) }
        return infos
    }

    /// Whose token that is; nil when there is none of that id.
    func user(ofToken id: Int64) async throws(HarbourError) -> String? {
        let rows = try await pool.query("SELECT user_name FROM tokens WHERE token_id = \(id) AND NOT is_session")
        return try rows.first.map { row throws(HarbourError) in try row.decode(String.self) }
    }

    func revoke(_ id: Int64) async throws(HarbourError) {
        try await pool.query(
            "UPDATE tokens SET revoked_at = \(Timestamp.now) WHERE token_id = \(id) AND revoked_at IS NULL")
    }

    // MARK: Sessions

    /// Lets a session that began with a password last longer.
    func extendSession(hash: [UInt8], to expires: Timestamp) async throws(HarbourError) {
        try await pool.query(
            "UPDATE tokens SET expires_at = \(expires) WHERE token_hash = \(hash) AND is_session AND revoked_at IS NULL"
        )
    }

    /// Ends a session, in every replica and whoever has kept its cookie. One that began with a password has a token of
    /// its own, which goes; of one that began with a token its mark is kept, as a token that nobody can show, until the
    /// cookie would have ended.
    func endSession(_ session: SessionCookie) async throws {
        try await pool.transaction { transaction in
            let gone = try await transaction.query(
                "DELETE FROM tokens WHERE token_hash = \(session.tokenHash) AND is_session RETURNING token_id")
            guard gone.isEmpty else { return }
            let now = Timestamp.now
            // A copy of its cookie may have been renewed later than the one that was shown; none is renewed after this.
            try await transaction.query(
                """
                INSERT INTO tokens (token_hash, user_name, name, created_at, expires_at, is_session)
                VALUES (\(session.mark), \(session.user), 'ended session', \(now),
                        \(now + SessionCookie.lifetime), true)
                ON CONFLICT (token_hash) DO NOTHING
                """)
            // Apart, because this is what other replicas are told of.
            try await transaction.query(
                "UPDATE tokens SET revoked_at = \(now) WHERE token_hash = \(session.mark) AND revoked_at IS NULL")
        }
    }

    /// Forgets sessions that have ended.
    func sweepSessions() async throws(HarbourError) {
        try await pool.query("DELETE FROM tokens WHERE is_session AND expires_at < \(Timestamp.now)")
    }
}
