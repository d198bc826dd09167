import Core
import HarbourProtocol
import JupyterKernel
import TestSupport
import Testing

@testable import DriverService

/// A secret is taken out wherever the text that has it was cut.
@Suite struct StreamRedactorTests {
    private func redact(_ pieces: [String], _ secrets: [String]) -> String {
        let patterns = SecretPatterns(secrets.map { SecretPattern(Array($0.utf8)) })
        var redactor = StreamRedactor(patterns)
        return pieces.map { redactor.take($0, patterns) }.joined() + redactor.flush()
    }

    @Test func aSecretInTwoPiecesIsTakenOut() {
        #expect(redact(["say abc", "def now"], ["abcdef"]) == "say [REDACTED] now")
        #expect(redact(["a", "b", "c", "d", "e", "f"], ["abcdef"]) == "[REDACTED]")
        // What only begins like one is there in the end.
        #expect(redact(["say abc", "xdef"], ["abcdef"]) == "say abcxdef")
        #expect(redact(["say abc"], ["abcdef"]) == "say abc")
        #expect(redact(["aab", "aabaa", "c"], ["aabaac"]) == "aab[REDACTED]")
    }

    @Test func nothingIsHeldThatCannotBeASecret() {
        let patterns = SecretPatterns([SecretPattern(Array("abcdef".utf8))])
        var redactor = StreamRedactor(patterns)
        #expect(redactor.take("one line\n", patterns) == "one line\n")
        #expect(!redactor.isHolding)
        #expect(redactor.take("xabc", patterns) == "x")
        #expect(redactor.isHolding)
        #expect(redactor.flush() == "abc")
        #expect(!redactor.isHolding)
        // What was passed on is no beginning any more.
        #expect(redactor.take("def", patterns) == "def")
    }

    @Test func oneInAnotherAndOneAcrossAnotherUncoverNothing() {
        #expect(redact(["hunter2", "-longer!"], ["hunter2", "hunter2-longer"]) == "[REDACTED]!")
        #expect(redact(["hunter2", "-short"], ["hunter2", "hunter2-longer"]) == "[REDACTED]-short")
        #expect(redact(["1abcd", "xxyy2"], ["abcd", "cdxxyy"]) == "1[REDACTED]2")
        #expect(redact(["1abc", "x2"], ["bc", "abcd"]) == "1a[REDACTED]x2")
        #expect(redact(["abcdabcd"], ["abcd"]) == "[REDACTED][REDACTED]")
    }

    @Test func whatIsLearnedMeanwhileIsFoundInWhatIsHeld() {
        let first = SecretPatterns([SecretPattern(Array("abcdef".utf8))])
        let second = SecretPatterns(first.all + [SecretPattern(Array("bcxy".utf8))])
        var redactor = StreamRedactor(first)
        #expect(redactor.take("abc", first) == "")
        #expect(redactor.take("xyz", second) == "a[REDACTED]z")
    }

