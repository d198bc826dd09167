internal import Core
internal import HarbourProtocol
internal import Postgres

/// The tables of secrets; values are sealed before they come here. The only place with their SQL.
struct SecretStore: Sendable {
    private static let limit = 1000
    let pool: PostgresPool

    func createScope(_ scope: String, by user: String) async throws {
        let made = try await pool.query(
            """
            INSERT INTO secret_scopes (scope, created_by, created_at)
            SELECT \(scope), \(user), \(Timestamp.now)
            WHERE (SELECT count(*) FROM secret_scopes) < \(Int64(SecretStore.limit))
            ON CONFLICT DO NOTHING
            """)
        if made.affected == 1 { return }
        if try await hasScope(scope) {
            throw HarbourError(.alreadyExists, "The scope \(scope) exists already. Choose another name.")
        }
        throw HarbourError(.resourceExhausted, "There are \(SecretStore.limit) scopes, which is the limit.")
    }

    func deleteScope(_ scope: String) async throws {
        let gone = try await pool.query("DELETE FROM secret_scopes WHERE scope = \(scope)")
        if gone.affected == 0 { throw SecretStore.missing(scope) }
    }

    func scopes() async throws -> [SecretScope] {
        let rows = try await pool.read("SELECT scope, created_by, created_at FROM secret_scopes ORDER BY scope")
        return try rows.map { row in
            let (name, creator, created) = try row.decode((String.self, String.self, Timestamp.self))
            return SecretScope(
                name: name, backendType: "DATABASE", creatorUserName: creator, createdTime: created)
        }
    }

    func put(_ scope: String, _ key: String, sealed: [UInt8], by user: String) async throws {
        let now = Timestamp.now
        let put = try await pool.query(
            """
            INSERT INTO secrets (scope, key, sealed, updated_by, updated_at)
            SELECT scope, \(key), \(sealed), \(user), \(now) FROM secret_scopes WHERE scope = \(scope)
                AND ((SELECT count(*) FROM secrets WHERE scope = \(scope)) < \(Int64(SecretStore.limit))
                    OR EXISTS (SELECT 1 FROM secrets WHERE scope = \(scope) AND key = \(key)))
            ON CONFLICT (scope, key) DO UPDATE SET sealed = excluded.sealed, updated_by = excluded.updated_by,
                updated_at = excluded.updated_at
            """)
        if put.affected == 1 { return }
        guard try await hasScope(scope) else { throw SecretStore.missing(scope) }
        throw HarbourError(.resourceExhausted, "The scope has \(SecretStore.limit) secrets, which is the limit.")
    }

    func delete(_ scope: String, _ key: String) async throws {
        let gone = try await pool.query("DELETE FROM secrets WHERE scope = \(scope) AND key = \(key)")
        if gone.affected == 0 { throw SecretStore.missing(scope, key) }
    }

    func keys(of scope: String) async throws -> [SecretMetadata] {
        guard try await hasScope(scope) else { throw SecretStore.missing(scope) }
        let rows = try await pool.read("SELECT key, updated_at FROM secrets WHERE scope = \(scope) ORDER BY key")
        return try rows.map { row in
            let (key, updated) = try row.decode((String.self, Timestamp.self))
            return SecretMetadata(key: key, lastUpdatedTimestamp: updated)
        }
    }

    func sealed(_ scope: String, _ key: String) async throws -> [UInt8] {
        let rows = try await pool.read("SELECT sealed FROM secrets WHERE scope = \(scope) AND key = \(key)")
        guard let row = rows.first else { throw SecretStore.missing(scope, key) }
        return try row.decode([UInt8].self)
    }

    private func hasScope(_ scope: String) async throws -> Bool {
        try await !pool.read("SELECT 1 AS one FROM secret_scopes WHERE scope = \(scope)").isEmpty
    }

    static func missing(_ scope: String, _ key: String? = nil) -> HarbourError {
        guard let key else { return HarbourError(.notFound, "There is no scope \(scope) of secrets. Make it first.") }
        return HarbourError(.notFound, "There is no secret \(scope)/\(key). Put it first.")
    }
}
