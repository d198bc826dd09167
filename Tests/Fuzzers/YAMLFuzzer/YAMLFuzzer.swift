import Core
import YAML

/// The entry that libFuzzer calls: what is read is written in a form that reads back as the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let bytes, count > 0 else { return 0 }
    do throws(SourceProblem) {
        for document in try YAMLReader.documents(Array(UnsafeBufferPointer(start: bytes, count: count))) {
            let again = try YAMLReader.documents(document.json.yaml())
            precondition(again.map(\.json) == [document.json], "writing changed a document")
        }
    } catch {
        precondition(error.place.line >= 1 && error.place.column >= 1, "a problem is nowhere")
    }
    return 0
}
