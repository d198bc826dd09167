import ContractGenerator
import Core
import HarbourProtocol
import Testing

/// Readers expect the fields of an object in the contract's order and without white space. Whatever comes in another
/// dress means the same.
@Suite struct FieldDressTests {
    private static func examples() throws -> [(name: String, echo: ([UInt8]) throws -> [UInt8], full: JSONValue)] {
        let tree = try #require(SourceTree(around: #filePath))
        return try ProtocolTypes.all.map { service, name, echo in
            let bytes = try #require(tree.read("schemas/golden/\(service)/\(name).json"))
            return (name, echo, try #require(try JSONValue(json: bytes)["full"]))
        }
    }

    @Test func everyTypeReadsItsFieldsInAnyOrderAndDress() throws {
        let seed = UInt64(Timestamp.now.milliseconds)
        var generator = SeededGenerator(seed: seed)
        for (name, echo, full) in try FieldDressTests.examples() {
            let expected = try echo(full.encodedJSON())
            #expect(try echo(full.prettyJSON()) == expected, "\(name)")
            for _ in 0..<20 {
                let text = FieldDressTests.dressed(full, &generator)
                #expect(try echo(Array(text.utf8)) == expected, "seed \(seed), \(name): \(text)")
            }
        }
    }

    @Test func everyTypeRefusesAFieldThatComesTwice() throws {
        for (name, echo, full) in try FieldDressTests.examples() {
            let fields = full.object?.fields ?? []
            for (index, field) in fields.enumerated() {
                for place in [0, index, index + 1, fields.count] {
                    var twice = fields
                    twice.insert(field, at: place)
                    let text = "{" + twice.map { "\($0.value.jsonText(named: $0.key))" }.joined(separator: ",") + "}"
                    let error = #expect(throws: HarbourError.self, "\(name)") { try echo(Array(text.utf8)) }
                    #expect(error?.message.contains("has the key `\(field.key)` twice") == true, "\(name): \(text)")
                }
            }
        }
    }

    /// The value with its fields shuffled, keys escaped, and white space here and there. Values that hold free JSON
    /// keep their order, which their readers keep too.
    private static func dressed(_ value: JSONValue, _ generator: inout SeededGenerator) -> String {
        func space() -> String { ["", "", " ", "\n\t", "\r\n "].randomElement(using: &generator) ?? "" }
        var parts: [String] = []
        for field in (value.object?.fields ?? []).shuffled(using: &generator) {
            let letters = field.key.unicodeScalars.map { letter in
                let code = String(letter.value, radix: 16)
                return Int.random(in: 0..<16, using: &generator) == 0
                    ? "\\u" + String(repeating: "0", count: 4 - code.count) + code : String(letter)
            }
            parts.append("\(space())\"\(letters.joined())\"\(space()):\(space())\(field.value.jsonText())\(space())")
        }
        return value.object == nil ? value.jsonText() : space() + "{" + parts.joined(separator: ",") + "}" + space()
    }
}

extension JSONValue {
    fileprivate func jsonText(named key: String) -> String { "\"\(key)\":\(jsonText())" }
}
