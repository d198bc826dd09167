import Core
import Testing

@Suite struct JSONValueTests {
    @Test func keepsOrderAndReadsParts() throws {
        let text = #"{"z":1,"a":[true,null,"x",1.50],"m":{"k":"v"}}"#
        let value = try JSONValue(jsonText: text)
        #expect(value.jsonText() == text)
        #expect(value.object?.keys == ["z", "a", "m"])
        #expect(value["a"]?[2]?.string == "x")
        #expect(value["a"]?[3]?.double == 1.5)
        #expect(value["a"]?[9] == nil)
        #expect(value["m"]?["k"] == "v")
        #expect(value["z"]?.int == 1)
        #expect(value["a"]?[1]?.isNull == true)
    }

    @Test func objectsAreEqualInAnyOrder() throws {
        let left = try JSONValue(jsonText: #"{"a":1,"b":[2]}"#)
        let right: JSONValue = ["b": [2], "a": 1]
        #expect(left == right)
        #expect(Set([left, right]).count == 1)
        #expect(left != ["b": [2], "a": 2])
        #expect(left != ["b": [2]])
    }

    @Test func largeObjectsFindTheirFields() throws {
        var object = JSONObject()
        for number in 0..<1000 { object["key\(number)"] = .integer(number) }
        for number in 0..<1000 { #expect(object["key\(number)"]?.int == number) }
        object["key3"] = nil
        #expect(object.count == 999)
        #expect(object["key3"] == nil)
        #expect(object["key999"] == 999)
        object["key4"] = "changed"
        #expect(object.fields[3].value == "changed")
        for number in 0..<995 { object["key\(number)"] = nil }
        #expect(object.keys == (995..<1000).map { "key\($0)" })
        #expect(object["key996"] == 996)
        let doubled = #"{"# + (0..<100).map { "\"k\($0)\":1" }.joined(separator: ",") + #","k50":2}"#
        #expect(throws: HarbourError.self) { try JSONValue(jsonText: doubled) }
    }

    @Test func canBeChangedInPlace() {
        var value: JSONValue = ["a": ["b": 1]]
        value["a"]?["b"] = 2
        value["c"] = [1, 2.5, nil, false]
        #expect(value.jsonText() == #"{"a":{"b":2},"c":[1,2.5,null,false]}"#)
    }

    @Test func printsForPeople() {
        let value: JSONValue = ["a": [1, 2], "b": [:], "c": [], "d": ["e": nil]]
        let text = String(decoding: value.prettyJSON(), as: UTF8.self)
        #expect(
            text
                == "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": [],\n  \"d\": {\n    \"e\": null\n  }\n}\n"
        )
    }

    @Test func writesEveryStringSoThatItReadsBack() throws {
        var generator = SeededGenerator(seed: 3)
        let alphabet: [Character] = [
            "a", "\"", "\\", "\n", "\u{0}", "\u{1f}", "\u{7f}", "é", "€", "😀", "/", "\u{2028}",
        ]
        for length in 0..<400 {
            let text = String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
            #expect(try String(json: text.encodedJSON()).utf8.elementsEqual(text.utf8))
        }
        #expect("a\u{1}\u{1f}\u{8}\"\\/é".jsonText() == #""a\u0001\u001f\b\"\\/é""#)
    }

    @Test func mapsAndArraysHaveLimits() throws {
        #expect(try [String: Int](jsonText: #"{"a":1,"b":2}"#) == ["a": 1, "b": 2])
        #expect(["b": 1, "a": 2].jsonText() == #"{"a":2,"b":1}"#)
        #expect(throws: HarbourError.self) { try [String: Int](jsonText: #"{"a":1,"a":2}"#) }
        func read(_ text: String) throws(JSONError) -> [Int] {
            try JSONReader.read(Array(text.utf8)) { reader throws(JSONError) in
                try reader.array(count: 1...2) { reader throws(JSONError) in try reader.int() }
            }
        }
        #expect(try read("[1,2]") == [1, 2])
        #expect(throws: JSONError.self) { try read("[]") }
        #expect(throws: JSONError.self) { try read("[1,2,3]") }
    }

    @Test func givesRawValues() throws {
        let pair = try JSONReader.read(Array(#"{"a": [1, {"b":"]"}] ,"type":"x"}"#.utf8)) { reader throws(JSONError) in
            var raw: [UInt8] = []
            let type = try reader.discriminator("type")
            if try reader.beginObject() {
                repeat {
                    if try reader.key().matches("a") { raw = try reader.raw() } else { try reader.skip() }
                } while try reader.nextKey()
            }
            return (type, raw)
        }
        #expect(pair.0 == "x")
        #expect(pair.1 == Array(#"[1, {"b":"]"}]"#.utf8))
    }
}

@Suite struct Base64Tests {
    @Test func encodesTheVectorsOfRFC4648() {
        let vectors = [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ]
        for (plain, encoded) in vectors {
            #expect(Base64.encode(Array(plain.utf8)) == encoded)
            #expect(Base64.decode(encoded) == Array(plain.utf8))
        }
        #expect(Base64.encode([0xfb, 0xff], .url) == "-_8")
        #expect(Base64.decode("-_8", .url) == [0xfb, 0xff])
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Zg==Zg==", "Zm 9", "Zm9v\n", "-_8=", "A==="])
    func refusesAllButTheOneText(_ text: String) { #expect(Base64.decode(text) == nil) }

    @Test func allBytesSurvive() {
        var generator = SeededGenerator(seed: 5)
        for length in 0..<100 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decode(Base64.encode(bytes, .url), .url) == bytes)
        }
    }
}
