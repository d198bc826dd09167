import ContractGenerator
import Core
import HarbourProtocol
import Testing

/// The generated files are what the documents say, and no shape moves unnoticed.
@Suite struct CurrencyTests {
    private static func tree() throws -> SourceTree { try #require(SourceTree(around: #filePath)) }

    @Test func generatedFilesAreCurrent() throws {
        let stale = try CurrencyTests.tree().staleFiles()
        #expect(stale.isEmpty, "run `swift run ContractGenerator`")
    }

    @Test func noShapeMovesUnnoticed() throws {
        let tree = try CurrencyTests.tree()
        let expected = try tree.contract().goldenFiles()
        for (path, bytes) in expected.sorted(by: { $0.key < $1.key }) {
            let golden = tree.read("schemas/golden/\(path)")
            #expect(
                golden == bytes,
                "the shape of \(path) has moved: when that is meant, run `swift run ContractGenerator --golden`")
        }
        let paths = expected.keys.map { "schemas/golden/\($0)" }.sorted()
        #expect(tree.goldenFiles() == paths)
    }

    @Test func everyTypeReadsAndWritesItsGoldenForm() throws {
        let tree = try CurrencyTests.tree()
        for (service, name, echo) in ProtocolTypes.all {
            let path = "schemas/golden/\(service)/\(name).json"
            let examples = try JSONValue(json: #require(tree.read(path), "\(path) is missing"))
            for kind in ["full", "minimal"] {
                let example = try #require(examples[kind]).encodedJSON()
                let echoed = try echo(example)
                #expect(String(decoding: echoed, as: UTF8.self) == String(decoding: example, as: UTF8.self), "\(name)")
            }
        }
    }

    @Test func everyTypeRefusesWhatItIsNot() throws {
        let tree = try CurrencyTests.tree()
        for (service, name, echo) in ProtocolTypes.all {
            let examples = try JSONValue(json: #require(tree.read("schemas/golden/\(service)/\(name).json")))
            let full = try #require(examples["full"])
            for wrong in ["", "null", "[]", "7", "{\"a\":", "{}{}"] {
                if let fields = full.object, fields.isEmpty, wrong == "{}" { continue }
                #expect(throws: HarbourError.self, "\(name) takes \(wrong)") { try echo(Array(wrong.utf8)) }
            }
            for field in full.object?.fields ?? [] {
                var other = full
                // No field of the contract is a whole number, a text and an array at once.
                for value in [["x": [[]]], [[1]], 1.5, "\u{1}"] as [JSONValue] {
                    other[field.key] = value
                    if (try? echo(other.encodedJSON())) != nil { continue }
                    let error = #expect(throws: HarbourError.self) { try echo(other.encodedJSON()) }
                    #expect(error?.code == .malformedRequest)
                    #expect(
                        error?.message.contains("`\(field.key)") == true,
                        "\(name).\(field.key): \(error?.message ?? "")")
                }
                var minimal = try #require(examples["minimal"])
                if minimal[field.key] != nil {
                    minimal[field.key] = nil
                    let error = #expect(throws: HarbourError.self) { try echo(minimal.encodedJSON()) }
                    #expect(error?.message.contains("has no `\(field.key)`, which is required") == true)
                }
            }
        }
    }

    @Test func everyTypeSurvivesBentBytes() throws {
        let tree = try CurrencyTests.tree()
        let seed = UInt64(Timestamp.now.milliseconds)
        var generator = SeededGenerator(seed: seed)
        for (service, name, echo) in ProtocolTypes.all {
            let examples = try JSONValue(json: #require(tree.read("schemas/golden/\(service)/\(name).json")))
            let bytes = try #require(examples["full"]).encodedJSON()
            for _ in 0..<100 {
                var bent = bytes
                let place = Int.random(in: 0..<bent.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bent[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bent.removeSubrange(place...)
                default: bent.insert(contentsOf: bytes[..<place], at: place)
                }
                // Whatever is taken must be written in a form that is taken again and stays the same.
                guard let first = try? echo(bent) else { continue }
                #expect(try echo(first) == first, "\(name), seed \(seed)")
            }
        }
    }
}
