import Core
import TestSupport
import Testing
import YAML

@Suite struct YAMLWriterTests {
    private func text(_ value: JSONValue) -> String { String(decoding: value.yaml(), as: UTF8.self) }

    @Test func aJobIsWrittenForPeople() {
        let value: JSONValue = [
            "name": "nightly", "enabled": true, "day": "2026-01-01", "empty": "", "none": [], "map": [:],
            "tasks": [["task_key": "a", "command": "echo one\necho two\n"], ["task_key": "b", "count": 2]],
            "answer": "yes", "number": "12", "infinite": "-.inf", "cron": "0 0 6 * * ?",
        ]
        #expect(
            text(value) == """
                name: nightly
                enabled: true
                day: '2026-01-01'
                empty: ''
                none: []
                map: {}
                tasks:
                - task_key: a
                  command: |
                    echo one
                    echo two
                - task_key: b
                  count: 2
                answer: 'yes'
                number: '12'
                infinite: '-.inf'
                cron: 0 0 6 * * ?

                """)
    }

    /// Goal: whatever JSON there is, it is read back as it was. Method: random values with texts of every kind.
    @Test func whatIsWrittenIsReadBack() throws {
        let seed = UInt64(bitPattern: Timestamp.now.milliseconds)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            let value = Self.value(3, &random)
            let bytes = value.yaml()
            let documents = try YAMLReader.documents(bytes)
            #expect(
                documents.map(\.json) == [value],
                "seed \(seed): \(value.jsonText())\n\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    private static let pieces = [
        "a", "é", "😀", "\n", " ", "\t", "\r", "'", "\"", "\\", "#", ": ", "- ", "{", "]", "&x", "*x", "!t", "|", ">",
        "%", "@",
        "`", "~", "null", "true", "12", "0x1", "<<", "=", "yes", "---", "...", "\u{85}", "\u{2028}", "\u{feff}",
        "\u{0}",
        "\u{7f}", "\u{1b}", ",", "?", "-", ":",
    ]

    private static func value(_ depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        func text() -> String {
            (0..<Int.random(in: 0...5, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
        }
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .integer(Int64.random(in: .min ... .max, using: &random))
        case 3: return JSONNumber(Double.random(in: -1e9...1e9, using: &random)).map { .number($0) } ?? .null
        case 4, 5: return .string(text())
        case 6:
            return .array((0..<Int.random(in: 0...3, using: &random)).map { _ in value(depth - 1, &random) })
        default:
            return .object(
                JSONObject((0..<Int.random(in: 0...3, using: &random)).map { _ in (text(), value(depth - 1, &random)) })
            )
        }
    }

    private struct Changed: Error {}

    @Test func bentDocumentsAreReadOrRefused() throws {
        let corpus = [
            "a: &x {b: [1, 'two', \"three\\n\"]}\nc: *x\nd: {<<: *x, e: |\n    text\n  }\n",
            "- - 1\n  - ? x\n    : y\n- >-\n  a\n  b\n",
            "%YAML 1.1\n---\n!!map {a: !!str 1}\n...\n--- [1, 2]\n",
            "name: x\ntasks:\n- task_key: a\n  depends_on: []\n",
        ]
        let tokens = [
            "\n", "  ", "- ", ": ", "? ", "&a ", "*a", "!!str ", "!x ", "|\n", ">-\n", "{", "}", "[", "]", ",", "'",
            "\"", "\\x41", "#",
            "---\n", "...\n", "<<: ", "\t", "\u{feff}", "%TAG ! x\n",
        ]
        try fuzz(
            "documents", corpus: corpus.map { Array($0.utf8) },
            tokens: tokens.map { Array($0.utf8) } + [[0xff], [0xc3]],
            iterations: 20_000, maximumLength: 4096
        ) { input in
            let documents: [SourceValue]
            do throws(SourceProblem) {
                documents = try YAMLReader.documents(input.bytes)
            } catch {
                guard error.place.line >= 1, error.place.column >= 1 else { throw Changed() }
                return
            }
            for document in documents {
                guard try YAMLReader.documents(document.json.yaml()).map(\.json) == [document.json] else {
                    throw Changed()
                }
            }
        }
    }
}
