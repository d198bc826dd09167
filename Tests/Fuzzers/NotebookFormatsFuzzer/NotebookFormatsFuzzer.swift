import Core
import NotebookFormats

/// The entry that libFuzzer calls: the first byte chooses the format, the rest is the file. What is read as a notebook
/// is written as something that reads the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let bytes, count > 0 else { return 0 }
    let formats = NotebookFormat.allCases
    let format = formats[Int(bytes[0]) % formats.count]
    let file = Array(UnsafeBufferPointer(start: bytes + 1, count: count - 1))
    let notebook: Notebook
    do throws(HarbourError) {
        notebook = try format.parse(file)
    } catch {
        precondition(error.code == .invalidNotebook, "a notebook was refused as \(error.code.name)")
        return 0
    }
    do throws(HarbourError) {
        let written = format.serialize(notebook)
        precondition(format == .ipynb || written == file, "the text changed")
        let again = try format.parse(written)
        precondition(format.serialize(again) == written, "writing is not stable")
    } catch {
        preconditionFailure("what was written is refused: \(error.message)")
    }
    return 0
}
