import Core
import Glibc
import Testing

/// Documents that are bent at random: no crash, no disagreement between reading and skipping, nothing accepted that
/// does not survive being written and read again. `HARBOUR_FUZZ_SECONDS` makes it longer.
@Suite struct JSONFuzzTests {
    private static let seeds: [String] =
        JSONSyntaxTests.valid + JSONSyntaxTests.invalid + [
            #"{"cells":[{"id":"a","source":["x = 1\n"],"outputs":[{"data":{"text/plain":"é"}}]}],"nbformat":4}"#,
            #"[{"name":"\ud83d\ude00","values":[1,-2.5e10,true,null]},{"name":"","values":[]}]"#,
        ]

    @Test func bentDocumentsAreReadOrRefused() throws {
        let seconds = getenv("HARBOUR_FUZZ_SECONDS").flatMap { Int(String(cString: $0)) } ?? 1
        let seed = UInt64(Timestamp.now.milliseconds)
        var generator = SeededGenerator(seed: seed)
        let end = MonotonicTime.now + .seconds(seconds)
        var accepted = 0
        while MonotonicTime.now < end {
            for _ in 0..<200 {
                let bytes = JSONFuzzTests.bend(&generator)
                if try JSONFuzzTests.check(bytes, seed: seed) { accepted += 1 }
            }
        }
        #expect(accepted > 0)
    }

    private static func check(_ bytes: [UInt8], seed: UInt64) throws -> Bool {
        let value: JSONValue
        do {
            value = try JSONValue(checkedJSON: bytes)
        } catch {
            #expect(error.offset <= bytes.count, "seed \(seed): \(bytes)")
            return false
        }
        let skipped: Void? = try? JSONReader.read(bytes) { reader throws(JSONError) in try reader.skip() }
        #expect(skipped != nil, "seed \(seed): skipping refuses what reading takes: \(bytes)")
        #expect(try JSONValue(json: value.encodedJSON()) == value, "seed \(seed): \(bytes)")
        #expect(try JSONValue(json: value.prettyJSON()) == value, "seed \(seed): \(bytes)")
        return true
    }

    private static func bend(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = Array((seeds.randomElement(using: &generator) ?? "").utf8)
        let special: [UInt8] = Array("{}[]\":,\\ue0-.+ \n".utf8) + [0, 0x1f, 0x80, 0xc3, 0xe2, 0xed, 0xf0, 0xff]
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let place = Int.random(in: 0...bytes.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes.insert(special.randomElement(using: &generator) ?? 0, at: place)
            case 1: if place < bytes.count { bytes.remove(at: place) }
            case 2: if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &generator) }
            case 3: bytes.removeSubrange(place...)
            default:
                let other = Array((seeds.randomElement(using: &generator) ?? "").utf8)
                bytes.insert(contentsOf: other, at: place)
            }
        }
        return bytes
    }
}
