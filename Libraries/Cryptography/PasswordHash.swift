internal import COpenSSL
public import Core

/// A password as it may be kept: hashed by scrypt (RFC 7914), which costs an attacker memory as well as time, together
/// with the parameters and the salt that it was hashed with, so that they can grow with the machines.
///
/// The text is `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`, both in unpadded base64. Hashing takes tens of milliseconds and the
/// memory below: do it beside the loop.
public struct PasswordHash: Sendable, Hashable {
    /// What a hash costs.
    public struct Cost: Sendable, Hashable {
        /// The logarithm of the number of blocks, to the base of 2.
        public var logarithm: Int
        /// The size of a block in units of 128 bytes.
        public var blockSize: Int
        /// How often it is done.
        public var passes: Int

        /// Sets the parameters.
        public init(logarithm: Int, blockSize: Int = 8, passes: Int) {
            self.logarithm = logarithm
            self.blockSize = blockSize
            self.passes = passes
        }

        /// 32 MiB and three passes: as much work as 128 MiB in one, with room for several at a time on a small machine.
        public static let standard = Cost(logarithm: 15, passes: 3)

        /// The memory that one hash needs, in bytes.
        public var memory: Int { 128 * blockSize << logarithm }

        /// What is not absurd: a damaged row must not take all memory.
        var isAllowed: Bool {
            (1...20).contains(logarithm) && (1...32).contains(blockSize) && (1...16).contains(passes)
                && memory <= 1 << 30
        }
    }

    /// What it was made with.
    public let cost: Cost
    private let salt: [UInt8]
    private let hash: [UInt8]

    private static let saltSize = 16
    private static let hashSize = 32

    /// Hashes a password with a new salt.
    public init(_ password: String, cost: Cost = .standard) throws(HarbourError) {
        self.cost = cost
        salt = SystemRandom.bytes(PasswordHash.saltSize)
        hash = try PasswordHash.derive(password, salt, cost, PasswordHash.hashSize)
    }

    /// Whether this is the password.
    public func matches(_ password: String) throws(HarbourError) -> Bool {
        constantTimeEquals(try PasswordHash.derive(password, salt, cost, hash.count), hash)
    }

    /// Whether it should be made anew, because today more is asked for.
    public func isWeaker(than wanted: Cost = .standard) -> Bool {
        cost.logarithm < wanted.logarithm || cost.blockSize < wanted.blockSize || cost.passes < wanted.passes
    }

    // MARK: Text

    /// What is kept.
    public var text: String {
        "$scrypt$ln=\(cost.logarithm),r=\(cost.blockSize),p=\(cost.passes)$\(Base64.encode(salt, .url))"
            + "$\(Base64.encode(hash, .url))"
    }

    /// Reads what was kept; nil when it is not a hash of this kind.
    public init?(text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { return nil }
        let numbers = parts[2].split(separator: ",", omittingEmptySubsequences: false)
        guard numbers.count == 3, numbers[0].hasPrefix("ln="), numbers[1].hasPrefix("r="), numbers[2].hasPrefix("p="),
            let logarithm = Int(numbers[0].dropFirst(3)), let blockSize = Int(numbers[1].dropFirst(2)),
            let passes = Int(numbers[2].dropFirst(2)),
            let salt = Base64.decode(String(parts[3]), .url), let hash = Base64.decode(String(parts[4]), .url),
            salt.count >= 8, hash.count >= 16
        else { return nil }
        cost = Cost(logarithm: logarithm, blockSize: blockSize, passes: passes)
        guard cost.isAllowed else { return nil }
        self.salt = salt
        self.hash = hash
    }

    // MARK: scrypt

    /// Derives a key (RFC 7914 section 6).
    static func derive(
        _ password: String, _ salt: [UInt8], _ cost: Cost, _ size: Int
    ) throws(HarbourError) -> [UInt8] {
        precondition(cost.isAllowed, "these parameters of scrypt cost too much or too little")
        var password = password
        var key = [UInt8](repeating: 0, count: size)
        // Besides its blocks OpenSSL counts a few buffers against the limit.
        let limit = UInt64(cost.memory + 128 * cost.blockSize * (cost.passes + 2) + (1 << 20))
        let status = password.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                EVP_PBE_scrypt(
                    text.baseAddress, text.count, salt, salt.count, 1 << UInt64(cost.logarithm),
                    UInt64(cost.blockSize), UInt64(cost.passes), limit, &key, key.count)
            }
        }
        guard status == 1 else {
            throw HarbourError(
                .unavailable, "There is not enough memory to check a password now. Try again in a moment.")
        }
        return key
    }
}
