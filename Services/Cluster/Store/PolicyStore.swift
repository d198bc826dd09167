internal import ClusterBackend
internal import Core
internal import HarbourProtocol
internal import Postgres

/// The tables of policies and quotas. The only place with their SQL.
struct PolicyStore: Sendable {
    let pool: PostgresPool

    private static let columns: SQL =
        "policy_id, name, description, definition, max_clusters_per_user, creator, created_at"

    // MARK: Policies

    func policies() async throws -> [ClusterPolicy] {
        let rows = try await pool.query("SELECT \(Self.columns) FROM policies ORDER BY name LIMIT 1000")
        return try rows.map { try ClusterPolicy($0) }
    }

    func policy(_ id: String) async throws -> ClusterPolicy? {
        let rows = try await pool.read("SELECT \(Self.columns) FROM policies WHERE policy_id = \(id)")
        return try rows.first.map { try ClusterPolicy($0) }
    }

    /// Makes or changes a policy.
    func put(_ id: String, _ policy: SetPolicy, creator: String, now: Timestamp) async throws -> ClusterPolicy {
        do {
            return try await write(id, policy, creator: creator, now: now)
        } catch let error as HarbourError where error.postgres?.sqlState == "23505" {
            throw HarbourError(
                .alreadyExists, "There is another policy of the name \(policy.name). Choose another name.")
        }
    }

    private func write(
        _ id: String, _ policy: SetPolicy, creator: String, now: Timestamp
    ) async throws -> ClusterPolicy {
        let rows = try await pool.query(
            """
            INSERT INTO policies (policy_id, name, description, definition, max_clusters_per_user, creator, created_at)
            VALUES (\(id), \(policy.name), \(policy.description), \(policy.definition),
                \(policy.maxClustersPerUser.map(Int64.init)), \(creator), \(now))
            ON CONFLICT (policy_id) DO UPDATE SET name = excluded.name, description = excluded.description,
                definition = excluded.definition, max_clusters_per_user = excluded.max_clusters_per_user
            RETURNING \(Self.columns)
            """)
        guard let row = rows.first else { throw HarbourError(.internalError, "The policy could not be kept.") }
        return try ClusterPolicy(row)
    }

    /// Deletes a policy; false when there is none.
    func deletePolicy(_ id: String) async throws -> Bool {
        try await pool.query("DELETE FROM policies WHERE policy_id = \(id)").affected == 1
    }

    // MARK: Quotas

    /// The limits of a user: their own, or those of everybody.
    func quota(of user: String) async throws -> Quota? {
        let rows = try await pool.query(
            """
            SELECT max_clusters, max_workers, max_cores FROM quotas WHERE user_name IN (\(user), '*')
            ORDER BY user_name = '*' LIMIT 1
            """)
        return try rows.first.map { try Quota($0) }
    }

    /// All limits that have been set, by user.
    func quotas() async throws -> [(user: String, quota: Quota)] {
        let rows = try await pool.query(
            "SELECT max_clusters, max_workers, max_cores, user_name FROM quotas ORDER BY user_name LIMIT 10000")
        return try rows.map { (try $0["user_name", as: String.self], try Quota($0)) }
    }

    func put(_ quota: Quota, of user: String) async throws {
        try await pool.query(
            """
            INSERT INTO quotas (user_name, max_clusters, max_workers, max_cores)
            VALUES (\(user), \(quota.clusters.map(Int64.init)), \(quota.workers.map(Int64.init)),
                \(quota.cores.map(Int64.init)))
            ON CONFLICT (user_name) DO UPDATE SET max_clusters = excluded.max_clusters,
                max_workers = excluded.max_workers, max_cores = excluded.max_cores
            """)
    }

    /// Lifts the limits of a user; false when there were none.
    func deleteQuota(of user: String) async throws -> Bool {
        try await pool.query("DELETE FROM quotas WHERE user_name = \(user)").affected == 1
    }

    // MARK: Use

    /// What a user's clusters take, leaving one of them out. Those that wait in pools are nobody's.
    func use(of user: String, besides id: ClusterIdentifier?) async throws -> ClusterDemand {
        let rows = try await pool.query(
            """
            SELECT count(*), coalesce(sum(workers), 0)::bigint, coalesce(sum(cores), 0)::bigint FROM clusters
            WHERE creator = \(user) AND state <> 'TERMINATED' AND pool_id IS NULL
                AND cluster_id <> \(id?.text ?? "")
            """)
        guard let row = rows.first else { return ClusterDemand() }
        let (clusters, workers, cores) = try row.decode((Int64.self, Int64.self, Int64.self))
        return ClusterDemand(clusters: Int(clusters), workers: Int(workers), cores: Int(cores))
    }

    /// How many clusters a user has under a policy, leaving one of them out.
    func count(of user: String, under policy: String, besides id: ClusterIdentifier?) async throws -> Int {
        let rows = try await pool.query(
            """
            SELECT count(*) FROM clusters
            WHERE creator = \(user) AND state <> 'TERMINATED' AND pool_id IS NULL
                AND spec->>'policy_id' = \(policy) AND cluster_id <> \(id?.text ?? "")
            """)
        return Int(try rows.first?.decode(Int64.self) ?? 0)
    }
}

extension ClusterPolicy {
    fileprivate init(_ row: PostgresRow) throws {
        let (id, name, description, definition, most, creator, created) = try row.decode(
            (
                String.self, String.self, String?.self, String.self, Int32?.self, String.self, Timestamp.self
            ))
        self.init(
            policyID: id, name: name, description: description, definition: definition,
            maxClustersPerUser: most.map(Int.init), creatorUserName: creator, createdTime: created)
    }
}

extension Quota {
    fileprivate init(_ row: PostgresRow) throws {
        clusters = try row["max_clusters", as: Int32?.self].map(Int.init)
        workers = try row["max_workers", as: Int32?.self].map(Int.init)
        cores = try row["max_cores", as: Int32?.self].map(Int.init)
    }
}
