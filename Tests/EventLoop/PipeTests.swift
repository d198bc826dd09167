import Core
import Glibc
import TestSupport
import Testing

@testable import EventLoop

@Suite struct PipeTests {
    @Test func muchDataPassesBothWays() async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification("/bin/cat")
            specification.input = .pipe
            specification.output = .pipe
            let child = try await ChildProcess.start(specification, loop: loop)
            let input = try #require(child.input)
            let reader = try #require(child.output)
            let block = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            async let written: Void = {
                for _ in 0..<100 { try await input.write(block) }
                input.close()
            }()
            var count = 0
            while let bytes = try await reader.read() {
                for (offset, byte) in bytes.enumerated() where byte != block[(count + offset) % block.count] {
                    Issue.record("byte \(count + offset) differs")
                    return
                }
                count += bytes.count
            }
            try await written
            #expect(count == 10_000_000)
            #expect(try await child.wait().isSuccess)
        }
    }

    @Test func aChildThatIsNotReadWaits() async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification("/bin/sh", ["-c", "yes | head -c 5000000; echo end >&2"])
            specification.output = .pipe
            specification.errors = .pipe
            let child = try await ChildProcess.start(specification, loop: loop)
            let output = try #require(child.output)
            _ = try await output.read()
            let wakeUps = try await fewestWakeUps(of: loop, in: .milliseconds(50), enough: 2)
            #expect(wakeUps <= 2)
            #expect(child.exit == nil)
            while try await output.read() != nil {}
            #expect(try await child.errors?.readLine() == "end")
        }
    }

    @Test func writingToAChildThatHasClosedIsAnError() async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification("/bin/sh", ["-c", "exec 0<&-; echo closed; sleep 1000"])
            specification.input = .pipe
            specification.output = .pipe
            let child = try await ChildProcess.start(specification, loop: loop)
            #expect(try await child.output?.readLine() == "closed")
            let failure = await #expect(throws: HarbourError.self) {
                try await child.input?.write([UInt8](repeating: 0, count: 1_000_000))
            }
            #expect(failure?.code == .invalidState)
            child.kill()
        }
    }

    @Test func workFromOtherThreads() async throws {
        let loop = try EventLoop()
        let thread = loop.start()
        var specification = ProcessSpecification("/bin/cat")
        specification.input = .pipe
        specification.output = .pipe
        let child = try await ChildProcess.start(specification, loop: loop)
        let output = try #require(child.output)
        try await child.input?.write(Array("one\ntwo\n".utf8))
        #expect(try await output.readLine() == "one")
        #expect(try await output.readLine() == "two")
        let reading = Task.detached { try await output.readLine() }
        reading.cancel()
        await #expect(throws: CancellationError.self) { try await reading.value }
        #expect(await child.terminate(grace: .seconds(60)) == .signalled(SIGTERM))
        thread.stopAndJoin()
    }

    @Test func linesAreCutWhereverTheBytesBreak() {
        let text = Array("one\r\ntwo\n\nlonger than eight\nlast".utf8)
        for size in 1...text.count {
            var splitter = LineSplitter()
            var lines: [String] = []
            func take() {
                while let line = splitter.next(limit: 8) { lines.append(String(decoding: line, as: UTF8.self)) }
            }
            for start in stride(from: 0, to: text.count, by: size) {
                splitter.append(Array(text[start..<min(start + size, text.count)]))
                take()
            }
            splitter.finish()
            take()
            #expect(lines == ["one", "two", "", "longer t", "han eigh", "t", "last"], "pieces of \(size)")
        }
    }
}
