internal import COpenSSL
internal import Glibc

/// Randomness for keys, tokens and masks, from the kernel.
public enum SystemRandom {
    /// Unpredictable bytes (getrandom(2)).
    public static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            fill(UnsafeMutableRawBufferPointer(buffer))
            filled = count
        }
    }

    /// Fills memory with unpredictable bytes.
    public static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var filled = 0
        while filled < buffer.count {
            let count = getrandom(buffer.baseAddress.unsafelyUnwrapped + filled, buffer.count - filled, 0)
            // Only a signal can interrupt it; going on without randomness would make guessable secrets.
            precondition(count > 0 || errno == EINTR, "the kernel gives no randomness")
            filled += max(0, count)
        }
    }

    /// A secret of that many random bytes in hexadecimal.
    public static func token(bytes count: Int = 32) -> String { hexadecimal(bytes(count)) }
}
