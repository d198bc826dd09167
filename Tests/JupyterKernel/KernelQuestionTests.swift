import Core
import EventLoop
import TestSupport
import Testing

@testable import JupyterKernel

/// Questions about code: when they are sent, and what becomes of those that are not answered.
@Suite struct KernelQuestionTests {
    private static func ask(_ id: UInt64) -> KernelSession.Event {
        .ask(id, KernelQuestion(.complete, code: "d", cursor: 1), patience: .seconds(2))
    }

    @Test func oneIsWithTheKernelAtATime() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(KernelQuestionTests.ask(1))
        driver.handle(KernelQuestionTests.ask(2))
        #expect(driver.take() == ["+question(1)", "shell complete_request", "+question(1)", "+question(2)"])
        // The kernel's word on a question is none on what it runs.
        driver.receive(.output, "status", ["execution_state": "busy"])
        driver.receive(.output, "status", ["execution_state": "idle"])
        #expect(driver.take() == [])
        driver.receive(.shell, "complete_reply")
        #expect(driver.take() == ["1 complete_reply", "shell complete_request", "+question(2)"])
        driver.receive(.shell, "complete_reply", parent: "of somebody else")
        #expect(driver.take() == [])
        driver.receive(.shell, "complete_reply")
        #expect(driver.take() == ["2 complete_reply"])
    }

    @Test func aKernelThatRunsSomethingIsNotAsked() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(.submit(1, KernelRequest("1")))
        driver.handle(.submit(2, KernelRequest("2")))
        let first = driver.sent[driver.sent.count - 1]
        _ = driver.take()
        driver.handle(KernelQuestionTests.ask(7))
        driver.handle(KernelQuestionTests.ask(8))
        driver.handle(.fired(.question(7)))
        #expect(driver.take() == ["+question(7)", "+question(8)", "7 busy"])
        driver.receive(.shell, "execute_reply", parent: first, ["status": "ok"])
        driver.receive(.output, "status", parent: first, ["execution_state": "idle"])
        // What waits to be run comes before what is asked.
        #expect(driver.take() == ["+end", "1 ok", "2 began", "shell execute_request"])
        driver.receive(.shell, "execute_reply", ["status": "ok"])
        driver.receive(.output, "status", ["execution_state": "idle"])
        #expect(driver.take() == ["+end", "2 ok", "shell complete_request", "+question(8)"])
    }

    @Test func aCommandDoesNotWaitForAnAnswer() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(KernelQuestionTests.ask(7))
        let question = driver.sent[driver.sent.count - 1]
        driver.handle(.submit(1, KernelRequest("1")))
        #expect(
            driver.take() == [
                "+question(7)", "shell complete_request", "+question(7)", "1 began", "shell execute_request",
            ])
        driver.receive(.shell, "complete_reply", parent: question)
        #expect(driver.take() == ["7 complete_reply"])
        driver.receive(.shell, "execute_reply", ["status": "ok"])
        driver.receive(.output, "status", ["execution_state": "idle"])
        #expect(driver.take() == ["+end", "1 ok"])
    }

    @Test func anAnswerThatComesTooLateOrNeverIsNotWaitedFor() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(KernelQuestionTests.ask(1))
        let question = driver.sent[driver.sent.count - 1]
        driver.handle(.fired(.question(1)))
        driver.handle(KernelQuestionTests.ask(2))
        // The kernel still thinks about the first.
        #expect(driver.take() == ["+question(1)", "shell complete_request", "+question(1)", "1 busy", "+question(2)"])
        driver.receive(.shell, "complete_reply", parent: question)
        #expect(driver.take() == ["shell complete_request", "+question(2)"])
        // An interrupt has thrown the second away, as is seen when the command after it has ended.
        driver.handle(.submit(3, KernelRequest("1")))
        driver.receive(.shell, "execute_reply", ["status": "ok"])
        driver.receive(.output, "status", ["execution_state": "idle"])
        #expect(driver.take() == ["3 began", "shell execute_request", "+end", "3 ok", "2 busy"])
        driver.handle(KernelQuestionTests.ask(4))
        driver.handle(.ended("gone", willRestart: false))
        driver.handle(KernelQuestionTests.ask(5))
        #expect(driver.take() == ["+question(4)", "shell complete_request", "+question(4)", "4 busy", "5 busy"])
    }

    @Test func onlySoManyWait() {
        var driver = Driver()
        for id in 0...UInt64(KernelQuestions.limit) { driver.handle(KernelQuestionTests.ask(id)) }
        #expect(driver.take().last == "\(KernelQuestions.limit) busy")
    }
}

