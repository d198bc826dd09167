import Core
import Postgres
import Testing

@Suite struct PostgresValueTests {
    private func roundTrip<Value: PostgresEncodable & PostgresDecodable & Equatable>(
        _ values: [Value], as type: String, _ pool: PostgresPool
    ) async throws {
        for value in values {
            let rows = try await pool.query("SELECT \(value)::\(unescaped: type), (\(value)::\(unescaped: type))::text")
            let row = try #require(rows.first)
            #expect(try row.decode(Value.self) == value, "\(type)")
        }
        let none: Value? = nil
        let row = try #require(try await pool.query("SELECT \(none)::\(unescaped: type)").first)
        #expect(try row.decode(Value?.self) == nil)
    }

    @Test func typesComeBackAsTheyWent() async throws {
        try await withPool { pool in
            try await roundTrip([true, false], as: "boolean", pool)
            try await roundTrip([Int16.min, -1, 0, .max], as: "smallint", pool)
            try await roundTrip([Int32.min, -1, 0, .max], as: "integer", pool)
            try await roundTrip([Int64.min, -1, 0, .max], as: "bigint", pool)
            try await roundTrip([Int.min, 0, .max], as: "bigint", pool)
            try await roundTrip([0.0, -1.5, .infinity, 1e-300, .greatestFiniteMagnitude], as: "double precision", pool)
            try await roundTrip(["", "a", "żółć 🚢", "it's \"quoted\" \\ $1"], as: "text", pool)
            try await roundTrip(["0d9f6f4e-9d3c-4b52-8f6e-0123456789ab"], as: "uuid", pool)
            try await roundTrip(["{\"a\": [1, null, \"é\"]}", "[]", "3"], as: "jsonb", pool)
            try await roundTrip([[UInt8](), [0], Array(0...255)], as: "bytea", pool)
            try await roundTrip([PostgresJSON(Array("{\"k\": true}".utf8))], as: "jsonb", pool)
            try await roundTrip([[Int64](), [1], [.min, 0, .max]], as: "bigint[]", pool)
            try await roundTrip([[Int32](), [1, 2]], as: "integer[]", pool)
            try await roundTrip([[String](), [""], ["a,b", "{}", "\"", "NULL"]], as: "text[]", pool)
            try await roundTrip([[true, false]], as: "boolean[]", pool)
            try await roundTrip([[1.5, -2]], as: "double precision[]", pool)
            let times = [0, -1, 1_795_234_567_890, 946_684_800_000, -62_135_596_800_000].map {
                Timestamp(milliseconds: $0)
            }
            try await roundTrip(times, as: "timestamptz", pool)
            try await roundTrip([times], as: "timestamptz[]", pool)
            try await roundTrip(
                [Timestamp(milliseconds: .max), Timestamp(milliseconds: .min)], as: "timestamptz", pool)
        }
    }

