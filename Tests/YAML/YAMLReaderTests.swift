import Core
import Testing
import YAML

@Suite struct YAMLReaderTests {
    private func read(_ text: String) throws -> JSONValue {
        let documents = try YAMLReader.documents(Array(text.utf8))
        #expect(documents.count == 1)
        return try #require(documents.first).json
    }

    @Test func aJobIsReadAsItsJSON() throws {
        let text = """
            # A comment.
            name: nightly
            tasks:
              - task_key: a
                notebook_task: {notebook_path: /Shared/a, base_parameters: {day: "2026-01-01"}}
                max_retries: -1
              - task_key: b
                depends_on: [{task_key: a}]
                shell_task:
                  command: |
                    echo one
                    echo two
            tags: {on: 'yes', "true": "no"}
            """
        #expect(
            try read(text) == [
                "name": "nightly",
                "tasks": [
                    [
                        "task_key": "a",
                        "notebook_task": ["notebook_path": "/Shared/a", "base_parameters": ["day": "2026-01-01"]],
                        "max_retries": -1,
                    ],
                    [
                        "task_key": "b", "depends_on": [["task_key": "a"]],
                        "shell_task": ["command": "echo one\necho two\n"],
                    ],
                ], "tags": ["on": "yes", "true": "no"],
            ])
    }

    @Test(
        arguments: [
            ("~", .null), ("", .null), ("null", .null), ("nUll", "nUll"), ("true", true), ("False", false),
            ("yes", "yes"),
            ("on", "on"), ("12", 12), ("-7", -7), ("+7", 7), ("007", 7), ("0o17", 15), ("0x1F", 31), ("0o-7", "0o-7"),
            ("0x", "0x"), ("1e3", .number(JSONNumber("1e3") ?? JSONNumber(0))),
            ("1.50", .number(JSONNumber("1.50") ?? JSONNumber(0))),
            (".5", .number(JSONNumber("0.5") ?? JSONNumber(0))), ("1.", 1), ("1_000", "1_000"), (".inf", ".inf"),
            ("-.inf", "-.inf"),
            (".", "."), ("-", "-"), ("1.2.3", "1.2.3"), ("2026-01-01", "2026-01-01"), ("12:30", "12:30"),
            ("'12'", "12"),
            ("\"a\\tb\"", "a\tb"), ("!!str 12", "12"), ("!!int '12'", 12), ("!!float 1", 1), ("! 12", "12"),
        ] as [(String, JSONValue)])
    func textsMeanWhatTheCoreSchemaSays(text: String, value: JSONValue) throws {
        // A dash alone would begin a list.
        #expect(try read("a: \(text == "-" ? "'-'" : text)")["a"] == value)
    }

    @Test func anchorsAndMergeKeysStandForWhatTheyName() throws {
        let text = """
            base: &base {retries: 2, place: {a: 1}}
            other: &other {retries: 9, extra: true}
            list: [*base, *base]
            merged: {<<: [*base, *other], retries: 3}
            """
        let value = try read(text)
        #expect(value["list"]?[1]?["place"]?["a"] == 1)
        #expect(value["merged"] == ["retries": 3, "place": ["a": 1], "extra": true])
    }

    @Test func severalDocumentsStandInOneFile() throws {
        let documents = try YAMLReader.documents(Array("a: 1\n---\nb: 2\n...\n---\n- 3\n".utf8))
        #expect(documents.map(\.json) == [["a": 1], ["b": 2], [3]])
        #expect(try YAMLReader.documents(Array("# nothing\n".utf8)).isEmpty)
    }

    @Test func valuesKnowTheirPlaces() throws {
        let text = "name: x\ntasks:\n- task_key: é\n  depends_on: [{task_key: b}]\n"
        for value in [
            try #require(YAMLReader.documents(Array(text.utf8)).first),
            try SourceValue(
                json: Array(
                    "{\"name\": \"x\",\n\"tasks\": [\n{\"task_key\": \"é\",\n  \"depends_on\": [{\"task_key\":\"b\"}]}]}"
                        .utf8)),
        ] {
            #expect(value.place(of: ["tasks", "0", "depends_on"]) == SourcePlace(line: 4, column: 3))
            #expect(value.place(of: ["tasks", "0", "depends_on", "0", "outcome"]).line == 4)
            #expect(value.place(of: ["tasks", "7"]).line == 2)
            #expect(value.place(of: ["absent"]) == SourcePlace(line: 1, column: 1))
        }
    }

    @Test(arguments: [
        ("a: 1\na: 2", 2, "appears twice"), ("a: *b", 1, "no anchor b"), ("a: &x [*x]", 1, "no anchor x"),
        ("a: !mine 1", 1, "tag !mine"), ("a: !!int x", 1, "tag"), ("a: !!binary eA==", 1, "tag"),
        ("? [1]\n: 2", 1, "a key has to be a text"), ("a: [1\nb: 2", 2, "no YAML"), ("a:\n\t- 1", 2, "no YAML"),
        ("a: \"\\q\"", 1, "no YAML"), ("a: b: c", 1, "no YAML"), ("<<: 1", 1, "<< takes"),
    ])
    func whatCannotBeReadIsRefusedAtItsPlace(text: String, line: Int, words: String) throws {
        let problem = try #require(throws: SourceProblem.self) { try YAMLReader.documents(Array(text.utf8)) }
        #expect(problem.place.line == line)
        #expect(problem.message.contains(words), "\(problem.message)")
    }

    @Test func bytesThatAreNoTextAreRefused() throws {
        let problem = try #require(throws: SourceProblem.self) {
            try YAMLReader.documents(Array("a: 1\nb: ".utf8) + [0xff, 0xfe, 0x0a])
        }
        #expect(problem.place.line == 2)
    }

    /// A small file that stands for a large one: each line ten times the one before.
    @Test func aliasesCannotMakeAFileLarge() throws {
        var text = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let parts = Array(repeating: "*l\(level - 1)", count: 10).joined(separator: ", ")
            text += "l\(level): &l\(level) [\(parts)]\n"
        }
        let problem = try #require(throws: SourceProblem.self) { try YAMLReader.documents(Array(text.utf8)) }
        #expect(problem.message.contains("aliases counted"))
        #expect(problem.place.line == 6)
    }

    @Test(arguments: ["[", "- ", "{a: "])
    func depthHasALimit(opening: String) throws {
        let text = String(repeating: opening, count: 70)
        let problem = try #require(throws: SourceProblem.self) { try YAMLReader.documents(Array(text.utf8)) }
        #expect(problem.message.contains("nested deeper"))
        var aliased = "a0: &a0 [1]\n"
        for level in 1...70 { aliased += "a\(level): &a\(level) [*a\(level - 1)]\n" }
        #expect(throws: SourceProblem.self) { try YAMLReader.documents(Array(aliased.utf8)) }
        #expect(throws: SourceProblem.self) { try SourceValue(json: Array(String(repeating: "[", count: 70).utf8)) }
    }

    @Test func sizeHasALimit() throws {
        let large = [UInt8](repeating: 0x20, count: SourceLimits.bytes + 1)
        #expect(throws: SourceProblem.self) { try YAMLReader.documents(large) }
        #expect(throws: SourceProblem.self) { try SourceValue(json: large) }
    }

    @Test(arguments: [
        ("{\"a\": 1,\n \"a\": 2}", 2, "appears twice"), ("{\"a\": 1,\n}", 2, "key"), ("[1] x", 1, "ended"),
        ("", 1, ""),
    ])
    func brokenJSONIsRefusedAtItsPlace(text: String, line: Int, words: String) throws {
        let problem = try #require(throws: SourceProblem.self) { try SourceValue(json: Array(text.utf8)) }
        #expect(problem.place.line == line)
        #expect(problem.message.contains(words), "\(problem.message)")
    }
}
