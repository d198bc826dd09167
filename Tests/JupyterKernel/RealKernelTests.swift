import Core
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import JupyterKernel

/// A Python with ipykernel: `HARBOUR_DRIVER_PYTHON`, or the one that `deploy/setup` makes.
enum TestPython {
    static let path: String? = {
        let variables = ProcessSpecification.Environment.ours
        let data = variables["HARBOUR_DATA"] ?? variables["HOME"].map { "\($0)/.harbour" } ?? ""
        return [variables["HARBOUR_DRIVER_PYTHON"], "\(data)/runtime/current/bin/python"].compactMap { $0 }
            .first { access($0, X_OK) == 0 }
    }()
}

/// Starts a kernel of the test's own, and ends it with its folder.
func withKernel(
    _ change: @escaping @Sendable (inout JupyterKernel.Configuration) -> Void = { _ in },
    _ body: @escaping @Sendable (JupyterKernel) async throws -> Void
) async throws {
    var template = Array("/tmp/kernel-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { rmdir(folder) }
    try await withEventLoop { loop in
        let python = try #require(TestPython.path)
        let specs = KernelSpecFinder(python: python, environment: [:]).all()
        var configuration = JupyterKernel.Configuration(spec: try #require(specs["python3"]), runtimeFolder: folder)
        configuration.python = python
        change(&configuration)
        let kernel = try await JupyterKernel.launch(configuration, loop: loop)
        do { try await body(kernel) } catch {
            await kernel.shutdown(grace: .zero)
            throw error
        }
        await kernel.shutdown()
        #expect(!kernel.isAlive)
    }
    // The kernel has left nothing behind, sockets included.
    #expect(rmdir(folder) == 0)
}

@Suite(.enabled(if: TestPython.path != nil), .timeLimit(.minutes(10))) struct RealKernelTests {
    @Test func valuesOutputsAndErrors() async throws {
        try await withKernel { kernel in
            // Asked before the kernel is up: it waits.
            let early = await kernel.execute(KernelRequest("x = 20; x + 1"))
            #expect(
                early.outputs == [.result(KernelBundle(data: ["text/plain": "21"]), executionCount: 1)])
            #expect(early.result == KernelResult(.ok, executionCount: 1))
            let info = try await kernel.ready()
            #expect(info.language == "python")
            let printed = await kernel.execute(
                KernelRequest("import sys; print('a\\nä'); print('e', file=sys.stderr)"))
            #expect(printed.outputs.contains(.stream(name: "stdout", text: "a\nä\n")))
            #expect(printed.outputs.contains(.stream(name: "stderr", text: "e\n")))
            let failed = await kernel.execute(KernelRequest("x / 0"))
            guard case .error(let error) = failed.result.status else {
                Issue.record("it did not fail: \(failed.result)")
                return
            }
            #expect(error.name == "ZeroDivisionError")
            #expect(failed.outputs.count == 1)
            let silent = await kernel.execute(KernelRequest("y = 1", isSilent: true))
            #expect(silent.outputs.isEmpty)
            let asked = await kernel.execute(KernelRequest("input('Name?')"))
            guard case .error(let refusal) = asked.result.status else {
                Issue.record("it did not fail: \(asked.result)")
                return
            }
            #expect(refusal.name == "StdinNotImplementedError")
        }
    }

    @Test func displaysAreUpdatedAndCleared() async throws {
        try await withKernel { kernel in
            let shown = await kernel.execute(
                KernelRequest(
                    """
                    from IPython.display import display, clear_output
                    h = display({'text/html': '<b>1</b>'}, raw=True, display_id='d')
                    h.update({'text/html': '<b>2</b>'}, raw=True)
                    clear_output(wait=True)
                    """))
            #expect(
                shown.outputs == [
                    .display(KernelBundle(data: ["text/html": "<b>1</b>"]), displayID: "d"),
                    .updateDisplay(KernelBundle(data: ["text/html": "<b>2</b>"]), displayID: "d"),
                    .clearOutput(wait: true),
                ])
        }
    }

    @Test func anInterruptStopsTheRunningRequestOnly() async throws {
        try await withKernel { kernel in
            _ = try await kernel.ready()
            let first = await withCheckedContinuation { (continuation: CheckedContinuation<KernelResult, Never>) in
                kernel.execute(KernelRequest("print('go', flush=True)\nimport time\ntime.sleep(1000)")) { event in
                    if case .output(.stream) = event { kernel.interrupt() }
                    if case .ended(let result) = event { continuation.resume(returning: result) }
                }
            }
            guard case .error(let error) = first.status else {
                Issue.record("it was not interrupted: \(first)")
                return
            }
            #expect(error.name == "KeyboardInterrupt")
            #expect(await kernel.execute(KernelRequest("2")).result.status == .ok)
        }
    }

    @Test func aKilledKernelIsNoticedAtOnceAndStartsAgain() async throws {
        try await withKernel { kernel in
            _ = try await kernel.ready()
            let death = Box()
            kernel.onDeath = { death.exit = $0 }
            let pid = try #require(kernel.pid)
            async let running = kernel.execute(KernelRequest("import time; time.sleep(1000)"))
            try await kernel.loop.sleep(for: .milliseconds(20))
            Glibc.kill(pid, SIGKILL)
            #expect(await running.result.status == .died("The kernel was ended by signal 9 (Killed)."))
            #expect(death.exit == .signalled(SIGKILL))
            #expect(!kernel.isAlive)
            guard case .died = await kernel.execute(KernelRequest("1")).result.status else {
                Issue.record("a dead kernel took a request")
                return
            }
            try await kernel.restart()
            #expect(await kernel.execute(KernelRequest("1")).result.status == .ok)
            let old = kernel.pid
            try await kernel.restart()
            #expect(kernel.pid != old)
            #expect(await kernel.execute(KernelRequest("1")).result.status == .ok)
        }
    }

    @Test func aKernelThatExitsItself() async throws {
        try await withKernel { kernel in
            let result = await kernel.execute(KernelRequest("import os; os._exit(3)")).result
            #expect(result.status == .died("The kernel exited with status 3."))
        }
    }

    @Test func aFloodOfOutputsArrivesWhole() async throws {
        try await withKernel { kernel in
            let flood = await kernel.execute(
                KernelRequest(
                    """
                    from IPython.display import display
                    for n in range(3000): display({'text/plain': str(n)}, raw=True)
                    """))
            #expect(flood.outputs.count == 3000)
            #expect(!flood.result.mayLackOutputs)
            let large = await kernel.execute(KernelRequest("print('x' * 20_000_000)"))
            let bytes = large.outputs.reduce(0) { sum, output in
                if case .stream(_, let text) = output { sum + text.utf8.count } else { sum }
            }
            #expect(bytes == 20_000_001)
        }
    }

    @Test func anOversizedOutputIsReportedAndTheCellEnds() async throws {
        try await withKernel({ $0.messageLimit = 1_000_000 }) { kernel in
            let result = await kernel.execute(
                KernelRequest("display({'text/plain': 'x' * 1_500_000}, raw=True); print('after')"))
            guard case .oversized(let bytes) = result.outputs.first else {
                Issue.record("not reported: \(result.outputs.count) outputs")
                return
            }
            #expect(bytes > 1_500_000)
            #expect(result.outputs.contains(.stream(name: "stdout", text: "after\n")))
            #expect(kernel.refused.oversized == 1)
        }
    }

    @Test func theHeartbeatTellsAStoppedKernelFromABusyOne() async throws {
        try await withKernel { kernel in
            _ = try await kernel.ready()
            async let busy = kernel.execute(KernelRequest("import time; time.sleep(0.5)"))
            #expect(await kernel.isResponding(within: .seconds(30)))
            _ = await busy
            Glibc.kill(try #require(kernel.pid), SIGSTOP)
            // Threads stop one after the other.
            while await kernel.isResponding(within: .milliseconds(100)) {}
            Glibc.kill(try #require(kernel.pid), SIGCONT)
            #expect(await kernel.isResponding(within: .seconds(30)))
        }
    }

    @Test func anIdleKernelCostsNothing() async throws {
        try await withKernel { kernel in
            _ = await kernel.execute(KernelRequest("1"))
            let wakeUps = try await fewestWakeUps(of: kernel.loop, in: .milliseconds(500), enough: 2)
            #expect(wakeUps <= 2)
        }
    }

    @Test func aKernelThatCannotStartSaysSo() async throws {
        try await withKernel({ $0.spec.arguments = ["/bin/sh", "-c", "exit 5", "{connection_file}"] }) { kernel in
            let error = await #expect(throws: HarbourError.self) { try await kernel.ready() }
            #expect(error?.code == .kernelStartFailed)
        }
        try await withKernel({
            $0.spec.arguments = ["/bin/sh", "-c", "sleep 1000", "{connection_file}"]
            $0.startTimeout = .milliseconds(100)
        }) { kernel in
            let error = await #expect(throws: HarbourError.self) { try await kernel.ready() }
            #expect(error?.code == .kernelStartFailed)
        }
    }
}

private final class Box: @unchecked Sendable {
    var exit: ProcessExit?
}
