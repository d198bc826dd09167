import Core
import Testing

/// What is JSON and what is not: a table in the manner of the well-known test suites, written for this reader.
@Suite struct JSONSyntaxTests {
    static let valid: [String] = [
        "null", "true", "false", "0", "-0", "1", "-1", "10", "1.5", "-0.0", "1e5", "1E5", "1e+5", "1e-5", "0e0",
        "0.1e1",
        "123456789012345678901234567890", "1e400000000000000000000", #""""#, #""a""#, #""\"\\\/\b\f\n\r\t""#,
        #""\u0041\u00e9\u20AC""#, #""\ud83d\ude00""#, #""\u0000""#, #""\uDBFF\uDFFF""#, "\"é€😀\"", "\"\u{7f}\"",
        "\"\u{2028}\u{2029}\"", "\"\u{ffff}\"", "\"\u{10ffff}\"", "[]", "[ ]", "[1]", "[1,2]", "[[[]]]",
        "[null,1,\"\",{}]",
        "{}", "{ }", #"{"a":1}"#, #"{"a":{"a":[]}}"#, #"{"":0}"#, #"{"a":1,"b":2}"#, #"{"a\u0062":1}"#,
        " \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n", " 1 ", #"{"a" : 1 , "b" : [ ] }"#,
        #"{"\u00e9":1,"e\u0301":2}"#, "[1.0,10.25,100e2]", #""this text is longer than eight bytes, twice over""#,
    ]

    static let invalid: [String] = [
        "", " ", "nul", "nulll", "True", "tru", "fals", "falsy", "undefined", "NaN", "Infinity", "-Infinity", "-", "+1",
        "01", "-01", "00", "1.", ".5", "-.5", "1.e5", "1e", "1e+", "1e-", "1E", "0x10", "1_000", "1,", "1 2", "1a",
        "--1",
        "1.5.5", "1e5.5", "'a'", "\"", "\"a", "a\"", #""\""#, #""\x41""#, #""\a""#, #""\u""#, #""\u12""#, #""\u123g""#,
        #""\u+123""#, #""\ud83d""#, #""\ude00""#, #""\ud83d\u0041""#, #""\ud83d\ud83d""#, #""\ud83dx""#, #""\ud83d\n""#,
        "\"\u{1}\"", "\"a\nb\"", "\"\t\"", "\"12345678\u{0}\"", "\"\\\u{1}\"", "[", "]", "[1", "[1,", "[,1]", "[1,]",
        "[1,,2]", "[1 2]", "[1;2]", "[1}", "[\"a\":1]", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{a:1}",
        "{'a':1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{,}", "{\"a\":1,}", "{\"a\":1,,}", "{1:1}", "{null:1}", "{\"a\"}",
        "{\"a\":1]", "{\"a\":1}}", "[]]", "{} {}", "[] x", "/* */ 1", "1 // one", "# 1", "\u{feff}1", "\u{a0}1",
        "\u{c}1",
        "\u{b}1", "[1]\u{0}", "{\"a\":1,\"a\":2}", #"{"a":1,"\u0061":2}"#, "[\u{0}]", "[-]", "[1e]", "{\"a\":tru}",
        "{\"a\":[1,2}", "*", "&", "\\u0031", "[\"\\", "\"\\", "\"\\u", "{\"\\ud800\":1}", "{\"a\u{1}\":1}",
    ]

