import Core
import EventLoop
import HarbourProtocol
import TestSupport
import Testing

@testable import DriverService

/// Completion and inspection by a plain Python kernel.
@Suite(.enabled(if: TestRuntime.python != nil), .timeLimit(.minutes(10))) struct QuestionTests {
    /// A question whose cursor is where the code has a `|`.
    private static func complete(_ text: String, language: String? = nil) -> CompleteCode {
        let scalars = Array(text.unicodeScalars)
        let cursor = scalars.firstIndex(of: "|") ?? scalars.count
        return CompleteCode(
            code: text.replacing("|", with: "", maxReplacements: 1), cursorPos: cursor, language: language)
    }

    /// Asked again while the kernel is being started, which is what `busy` says.
    private static func ask(_ driver: Driver, _ text: String) async throws -> Completion {
        while true {
            let found = try await driver.complete(complete(text), in: "c")
            if !found.busy { return found }
        }
    }

    private static func tell(_ driver: Driver, _ code: String) async throws -> Inspection {
        while true {
            let told = try await driver.inspect(InspectCode(code: code, cursorPos: 3), in: "c")
            if !told.busy { return told }
        }
    }

    @Test func namesAreCompletedAndExplained() async throws {
        try await withPlainDriver({ $0.start.secrets = ["s3cret-value"] }) { driver in
            try driver.newContext("c")
            try await driver.transcript(
                """
                def hoist(flag, *, slowly=False):
                    'Pulls a flag up.'
                hoisted = {'s3cret-value': 1}
                token = 's3cret-value'
                class Wide: pass
                for n in range(500): setattr(Wide, f'column_{n:03}', n)
                long = 'x' * 10
                def talk(): pass
                talk.__doc__ = 'é' * 100_000
                """, in: "c")
            let found = try await QuestionTests.ask(driver, "hoi|")
            #expect(found.matches.map(\.text) == ["hoist", "hoisted"])
            #expect(found.matches.first?.type == "function")
            #expect(found.matches.first?.signature == "(flag, *, slowly=False)")
            let astral = try await QuestionTests.ask(driver, "'😀🏴‍☠️', hoi| + 'x'")
            #expect(astral.matches.count == 2)
            #expect(astral.cursorEnd - astral.cursorStart == 3)
            #expect(astral.cursorEnd == QuestionTests.complete("'😀🏴‍☠️', hoi|").cursorPos)
            // Bounded, and it says so.
            let wide = try await QuestionTests.ask(driver, "Wide.colu|")
            #expect(wide.matches.count == Driver.matchLimit)
            #expect(wide.truncated == true)
            // Secrets stay where they are.
            #expect(try await QuestionTests.ask(driver, "hoisted['s3|").matches.isEmpty)
            let told = try await QuestionTests.tell(driver, "token")
            #expect(told.found)
            #expect(told.text?.contains("s3cret") == false)
            #expect(told.text?.contains(Redactor.mark) == true)
            let long = try await QuestionTests.tell(driver, "talk")
            #expect(long.truncated == true)
            #expect((Driver.inspectionBytes - 3...Driver.inspectionBytes).contains(long.text?.utf8.count ?? 0))
            let nothing = try await QuestionTests.tell(driver, "unheard_of")
            #expect(nothing == Inspection(found: false, busy: false))
        }
    }

    @Test func whatIsAskedWronglyIsRefused() async throws {
        try await withPlainDriver { driver in
            try driver.newContext("c")
            func code(_ spec: CompleteCode, _ context: String = "c") async -> ErrorCode? {
                do throws(HarbourError) {
                    _ = try await driver.complete(spec, in: context)
                    return nil
                } catch { return error.code }
            }
            // One flag is seven code units, five code points and one character; only the points count.
            #expect(await code(CompleteCode(code: "🏴‍☠️x", cursorPos: 5)) == nil)
            #expect(await code(CompleteCode(code: "🏴‍☠️x", cursorPos: 6)) == .invalidParameter)
            #expect(await code(QuestionTests.complete("x"), "nowhere") == .notFound)
            // Of a language that the kernel does not have there is nothing to tell.
            let other = try await driver.complete(QuestionTests.complete("SEL|", language: "sql"), in: "c")
            #expect(other.matches.isEmpty)
            #expect(!other.busy)
            try driver.deleteContext("c")
            #expect(await code(QuestionTests.complete("x")) == .invalidState)
        }
    }

    @Test func aBusyKernelIsLeftInPeace() async throws {
        try await withPlainDriver { driver in
            try driver.newContext("c")
            try await driver.transcript("answer = 42", in: "c")
            let slow = try await driver.transcript(
                "print('go', flush=True)\nimport time; time.sleep(1000)", id: "slow", in: "c"
            ) { event in
                guard event.text?.hasPrefix("go") == true else { return }
                driver.loop.spawn {
                    let begin = MonotonicTime.now
                    let found = try? await driver.complete(QuestionTests.complete("answ|"), in: "c")
                    #expect(found?.busy == true)
                    #expect(found?.matches.isEmpty == true)
                    // As long as the cell would run it does not wait.
                    #expect(MonotonicTime.now - begin < .seconds(30))
                    _ = try? driver.execute(CommandSpec(commandID: "next", source: "answer"), in: "c")
                    _ = try? driver.cancel("slow", in: "c")
                }
            }
            #expect(slow.states == [.queued, .running, .cancelling, .cancelled])
            // The queue goes on as if nobody had asked.
            #expect(try await driver.transcript("answer", id: "next", in: "c").value == "42")
            #expect(try await QuestionTests.ask(driver, "answ|").matches.map(\.text) == ["answer"])
        }
    }
}
