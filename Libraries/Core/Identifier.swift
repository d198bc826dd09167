/// Makes names for new things. They are chosen by us before the thing exists, so that making it can be repeated.
public enum Identifier {
    private static let alphabet: [UInt8] = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    /// A new name that sorts by the time of its making: 9 characters of milliseconds, 13 random ones (65 bits).
    ///
    /// The letters are Crockford's base 32 in lower case, so the name is one path segment, one DNS label and easy to
    /// read aloud.
    public static func make(at time: Timestamp = .now) -> String {
        var generator = SystemRandomNumberGenerator()
        return make(at: time, using: &generator)
    }

    /// The same from a generator of the caller's, for tests and simulations.
    public static func make(at time: Timestamp, using generator: inout some RandomNumberGenerator) -> String {
        String(unsafeUninitializedCapacity: 22) { bytes in
            var value = UInt64(bitPattern: time.milliseconds)
            for index in stride(from: 8, through: 0, by: -1) {
                bytes[index] = alphabet[Int(value & 31)]
                value >>= 5
            }
            for index in 9..<22 { bytes[index] = alphabet[Int.random(in: 0..<32, using: &generator)] }
            return 22
        }
    }

    /// A secret of `count` random bytes in hexadecimal, from the system's generator.
    public static func secret(bytes count: Int = 32) -> String {
        var generator = SystemRandomNumberGenerator()
        let digits: [UInt8] = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: count * 2) { bytes in
            for index in 0..<count * 2 { bytes[index] = digits[Int(generator.next() & 15)] }
            return count * 2
        }
    }
}

/// A small generator with a seed that can be printed and played again (SplitMix64, Steele et al. 2014).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Makes a generator; the same seed gives the same numbers on every machine.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
