/// One text that must not be shown, ready to be looked for.
struct SecretPattern: Sendable, Hashable {
    let bytes: [UInt8]
    /// For each length of a beginning that has been seen, the longest shorter one that may have begun within it: where
    /// the search of Knuth, Morris and Pratt goes on when the next byte is another one.
    let fallback: [Int32]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var fallback = [Int32](repeating: 0, count: bytes.count)
        var length = 0
        for index in bytes.indices.dropFirst() {
            while length > 0, bytes[length] != bytes[index] { length = Int(fallback[length - 1]) }
            if bytes[length] == bytes[index] { length += 1 }
            fallback[index] = Int32(length)
        }
        self.fallback = fallback
    }
}

/// All that is looked for at one time. Compared by identity: what is learned makes another one.
final class SecretPatterns: Sendable {
    let all: [SecretPattern]

    init(_ all: [SecretPattern] = []) { self.all = all }
}
