import Core
import TestSupport
import Testing

/// Documents that are bent at random: no crash, no disagreement between reading and skipping, nothing accepted that
/// does not survive being written and read again.
@Suite struct JSONFuzzTests {
    private static let seeds: [String] =
        JSONSyntaxTests.valid + JSONSyntaxTests.invalid + [
            #"{"cells":[{"id":"a","source":["x = 1\n"],"outputs":[{"data":{"text/plain":"é"}}]}],"nbformat":4}"#,
            #"[{"name":"\ud83d\ude00","values":[1,-2.5e10,true,null]},{"name":"","values":[]}]"#,
        ]

    private static let words: [String] = [
        "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u", "\\ud83d", "e", "-", "+", ".", "true", "null", " ", "\n", "\0",
        "\u{1f}", "é", "\u{ffff}",
    ]

    private struct Broken: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    @Test func bentDocumentsAreReadOrRefused() throws {
        try fuzz(
            "documents", corpus: JSONFuzzTests.seeds.map { Array($0.utf8) },
            tokens: JSONFuzzTests.words.map { Array($0.utf8) } + [
                [0x80], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xff],
            ],
            iterations: 20_000, maximumLength: 4096
        ) { input in try JSONFuzzTests.check(input.bytes) }
    }

    private static func check(_ bytes: [UInt8]) throws {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(checkedJSON: bytes)
        } catch {
            guard error.offset <= bytes.count else { throw Broken("an error is told behind the end") }
            return
        }
        do throws(JSONError) {
            try JSONReader.read(bytes) { reader throws(JSONError) in try reader.skip() }
        } catch {
            throw Broken("skipping refuses what reading takes")
        }
        guard try JSONValue(json: value.encodedJSON()) == value else { throw Broken("writing changed it") }
        guard try JSONValue(json: value.prettyJSON()) == value else { throw Broken("pretty writing changed it") }
    }
}