    static let invalidBytes: [[UInt8]] = [
        [0x22, 0x80, 0x22], [0x22, 0xbf, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xc1, 0xbf, 0x22], [0x22, 0xc3, 0x22],
        [0x22, 0xe0, 0x80, 0x80, 0x22], [0x22, 0xe0, 0x9f, 0xbf, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22],
        [0x22, 0xed, 0xbf, 0xbf, 0x22], [0x22, 0xe2, 0x82, 0x22], [0x22, 0xf0, 0x80, 0x80, 0x80, 0x22],
        [0x22, 0xf0, 0x8f, 0xbf, 0xbf, 0x22], [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
        [0x22, 0xf5, 0x80, 0x80, 0x80, 0x22],
        [0x22, 0xf0, 0x9f, 0x98, 0x22], [0x22, 0xfe, 0x22], [0x22, 0xff, 0x22], [0xff], [0xef, 0xbb, 0xbf, 0x31],
        [0x22] + Array("abcdefgh".utf8) + [0xc3, 0x28, 0x22], [0x22, 0x5c, 0xff, 0x22],
        [0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d], [0x22, 0x5c, 0x6e, 0xe2, 0x28, 0xa1, 0x22],
        [0xfe, 0xff, 0x00, 0x31],
    ]

    @Test(arguments: valid) func acceptsJSON(_ text: String) throws {
        let value = try JSONValue(jsonText: text)
        #expect(try JSONValue(json: value.encodedJSON()) == value)
        try JSONReader.read(Array(text.utf8)) { reader throws(JSONError) in try reader.skip() }
    }

    @Test(arguments: invalid) func refusesWhatIsNotJSON(_ text: String) {
        #expect(throws: HarbourError.self) { try JSONValue(jsonText: text) }
    }

    @Test(arguments: invalidBytes) func refusesWhatIsNotUTF8(_ bytes: [UInt8]) {
        #expect(throws: HarbourError.self) { try JSONValue(json: bytes) }
        #expect(throws: JSONError.self) {
            try JSONReader.read(bytes) { reader throws(JSONError) in try reader.skip() }
        }
    }

    @Test func whatIsSkippedIsCheckedLikeWhatIsRead() {
        // Doubled keys are the one thing that only matters to who reads the object.
        for text in JSONSyntaxTests.invalid where !text.contains("\":2}") || !text.hasPrefix("{\"a\":1,") {
            #expect(throws: JSONError.self, "\(text)") {
                try JSONReader.read(Array(text.utf8)) { reader throws(JSONError) in try reader.skip() }
            }
        }
    }

    @Test func limitsDepth() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONValue(json: nested(128))
        let error = #expect(throws: JSONError.self) { try JSONValue(checkedJSON: nested(129)) }
        #expect(error?.code == .tooDeep)
        #expect(throws: JSONError.self) { try JSONValue(checkedJSON: nested(1_000_000)) }
        #expect(throws: JSONError.self) {
            try JSONReader.read(nested(1_000_000)) { reader throws(JSONError) in try reader.skip() }
        }
    }

    @Test func decodesEscapes() throws {
        #expect(try String(jsonText: #""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00é""#) == "\"\\/\u{8}\u{c}\n\r\tAé😀é")
        #expect(try JSONValue(jsonText: #"{"\u006eame":1}"#)["name"] == 1)
    }

    @Test func saysWhereItIsWrong() throws {
        func error(_ text: String) -> JSONError? {
            #expect(throws: JSONError.self) { try JSONValue(checkedJSON: Array(text.utf8)) }
        }
        #expect(error("[1,2 3]")?.offset == 5)
        #expect(error(#"{"a":[0,{"b":tru}]}"#)?.path == "a[1].b")
        #expect(error(#"{"a":1} x"#)?.code == .trailingBytes)
        #expect(error("[1,")?.code == .unexpectedEnd)
        #expect(error("[01]")?.code == .invalidNumber)
        #expect(error("\"\\ud800\"")?.code == .invalidText)
        #expect(error(#"{"a":{"x":[],"b":1,"b":2}}"#)?.code == .duplicateKey)
        #expect(error(#"{"a":{"x":[],"b":1,"b":2}}"#)?.message == "has the key `b` twice")
        #expect(error(#"{"a":{"x":[],"b":1,"b":2}}"#)?.path == "a")
        #expect(
            error(#"{"a":{"b":1,"b":2}}"#)?.harbourError().message == "The field `a` of the body has the key `b` twice."
        )
        #expect(
            error("[1,2 3]")?.harbourError().message
                == "The body is not valid JSON: at byte 5, a comma or a closing bracket was expected.")
    }
}
