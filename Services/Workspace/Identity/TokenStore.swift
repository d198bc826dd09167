internal import Core
internal import Postgres

/// Tokens of users, by their hashes.
struct TokenStore: Sendable {
    /// Whose token it is.
    struct Owner: Sendable {
        let user: String
        let tokenName: String
    }

    /// The name of the token that configuration gives.
    static let adminTokenName = "admin"
    /// The user it stands for.
    static let adminUser = "admin"

    let pool: PostgresPool

    func owner(ofHash hash: [UInt8]) async throws(HarbourError) -> Owner? {
        let rows = try await pool.query(
            """
            SELECT user_name, name FROM tokens
            WHERE token_hash = \(hash) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > \(Timestamp.now))
            """)
        guard let row = rows.first else { return nil }
        let (user, name) = try row.decode((String.self, String.self))
        return Owner(user: user, tokenName: name)
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
}