/// The same with ipykernel.
@Suite(.enabled(if: TestPython.path != nil), .timeLimit(.minutes(10))) struct RealKernelQuestionTests {
    /// IPython reads sources before its first answer, on a busy machine for longer than an editor is kept waiting: the
    /// second time it has read them.
    private static func complete(_ kernel: JupyterKernel, _ code: String, at cursor: Int? = nil) async
        -> KernelCompletion?
    {
        let question = KernelQuestion(.complete, code: code, cursor: cursor ?? code.unicodeScalars.count)
        if let answer = await kernel.complete(question, within: .seconds(60)) { return answer }
        return await kernel.complete(question, within: .seconds(60))
    }

    @Test func namesAreCompletedAndExplained() async throws {
        try await withKernel { kernel in
            // Asked before the kernel is up: it waits.
            _ = await kernel.execute(
                KernelRequest("def hoist(flag, *, slowly=False):\n    'Pulls a flag up.'\nhoisted = 1"))
            let found = try #require(await RealKernelQuestionTests.complete(kernel, "hoi"))
            #expect(found.matches.map(\.text) == ["hoist", "hoisted"])
            #expect(found.matches.first?.type == "function")
            #expect(found.matches.first?.signature == "(flag, *, slowly=False)")
            #expect((found.start, found.end) == (0, 3))
            // The cursor counts code points: a flag is two, a pair of surrogates none of its own.
            let code = "'🏴‍☠️😀'; hoi + 'x'"
            let cursor = Array(code.unicodeScalars).lastIndex { $0 == "i" }.map { $0 + 1 } ?? 0
            let middle = try #require(await RealKernelQuestionTests.complete(kernel, code, at: cursor))
            #expect(middle.matches.map(\.text) == ["hoist", "hoisted"])
            #expect((middle.start, middle.end) == (cursor - 3, cursor))
            #expect(try #require(await RealKernelQuestionTests.complete(kernel, "nothing_like_it")).matches.isEmpty)
            let told = await kernel.inspect(
                KernelQuestion(.inspect(detail: 0), code: "hoist(", cursor: 6), within: .seconds(60))
            #expect(told?.bundle?.data["text/plain"]?.string?.contains("Pulls a flag up.") == true)
            let unknown = await kernel.inspect(
                KernelQuestion(.inspect(detail: 0), code: "unheard", cursor: 3), within: .seconds(60))
            #expect(unknown == KernelInspection(bundle: nil))
        }
    }

    @Test func whileACellRunsTheAnswerIsThatItIsBusy() async throws {
        try await withKernel { kernel in
            _ = try await kernel.ready()
            await withCheckedContinuation { continuation in
                kernel.execute(KernelRequest("print('go', flush=True)\nimport time\ntime.sleep(1000)")) { event in
                    // The word and the end of its line may come apart.
                    if case .output(.stream(_, let text)) = event, text.hasPrefix("go") { continuation.resume() }
                }
            }
            let answer = await kernel.complete(
                KernelQuestion(.complete, code: "pri", cursor: 3), within: .milliseconds(300))
            #expect(answer == nil)
            // It is answered when the cell has ended within its time, and what waits is run as ever.
            async let patient = RealKernelQuestionTests.complete(kernel, "pri")
            async let next = kernel.execute(KernelRequest("1 + 1"))
            kernel.loop.onLoop { kernel.interrupt() }
            #expect(await next.result.status == .ok)
            let late = await patient
            #expect(late?.matches.contains { $0.text == "print" } == true, "\(String(describing: late))")
        }
    }
}
