public import Core

/// One input of a fuzz run.
public struct FuzzInput: Sendable, Hashable {
    /// The bytes to try.
    public let bytes: [UInt8]

    /// Wraps bytes, for replaying a crash by hand.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Random choices that depend on the bytes alone, so that a replayed crash takes the same path.
    public var choices: SeededGenerator {
        // FNV-1a.
        SeededGenerator(seed: bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
    }

    /// The bytes cut at arbitrary places, as a network would: whole, byte by byte, or in pieces of any size.
    public func pieces() -> [[UInt8]] {
        var random = choices
        let largest: Int
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return bytes.isEmpty ? [] : [bytes]
        case 1: largest = 1
        case 2: largest = 8
        default: largest = 200
        }
        var pieces: [[UInt8]] = []
        var position = 0
        while position < bytes.count {
            let end = min(bytes.count, position + Int.random(in: 1...largest, using: &random))
            pieces.append(Array(bytes[position..<end]))
            position = end
        }
        return pieces
    }
}

/// Changes inputs in the ways that parsers get wrong.
struct FuzzMutator {
    let corpus: [[UInt8]]
    /// Words of the format, such as `\r\n` or `Content-Length`.
    let tokens: [[UInt8]]
    let maximumLength: Int
    var random: SeededGenerator

    /// A new input: one of the corpus, changed one to eight times.
    mutating func next() -> [UInt8] {
        var bytes = corpus.randomElement(using: &random) ?? []
        for _ in 0..<(1 << Int.random(in: 0...3, using: &random)) { change(&bytes) }
        return bytes.count > maximumLength ? Array(bytes[..<maximumLength]) : bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: flipBit(&bytes)
        case 1: setByte(&bytes)
        case 2: insertNoise(&bytes)
        case 3: remove(&bytes)
        case 4: repeatPart(&bytes)
        case 5: movePart(&bytes)
        case 6: splice(&bytes)
        case 7: bytes = Array(bytes[..<position(bytes)])
        case 8: changeNumber(&bytes)
        default: insertToken(&bytes)
        }
    }

    /// A place between two bytes, or an end.
    private mutating func position(_ bytes: [UInt8]) -> Int { Int.random(in: 0...bytes.count, using: &random) }

    /// Mostly short, sometimes long.
    private mutating func part(_ bytes: [UInt8]) -> Range<Int> {
        let start = position(bytes)
        let longest = Bool.random(using: &random) ? 8 : bytes.count
        return start..<min(bytes.count, start + Int.random(in: 0...longest, using: &random))
    }

    private mutating func flipBit(_ bytes: inout [UInt8]) {
        guard let index = bytes.indices.randomElement(using: &random) else { return }
        bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    }

    private mutating func setByte(_ bytes: inout [UInt8]) {
        guard let index = bytes.indices.randomElement(using: &random) else { return }
        let edges: [UInt8] = [
            0, 1, 9, 10, 13, 32, 34, 44, 58, 59, 61, 92, 0x7e, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xfe, 0xff,
        ]
        bytes[index] = edges.randomElement(using: &random) ?? 0
    }

    private mutating func insertNoise(_ bytes: inout [UInt8]) {
        let noise = (0..<Int.random(in: 1...8, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.insert(contentsOf: noise, at: position(bytes))
    }

    private mutating func remove(_ bytes: inout [UInt8]) { bytes.removeSubrange(part(bytes)) }

    private mutating func repeatPart(_ bytes: inout [UInt8]) {
        let copy = Array(bytes[part(bytes)])
        let place = position(bytes)
        for _ in 0..<Int.random(in: 1...4, using: &random) where bytes.count < maximumLength {
            bytes.insert(contentsOf: copy, at: place)
        }
    }

    private mutating func movePart(_ bytes: inout [UInt8]) {
        let range = part(bytes)
        let copy = Array(bytes[range])
        bytes.removeSubrange(range)
        bytes.insert(contentsOf: copy, at: position(bytes))
    }

    private mutating func splice(_ bytes: inout [UInt8]) {
        let other = corpus.randomElement(using: &random) ?? []
        bytes = Array(bytes[..<position(bytes)] + other[position(other)...])
    }

    private mutating func insertToken(_ bytes: inout [UInt8]) {
        guard let token = tokens.randomElement(using: &random) else { return insertNoise(&bytes) }
        if Bool.random(using: &random) {
            bytes.insert(contentsOf: token, at: position(bytes))
        } else {
            bytes.replaceSubrange(part(bytes), with: token)
        }
    }

    /// Replaces a run of digits with a number at an edge.
    private mutating func changeNumber(_ bytes: inout [UInt8]) {
        let digits = bytes.indices.filter { bytes[$0] &- 0x30 < 10 }
        guard let start = digits.randomElement(using: &random) else { return insertToken(&bytes) }
        var end = start
        while end < bytes.count, bytes[end] &- 0x30 < 10 { end += 1 }
        let edges = [
            "0", "1", "-1", "00", "7f", "127", "128", "255", "256", "65535", "65536", "2147483647", "2147483648",
            "4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e400",
        ]
        bytes.replaceSubrange(start..<end, with: Array((edges.randomElement(using: &random) ?? "0").utf8))
    }
}
