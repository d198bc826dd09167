import Compression
import Core
import Glibc
import TestSupport
import Testing

private func code(_ work: () throws -> Void) -> ErrorCode? {
    do {
        try work()
        return nil
    } catch {
        return (error as? HarbourError)?.code
    }
}

@Suite struct CompressionTests {
    @Test(arguments: [0, 1, 15, 4096, 65_536, 65_537, 1_000_000] + (isSanitized ? [] : [5_000_000]))
    func whatGoesInComesOut(_ count: Int) throws {
        var generator = SeededGenerator(seed: UInt64(count))
        let noise = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let text = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7 % 64) }
        for bytes in [noise, text] {
            for level in [0, 9] {
                let frame = LZ4Frame.compress(bytes, level: level)
                #expect(try LZ4Frame.decompress(frame, limit: count) == bytes)
            }
        }
        if count > 1000 { #expect(LZ4Frame.compress(text).count < count / 2) }
    }

    @Test func concatenatedFramesAreOneContent() throws {
        let frames = LZ4Frame.compress(Array("one".utf8)) + LZ4Frame.compress(Array(", two".utf8))
        #expect(try LZ4Frame.decompress(frames, limit: 100) == Array("one, two".utf8))
    }

    @Test func aBombIsRefusedAtOnce() {
        let bomb = LZ4Frame.compress([UInt8](repeating: 0, count: 50_000_000))
        #expect(code { _ = try LZ4Frame.decompress(bomb, limit: 1_000_000) } == .tooLarge)
        #expect(code { _ = try LZ4Frame.decompress(bomb, limit: 49_999_999) } == .tooLarge)
        #expect(code { _ = try LZ4Frame.decompress(bomb + bomb, limit: 50_000_001) } == .tooLarge)
    }

    @Test func everyTruncationIsAnError() {
        let frame = LZ4Frame.compress(Array("Nothing of this may be lost on the way, not even the end.".utf8))
        for length in 0..<frame.count {
            #expect(code { _ = try LZ4Frame.decompress(Array(frame[..<length]), limit: 1000) } == .dataCorrupted)
        }
        #expect(code { _ = try LZ4Frame.decompress(frame + [1, 2, 3], limit: 1000) } == .dataCorrupted)
    }

    @Test func everyFlippedBitIsFoundOrHarmless() {
        let content = Array("The checksum covers what comes out, the header has its own.".utf8)
        let frame = LZ4Frame.compress(content)
        for bit in 0..<frame.count * 8 {
            var damaged = frame
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let output = try? LZ4Frame.decompress(damaged, limit: 10_000)
            #expect(output == nil || output == content)
        }
    }

    @Test func noiseNeverCrashesAndNeverExceedsTheLimit() {
        let seed = UInt64(Timestamp.now.milliseconds)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            var bytes: [UInt8]
            if Bool.random(using: &generator) {
                let size = Int.random(in: 0...300, using: &generator)
                bytes = LZ4Frame.compress((0..<size).map { UInt8(truncatingIfNeeded: $0 % 9) })
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
                }
            } else {
                bytes = [0x04, 0x22, 0x4d, 0x18]
                bytes += (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
            }
            if let output = try? LZ4Frame.decompress(bytes, limit: 500) {
                #expect(output.count <= 500, "seed \(seed)")
            }
        }
    }

    @Test(.enabled(if: access("/usr/bin/lz4", X_OK) == 0, "the lz4 tool is not installed"))
    func theToolReadsOurFrames() throws {
        let content = Array("read me\n".utf8)
        let frame = LZ4Frame.compress(content)
        let tool = try #require(popen("/usr/bin/lz4 -d -c | cmp -s - /dev/fd/3 3<<'EOF'\nread me\nEOF\n", "w"))
        #expect(fwrite(frame, 1, frame.count, tool) == frame.count)
        #expect(pclose(tool) == 0)
    }
}
