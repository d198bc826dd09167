import Core
import Testing

@Suite struct JSONNumberTests {
    @Test func readsWholeNumbersOfAllSizes() throws {
        for value in [0, 1, -1, 9, 10, 99, 100, 1 << 53, .max, .min, .max - 1, .min + 1, 999_999_999_999_999_999] {
            let number = Int64(value)
            #expect(try Int64(json: number.encodedJSON()) == number)
            #expect(number.jsonText() == String(number))
        }
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            let number = Int64(bitPattern: generator.next() >> (generator.next() & 63))
            #expect(number.jsonText() == String(number))
            #expect(try Int64(json: number.encodedJSON()) == number)
        }
    }

    @Test(arguments: [
        "9223372036854775808", "-9223372036854775809", "10000000000000000000", "99999999999999999999", "1.0", "1e3",
        "1.5", "\"1\"", "null", "[]", "true",
    ])
    func refusesWhatIsNoWholeNumber(_ text: String) {
        let error = #expect(throws: JSONError.self) { try Int64(checkedJSON: Array(text.utf8)) }
        #expect(error?.code == .wrongType)
    }

    @Test(arguments: [
        "0", "-0", "1", "0.1", "0.3", "1e22", "1e23", "9007199254740993", "9007199254740992.5", "123456789.987654321",
        "1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "4.9406564584124654e-324", "2e-324",
        "0.1000000000000000055511151231257827021181583404541015625", "3.141592653589793238462643383279502884197169399",
        "179769313486231580793728971405301e276", "1e-400", "0e99999", "0.000000000000000000000000000001e30",
        "100000000000000000000000", "6.02214076e23", "-1.5e-7", "8.41", "72057594037927937", "1e0000000000005",
    ])
    func readsTheNearestDouble(_ text: String) throws {
        let value = try Double(jsonText: text)
        #expect(value.bitPattern == Double(text)?.bitPattern)
    }

    @Test func doublesSurviveTheRoundTrip() throws {
        var generator = SeededGenerator(seed: 11)
        for round in 0..<50_000 {
            var value = Double(bitPattern: generator.next())
            if round % 2 == 0 { value = Double(Int64(bitPattern: generator.next()) % 1_000_000_000) / 1000 }
            guard value.isFinite else { continue }
            #expect(try Double(json: value.encodedJSON()).bitPattern == value.bitPattern)
        }
    }

    @Test func refusesNumbersThatNoDoubleHolds() {
        for text in ["1e309", "-1e309", "1e400000000000000000000", String(repeating: "9", count: 400)] {
            let error = #expect(throws: JSONError.self) { try Double(checkedJSON: Array(text.utf8)) }
            #expect(error?.code == .invalidValue)
        }
        #expect(Double.nan.jsonText() == "null")
        #expect(Double.infinity.jsonText() == "null")
        #expect(JSONNumber(Double.nan) == nil)
        #expect(throws: HarbourError.self) { try Double(jsonText: Double.nan.jsonText()) }
    }

    @Test func keepsTheTextOfNumbers() throws {
        for text in ["1.0", "1.50", "1E5", "-0", "123456789012345678901234567890.000"] {
            #expect(try JSONValue(jsonText: text).jsonText() == text)
            #expect(JSONNumber(text)?.text == text)
        }
        for text in ["", "01", "1.", "+1", "1 ", " 1", "NaN", "0x1"] { #expect(JSONNumber(text) == nil) }
        #expect(JSONNumber("12")?.int64 == 12)
        #expect(JSONNumber("1e400")?.double == nil)
    }

    @Test func holdsNumbersWithinLimits() throws {
        func read(_ text: String) throws(JSONError) -> Int {
            try JSONReader.read(Array(text.utf8)) { reader throws(JSONError) in try reader.int(in: 1...100) }
        }
        #expect(try read("1") == 1)
        #expect(try read("100") == 100)
        let error = #expect(throws: JSONError.self) { try read("101") }
        #expect(error?.message == "must be from 1 to 100, and is 101")
    }
}
