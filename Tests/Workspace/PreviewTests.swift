import Core
import Glibc
import HarbourProtocol
import Postgres
import ServiceClients
import StorageTestKit
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Previews of data files", .timeLimit(.minutes(5)))
struct PreviewTests {
    private func preview(_ files: Files, _ name: String, _ text: String, rows: Int? = nil) async throws -> FilePreview {
        try await preview(files, name, Array(text.utf8), rows: rows)
    }

    private func preview(
        _ files: Files, _ name: String, _ bytes: [UInt8], rows: Int? = nil
    ) async throws -> FilePreview {
        try await files.upload("/Shared/\(name)", bytes)
        return try await files.workspace.user.call(
            WorkspaceAPI.previewFile, .init(path: "/Shared/\(name)", rows: rows))
    }

    @Test func csvIsATableWithAProfile() async throws {
        try await Files.run { files in
            let text = """
                \u{feff}id;city;when;price;ok;code;note
                1;"Köln; ""am"" Rhein";2026-01-02;1.5;true;007;
                2;Bonn;2026-01-03;2.5;FALSE;010;x
                3;Bonn;2026-02-01;-1;true;100;x

                4;Bonn;2025-12-31;1e2;true;101;
                """
            let found = try await preview(files, "a.csv", text, rows: 2)
            #expect(found.kind == .csv)
            #expect(found.isWhole && found.rowsRead == 4)
            #expect(
                found.columns.map(\.type) == [.integer, .string, .date, .number, .boolean, .string, .string])
            #expect(found.rows.count == 2)
            #expect(
                found.rows[0]
                    == ["1", "Köln; \"am\" Rhein", "2026-01-02", "1.5", "true", "007", nil])
            let columns = Dictionary(uniqueKeysWithValues: found.columns.map { ($0.name, $0) })
            #expect(columns["id"]?.minimum == "1" && columns["id"]?.maximum == "4" && columns["id"]?.mean == 2.5)
            #expect(abs((columns["id"]?.standardDeviation ?? 0) - 1.2909944487358056) < 1e-12)
            #expect(columns["price"]?.minimum == "-1.0" && columns["price"]?.maximum == "100.0")
            #expect(columns["when"]?.minimum == "2025-12-31")
            #expect(columns["city"]?.distinct == 2)
            #expect(columns["city"]?.mostFrequent?.first == ValueCount(value: "Bonn", count: 3))
            #expect(columns["id"]?.mostFrequent == nil, "all differ")
            #expect(columns["note"]?.count == 2 && columns["note"]?.missing == 2)
        }
    }

    @Test func tablesWithoutNamesGetSome() async throws {
        try await Files.run { files in
            let found = try await preview(files, "n.tsv", "1\t2\n3\t4\t5\n6\n")
            #expect(found.columns.map(\.name) == ["column 1", "column 2", "column 3"])
            #expect(found.columns.map(\.missing) == [0, 1, 2])
            #expect(found.rowsRead == 3)
            #expect(try await preview(files, "empty.csv", "").columns == [])
        }
    }

    @Test func jsonIsATableWhereItIsOne() async throws {
        try await Files.run { files in
            let array = try await preview(files, "a.json", #"[{"a": 1, "b": "x"}, {"a": null, "c": {"d": [1, "]"]}}]"#)
            #expect(array.kind == .json)
            #expect(array.columns.map(\.name) == ["a", "b", "c"])
            #expect(array.columns.map(\.type) == [.integer, .string, .object])
            #expect(array.columns.map(\.missing) == [1, 1, 1])
            #expect(array.rows.last == [nil, nil, #"{"d":[1,"]"]}"#])
            let lines = try await preview(files, "l.jsonl", "{\"a\":1}\n\n{\"a\":2.5}\n")
            #expect(lines.kind == .jsonLines && lines.rowsRead == 2)
            #expect(lines.columns.first?.type == .number)
            #expect(try await preview(files, "same.json", "{\"a\":1}\n{\"a\":2}\n").kind == .jsonLines)
            let object = try await preview(files, "o.json", #"{"a": 1}"#)
            #expect(object.text == #"{"a": 1}"# && object.columns == [] && object.problem == nil)
            #expect(try await preview(files, "bad.json", #"{"a": "#).problem != nil)
            let bad = try await preview(files, "bad.jsonl", "{\"a\":1}\n{\"a\":\n")
            #expect(bad.rowsRead == 1 && bad.problem?.hasPrefix("Value 2 is not JSON") == true)
        }
    }

    @Test func textAndOtherFilesAreToldApart() async throws {
        try await Files.run { files in
            #expect(try await preview(files, "a.txt", "héllo").text == "héllo")
            #expect(try await preview(files, "a.bin", [1, 0, 2]).kind == .binary)
            #expect(try await preview(files, "b.bin", [0x89, 0x50, 0x4e, 0x47, 0x1a, 0x0a]).kind == .binary)
            #expect(try await preview(files, "b.txt", "héllo").encoding == nil)
            let long = try await preview(files, "long.log", String(repeating: "é", count: 50_000))
            #expect(long.text?.utf8.count == 64 << 10)
        }
    }

    /// As programs of Windows save them.
    @Test func otherEncodingsAreTold() async throws {
        let text = "name;town\n“Zoë”;Łódź €\n"
        @Sendable func utf16(_ isLittle: Bool) -> [UInt8] {
            ("\u{feff}" + text).utf16.flatMap { unit in
                let halves = [UInt8(unit >> 8), UInt8(unit & 0xff)]
                return isLittle ? halves.reversed() : halves
            }
        }
        try await Files.run { files in
            for (name, bytes) in [("UTF-16LE", utf16(true)), ("UTF-16BE", utf16(false))] {
                // Also where it ends in the middle of a character.
                for (index, bytes) in [bytes, bytes + [0x0a]].enumerated() {
                    let found = try await preview(files, "\(index)\(name).csv", bytes)
                    #expect(found.encoding == name && found.columns.map(\.name) == ["name", "town"])
                    #expect(found.rows == [["“Zoë”", "Łódź €"]])
                }
            }
            let western: [UInt8] = [0x93, 0x5a, 0x6f, 0xeb, 0x94, 0x2c, 0x80, 0x0a]
            let found = try await preview(files, "western.txt", western)
            #expect(found.encoding == "windows-1252" && found.text == "“Zoë”,€\n")
            // Of what begins as a text and is none nothing is made up.
            #expect(try await preview(files, "x.txt", western + [0x81]).kind == .binary)
            #expect(try await preview(files, "y.txt", western + [0x07]).kind == .binary)
        }
    }

    /// Of a large file only the beginning is read, and the record in which that ends is left out.
    @Test func noMoreThanTheBeginningIsRead() async throws {
        try await Files.run { files in
            let limit = 100_000
            let row = "123456,\(String(repeating: "abcdefghij", count: 9))\n"
            let bytes = Array(("number,text\n" + String(repeating: row, count: 2000)).utf8)
            try await files.upload("/Shared/big.csv", bytes)
            try await files.upload(
                "/Shared/big.json", Array(("[" + String(repeating: #"{"a":12345},"#, count: 9000)).utf8))
            let uploads = try files.service()
            let reader = FileReader(tree: uploads.tree, store: uploads.store, storage: uploads.storage)
            let previewer = FilePreviewer(reader: reader, parquet: nil, limit: limit)
            let found = try await previewer.preview(try await reader.content("/Shared/big.csv", nil), rows: 5)
            #expect(!found.isWhole)
            #expect(found.bytesRead == Int64(limit))
            #expect(found.rows.count == 5)
            #expect(found.rowsRead == Int64((limit - 12) / row.utf8.count))
            #expect(found.columns.map(\.distinct) == [1, 1])
            let cut = try await previewer.preview(try await reader.content("/Shared/big.json", nil), rows: 5)
            #expect(!cut.isWhole && cut.problem == nil && cut.columns.first?.distinct == 1)
            await uploads.store.pool.drain(budget: .seconds(5))
        }
    }

    // MARK: Parquet

    private static let python: String? = {
        let home = getenv("HOME").map { String(cString: $0) } ?? ""
        let data = getenv("HARBOUR_DATA").map { String(cString: $0) } ?? "\(home)/.harbour"
        let own = getenv("HARBOUR_DRIVER_PYTHON").map { String(cString: $0) }
        return [own, "\(data)/runtime/current/bin/python"].compactMap { $0 }.first { access($0, X_OK) == 0 }
    }()

    private static let sample = """
        import datetime, sys
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        count = 3000
        table = arrow.table({
            "id": list(range(count)),
            "day": [datetime.date(2026, 1, number % 28 + 1) for number in range(count)],
            "price": [None if number % 3 == 0 else number / 4 for number in range(count)],
            "name": ["Köln" if number % 2 else "Bonn" for number in range(count)],
            "tags": [[number, number] for number in range(count)],
        })
        parquet.write_table(table, sys.argv[1])
        """

    @Test(.enabled(if: python != nil, "the clusters' Python is not installed: deploy/setup"))
    func parquetIsATable() async throws {
        let python = try #require(PreviewTests.python)
        try await Files.run(more: ["--preview-python", python]) { files in
            let folder = try TemporaryDirectory()
            _ = try runCommand([python, "-I", "-c", PreviewTests.sample, folder.file("a.parquet")])
            let stream = try #require(fopen(folder.file("a.parquet"), "r"))
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, stream))
            fclose(stream)
            let found = try await preview(files, "a.parquet", bytes, rows: 4)
            #expect(found.kind == .parquet && found.problem == nil)
            #expect(found.isWhole && found.rowsRead == 3000 && found.rows.count == 4)
            #expect(found.columns.map(\.name) == ["id", "day", "price", "name", "tags"])
            #expect(found.columns.map(\.type) == [.integer, .date, .number, .string, .object])
            #expect(found.columns.map(\.missing) == [0, 0, 1000, 0, 0])
            #expect(found.rows[1] == [1, "2026-01-02", 0.25, "Köln", "[1,1]"])
            // What only calls itself so, and what breaks off in the middle.
            for (name, bytes) in [("text.parquet", Array("hello".utf8)), ("cut.parquet", Array(bytes.dropLast(50)))] {
                let broken = try await preview(files, name, bytes)
                #expect(broken.kind == .parquet && broken.problem != nil && broken.columns == [])
            }
        }
    }

    @Test func parquetWithoutPythonSaysWhatIsMissing() async throws {
        try await Files.run(more: ["--preview-python", "/none"]) { files in
            let found = try await preview(files, "a.parquet", [1, 2, 3])
            #expect(found.kind == .parquet && found.problem != nil)
        }
    }

    /// Whatever the bytes are, a preview comes to an end with a bounded answer.
    @Test func noBytesAreTooMuch() async throws {
        try await Files.run { files in
            let kinds = ["x.csv", "x.json", "x.jsonl"]
            for (index, text) in [
                String(repeating: ",", count: 100_000), String(repeating: "[", count: 100_000), "\"", "\"\"\"",
                String(repeating: "a,\"", count: 10_000), "[,]", "]", "[1 2]", "\r\r\r", "{}\n{}",
            ].enumerated() {
                for kind in kinds {
                    let found = try await preview(files, "\(index)\(kind)", text)
                    #expect(found.columns.count <= CSVReader.columnLimit)
                }
            }
        }
    }
}
