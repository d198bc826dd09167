import ContractGenerator
import Core
import Testing

/// The generator on documents of its own.
@Suite struct GeneratorTests {
    private static func document(_ schemas: String, paths: String = "{}") throws -> JSONValue {
        try JSONValue(
            jsonText: #"""
                {"openapi":"3.1.0","info":{"title":"t","version":"1","description":"A sample."},"paths":\#(paths),
                "components":{"schemas":\#(schemas)}}
                """#)
    }

    private static func files(_ schemas: String, paths: String = "{}") throws -> [String: String] {
        try Contract(documents: [("sample", try document(schemas, paths: paths))]).swiftFiles()
    }

    @Test func writesObjectsWithLimits() throws {
        let file = try #require(
            try GeneratorTests.files(
                #"""
                {"Thing":{"type":"object","description":"A thing.","required":["thing_id","note"],
                "additionalProperties":false,"properties":{
                "thing_id":{"type":"string","minLength":1,"maxLength":64,"pattern":"^[a-z0-9-]+$","description":"Its name"},
                "note":{"type":["string","null"],"description":"A note"},
                "size":{"type":"integer","format":"int32","minimum":0,"maximum":100000,"description":"How big"},
                "kinds":{"type":"array","maxItems":10,"items":{"type":"string","maxLength":8},"description":"Kinds"},
                "share":{"type":"number","format":"double","minimum":0,"description":"A part"},
                "default":{"type":"boolean","description":"A reserved word"}}}}
                """#)["Sample/Thing.swift"])
        for line in [
            "    /// Its name. 1 to 64 characters.", "    public var thingID: String",
            "    public var note: Optional<String>",
            "    /// How big. 0 to 100_000.", "    public var `default`: Optional<Bool>",
            #"try reader.string(length: 1...64, letters: JSONLetters(pattern: "^[a-z0-9-]+$", low: 0x3ff2"#,
            "try reader.int(in: 0...100_000)",
            "try reader.array(count: 0...10) { reader throws(JSONError) in try reader.string(length: 0...8) }",
            "try reader.double(in: 0.0...Double.greatestFiniteMagnitude)", "throw reader.unknownField()",
            #"throw reader.missingField("thing_id")"#,
            "if let note { writer.value(note) } else { writer.null() }",
        ] { #expect(file.contains(line), "\(line)\n\(file)") }
    }

    @Test func writesUnions() throws {
        let file = try #require(
            try GeneratorTests.files(
                #"""
                {"Shape":{"description":"A shape.","oneOf":[{"$ref":"#/components/schemas/Circle"}],
                "discriminator":{"propertyName":"kind","mapping":{"circle":"#/components/schemas/Circle"}}},
                "Circle":{"type":"object","description":"Round.","required":["kind"],
                "properties":{"kind":{"type":"string","const":"circle"}}}}
                """#)["Sample/Shape.swift"])
        #expect(file.contains("case circle(Circle)"))
        #expect(file.contains(#"switch try reader.discriminator("kind") {"#))
    }

    private static let refused: [String] = [
        ##"{"A":{"type":"object","description":"d","properties":{"x":{"type":"integer"}}}}"##,
        ##"{"A":{"type":"object","description":"d","properties":{"x":{"type":"string","format":"uuid"}}}}"##,
        ##"{"A":{"type":"object","description":"d","properties":{"x":{"type":"string","pattern":"a|b"}}}}"##,
        ##"{"A":{"type":"object","description":"d","properties":{"x":{"type":"string","enum":["a"]}}}}"##,
        ##"{"A":{"type":"object","description":"d","properties":{"x":{"type":"object","properties":{}}}}}"##,
        ##"{"A":{"type":"object","description":"d","properties":{"x":{"$ref":"#/components/schemas/B"}}}}"##,
        ##"{"A":{"type":"object","description":"d","properties":{"x":{"$ref":"other.json#/B"}}}}"##,
        ##"{"A":{"type":"object","description":"d","properties":{"x":{"$ref":"#/components/schemas/A"}}}}"##,
        ##"{"A":{"type":"object","description":"d","required":["y"],"properties":{}}}"##,
        ##"{"A":{"type":"object","description":"d","additionalProperties":true,"properties":{}}}"##,
        ##"{"A":{"type":"object","properties":{}}}"##, ##"{"A":{"type":"string","description":"d"}}"##,
        ##"{"A":{"type":"string","description":"d","enum":["a_b","A_B"]}}"##,
    ]

    @Test(arguments: refused)
    func refusesWhatItWouldNotEnforce(_ schemas: String) {
        #expect(throws: (any Error).self) { try GeneratorTests.files(schemas) }
    }

    @Test func theSameDocumentsGiveTheSameFiles() throws {
        let tree = try #require(SourceTree(around: #filePath))
        #expect(try tree.contract().swiftFiles() == (try tree.contract().swiftFiles()))
    }

    @Test func collectsErrorCodes() {
        var table = ErrorTable()
        table.add(
            source: """
                extension ErrorCode {
                    /// Not there.
                    public static let gone = ErrorCode("GONE", status: 410)
                    /// Odd, and told
                    /// on two lines.
                    static let odd =
                        ErrorCode("ODD", status: 418)
                }
                """, module: "Sample")
        #expect(table.markdown().contains("| `GONE` | 410 | Not there. | Sample |"))
        #expect(table.markdown().contains("| `ODD` | 418 | Odd, and told on two lines. | Sample |"))
        table.add(source: #"static let gone = ErrorCode("GONE", status: 404)"#, module: "Other")
        #expect(table.contradictions == ["GONE"])
    }
}
