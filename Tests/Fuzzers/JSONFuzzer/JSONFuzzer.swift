import Core

/// The entry that libFuzzer calls: what is read as JSON can be skipped, and survives being written and read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let document = Array(UnsafeBufferPointer(start: bytes, count: count))
    let value: JSONValue
    do throws(JSONError) {
        value = try JSONValue(checkedJSON: document)
    } catch {
        precondition(error.offset <= count, "an error is told behind the end")
        return 0
    }
    do throws(JSONError) {
        try JSONReader.read(document) { reader throws(JSONError) in try reader.skip() }
        for written in [value.encodedJSON(), value.prettyJSON()] {
            let again = try JSONValue(checkedJSON: written)
            precondition(again == value, "writing changed the value")
        }
    } catch {
        preconditionFailure("what was read once is refused at byte \(error.offset)")
    }
    return 0
}
