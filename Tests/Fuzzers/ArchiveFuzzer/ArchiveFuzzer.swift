import Archive
import Core

/// The bytes that libFuzzer made, as an archive.
private final class Bytes: ZipSource {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    var size: Int { bytes.count }
    func read(at offset: Int) throws -> [UInt8] { Array(bytes[offset..<min(bytes.count, offset + 4096)]) }
}

/// The entry that libFuzzer calls: an archive is read or refused, and no entry has more bytes than it says.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let bytes, count > 0 else { return 0 }
    do {
        let reader = try ZipReader(Bytes(Array(UnsafeBufferPointer(start: bytes, count: count))))
        var entries = 0
        while let entry = try reader.next() {
            entries += 1
            precondition(entries <= count, "more entries than bytes")
            guard entry.kind == .file, entry.isReadable, !entry.isEncrypted else { continue }
            var read = 0
            while let piece = try reader.read(1 << 16), read < 4 << 20 {
                read += piece.count
                precondition(read <= entry.size, "more bytes than the entry has")
            }
        }
    } catch {
        let error = HarbourError.wrap(error)
        precondition(error.code == .invalidArchive, "another refusal than that it is no archive: \(error)")
    }
    return 0
}
