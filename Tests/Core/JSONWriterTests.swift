import Core
import Testing

@Suite struct JSONWriterTests {
    @Test func literalKeysAreWrittenAsTheyAreAndOthersQuoted() {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key(quoted: "\"literal\":")
        writer.value(1)
        let name = "a \"free\" one"
        writer.key(name)
        writer.value(2)
        writer.key("plain")
        writer.value(3)
        writer.endObject()
        #expect(String(decoding: writer.finish(), as: UTF8.self) == #"{"literal":1,"a \"free\" one":2,"plain":3}"#)
    }
}