    /// Goal: the cuts make no difference. Method: random texts over few letters, so that secrets overlap, cut at random,
    /// against a plain search of the whole text.
    @Test func theCutsMakeNoDifference() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<3000 {
            func text(_ lengths: ClosedRange<Int>) -> String {
                String((0..<Int.random(in: lengths, using: &random)).map { _ in "abé".randomElement(using: &random)! })
            }
            let secrets = Array(Set((0..<Int.random(in: 1...4, using: &random)).map { _ in text(1...6) }))
            var pieces: [String] = []
            for _ in 0..<Int.random(in: 1...8, using: &random) { pieces.append(text(0...7)) }
            let whole = pieces.joined()
            #expect(redact(pieces, secrets) == plain(whole, secrets), "\(pieces) without \(secrets)")
        }
    }

    /// Every occurrence at every place; those that overlap are one.
    private func plain(_ text: String, _ secrets: [String]) -> String {
        let bytes = Array(text.utf8)
        var ranges: [Range<Int>] = []
        for secret in secrets.map({ Array($0.utf8) }) {
            for start in bytes.indices where bytes[start...].starts(with: secret) {
                ranges.append(start..<(start + secret.count))
            }
        }
        var runs: [Range<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = runs.last, range.lowerBound < last.upperBound {
                runs[runs.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                runs.append(range)
            }
        }
        var (out, position) = ([UInt8](), 0)
        for run in runs {
            out += bytes[position..<run.lowerBound] + Array("[REDACTED]".utf8)
            position = run.upperBound
        }
        return String(decoding: out + bytes[position...], as: UTF8.self)
    }

    /// Goal: no quadratic work. Method: the worst secret there is, in single bytes; twice as many take twice as long, and
    /// this would take minutes if each of them went over what is held again.
    @Test(.timeLimit(.minutes(1))) func longSecretsInSmallPiecesAreCheap() {
        let secret = String(repeating: "a", count: 50_000) + "b"
        let patterns = SecretPatterns([SecretPattern(Array(secret.utf8))])
        var redactor = StreamRedactor(patterns)
        var length = 0
        for _ in 0..<100_000 { length += redactor.take("a", patterns).utf8.count }
        #expect(length == 50_000)
        #expect(redactor.take("b", patterns) == "[REDACTED]")
    }

    /// Goal: what comes after held text stays after it, and streams do not mix.
    @Test func textIsHeldByTheCommandAndKeepsItsPlace() {
        var limiter = OutputLimiter(
            byteLimit: 1 << 20, eventLimit: 100, overflow: OverflowFile(path: "/nowhere/overflow", limit: 1),
            redactor: Redactor(["abcdef"]))
        func told(_ output: KernelOutput) -> [String?] {
            limiter.drafts(of: output).map { $0.text ?? $0.type.rawValue }
        }
        #expect(told(.stream(name: "stdout", text: "1 abc")) == ["1 "])
        #expect(told(.stream(name: "stderr", text: "def")) == ["def"])
        #expect(told(.stream(name: "stdout", text: "def 2")) == ["[REDACTED] 2"])
        #expect(told(.stream(name: "stdout", text: "3 abc")) == ["3 "])
        #expect(told(.display(KernelBundle(data: ["text/plain": "x"]), displayID: nil)) == ["abc", "DISPLAY"])
        #expect(told(.stream(name: "stdout", text: "4 abc")) == ["4 "])
        #expect(limiter.isHolding)
        #expect(limiter.rest().map(\.text) == ["abc"])
        #expect(!limiter.isHolding)
    }

    /// Goal: what is held takes room for the streams that there are, however many names user code makes up.
    @Test func streamsWithOtherNamesAreOne() {
        var limiter = OutputLimiter(
            byteLimit: 1 << 20, eventLimit: 100, overflow: OverflowFile(path: "/nowhere/overflow", limit: 1),
            redactor: Redactor(["abcdef"]))
        #expect(limiter.drafts(of: .stream(name: "stderr", text: "abc")).isEmpty)
        for name in 0..<50 {
            let drafts = limiter.drafts(of: .stream(name: "\(name)", text: "abc"))
            #expect(drafts.map(\.name) == (name == 0 ? [] : ["stdout"]))
        }
        #expect(limiter.rest().map(\.name) == ["stderr", "stdout"])
    }

    /// Goal: a real kernel's messages, and nothing is held for long.
    @Test(.enabled(if: TestRuntime.python != nil), .timeLimit(.minutes(3)))
    func aKernelThatFlushesInTheMiddleShowsNothing() async throws {
        try await withPlainDriver { driver in
            #expect(driver.configuration.redactor.learn("abcdef-secret"))
            try driver.newContext("c")
            let source =
                "import time\n"
                + "for piece in ['x abcdef', '-sec', 'ret y abc']: print(piece, end='', flush=True)\n"
                + "time.sleep(1000)"
            let told = try await driver.transcript(source, id: "1", in: "c") { event in
                if event.text?.hasSuffix("abc") == true { _ = try driver.cancel("1", in: "c") }
            }
            #expect(told.text == "x [REDACTED] y abc")
            #expect(told.last?.state == .cancelled)
        }
    }
}
