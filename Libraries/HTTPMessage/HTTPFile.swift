public import Core
internal import Glibc

/// A part of a file that is open for reading; closed when the last reference goes.
public final class HTTPFile: Sendable {
    private let descriptor: Int32
    /// Where the part begins.
    public let offset: Int
    /// How many bytes it has.
    public let length: Int

    /// Takes over the descriptor of a regular file.
    public init(descriptor: Int32, offset: Int, length: Int) {
        self.descriptor = descriptor
        self.offset = offset
        self.length = length
    }

    deinit { close(descriptor) }

    /// Reads up to `count` bytes at `position` of the part. It does not wait for anything but the disk.
    /// - Throws: `INTERNAL_ERROR` when the file cannot be read or has become shorter.
    public func read(at position: Int, upTo count: Int) throws(HarbourError) -> [UInt8] {
        let wanted = min(count, length - position)
        guard wanted > 0 else { return [] }
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
            while initialized < wanted, let base = buffer.baseAddress {
                let got = pread(
                    descriptor, base + initialized, wanted - initialized, off_t(offset + position + initialized))
                if got < 0 && errno == EINTR { continue }
                if got <= 0 {
                    failure = got < 0 ? errno : EIO
                    return
                }
                initialized += got
            }
        }
        guard failure == 0 else {
            throw HarbourError(
                .internalError, "A file could not be read to its end.", detail: String(cString: strerror(failure)))
        }
        return bytes
    }
}