    @Test func timesMeanWhatTheServerMeans() async throws {
        try await withPool { pool in
            let time = Timestamp(milliseconds: 1_795_234_567_890)
            let row = try #require(
                try await pool.query(
                    """
                    SELECT to_char(\(time) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                        DATE '1969-12-31', TIMESTAMP '2026-11-21 00:00:00.001', TIMESTAMPTZ '1969-12-31 23:59:59.9995Z'
                    """
                ).first)
            let (text, date, local, early) = try row.decode(
                (String.self, Timestamp.self, Timestamp.self, Timestamp.self))
            #expect(text == ISO8601.format(time))
            #expect(date.milliseconds == -86_400_000)
            #expect(ISO8601.format(local) == "2026-11-21T00:00:00.001Z")
            #expect(early.milliseconds == -1)
        }
    }

    @Test func numericsAreReadInDigits() async throws {
        let texts = [
            "0", "1", "-1", "10000", "99999999999999999999.000001", "0.00001", "-0.5", "123456.7890", "NaN", "1e20",
        ]
        try await withPool { pool in
            for text in texts {
                let row = try #require(
                    try await pool.query("SELECT \(text)::numeric, (\(text)::numeric)::text").first)
                let (read, expected) = try row.decode((String.self, String.self))
                #expect(read == expected)
            }
            let row = try #require(try await pool.query("SELECT sum(n), avg(n) FROM generate_series(1, 4) n").first)
            let (sum, average) = try row.decode((Int.self, Double.self))
            #expect(sum == 10)
            #expect(average == 2.5)
        }
    }

    @Test func wrongReadsAreErrorsThatNameTheColumn() async throws {
        try await withPool { pool in
            let row = try #require(
                try await pool.query("SELECT 'x'::text AS name, NULL::bigint AS id, 70000 AS big, '{NULL}'::text[]")
                    .first)
            let reads: [(HarbourError?, String)] = [
                (await failure { try row["name", as: Int.self] }, "column name of type 25 is not a whole number"),
                (await failure { try row["id", as: Int.self] }, "column id of type 20 is NULL"),
                (await failure { try row["big", as: Int16.self] }, "column big of type 23 is out of range: 70000"),
                (await failure { try row["big", as: String.self] }, "column big of type 23 is not text"),
                (await failure { try row["other", as: Int.self] }, "the answer has no column \"other\""),
                (await failure { try row[9, as: Int.self] }, "the answer has no column 9"),
                (await failure { try row[3, as: [String].self] }, "column text of type 25 is NULL"),
            ]
            for (error, detail) in reads {
                #expect(error?.code == .internalError)
                #expect(error?.detail == detail)
                #expect(error?.message.contains("column") == false)
            }
        }
    }

    @Test func oddValuesAreRefusedBeforeTheyLeave() async throws {
        try await withPool { pool in
            #expect(await failure { try await pool.query("SELECT \("a\0b")::text") }?.code == .invalidParameter)
            #expect(await failure { try await pool.query("SELECT \("x"):bad") }?.postgres?.sqlState == "42601")
            #expect(await failure { try await pool.query("COPY pg_class TO STDOUT") }?.code == .internalError)
        }
    }
}

@Suite struct SQLTests {
    @Test func interpolationBinds() {
        let name = "x'; DROP TABLE jobs; --"
        let sql: SQL = "SELECT * FROM jobs WHERE name = \(name) AND id = \(3) AND \(unescaped: "true")"
        #expect(sql.text == "SELECT * FROM jobs WHERE name = $1 AND id = $2 AND true")
    }

    @Test func partsKeepTheirArguments() async throws {
        let conditions: [SQL] = ["n > \(2)", "n < \(9) -- $1", "n <> \(5)"]
        let sql: SQL = """
            SELECT \("first")::text, array_agg(n ORDER BY n) FROM generate_series(1, \(20)) n
            WHERE \(SQL.joined(conditions.map { "\n\($0)\n" }, separator: " AND ")) AND \("last") = 'last'
            """
        try await withPool { pool in
            let row = try #require(try await pool.query(sql).first)
            let (first, numbers) = try row.decode((String.self, [Int32].self))
            #expect(first == "first")
            #expect(numbers == [3, 4, 6, 7, 8])
        }
    }

    @Test(arguments: [
        "'; DROP TABLE victims; --", "\\'; DROP TABLE victims; --", "$1", "$$; DROP TABLE victims; $$",
        "\u{2019}; DROP TABLE victims", "%27%3B", "' OR '1'='1", "/* */", "\u{1F600}", "a\\", "{\"a\":1}",
    ])
    func injectionsStayValues(_ attack: String) async throws {
        try await withPool { pool in
            try await pool.query("CREATE TABLE victims (name text)")
            try await pool.query("INSERT INTO victims VALUES (\(attack))")
            let rows = try await pool.query("SELECT name FROM victims WHERE name = \(attack)")
            #expect(try rows.map { row throws(HarbourError) in try row.decode(String.self) } == [attack])
            try await pool.query("CREATE TABLE \(identifier: attack) (id int)")
            try await pool.query("DROP TABLE \(identifier: attack)")
        }
    }
}
