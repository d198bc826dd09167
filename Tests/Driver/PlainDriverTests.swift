import CommandJournals
import Core
import EventLoop
import Glibc
import HarbourProtocol
import TestSupport
import Testing

@testable import DriverService

@Suite(.enabled(if: TestRuntime.python != nil), .timeLimit(.minutes(10))) struct PlainDriverTests {
    @Test func commandsRunInOrderAndOnce() async throws {
        try await withPlainDriver { driver in
            try driver.newContext("c")
            let first = try driver.execute(CommandSpec(commandID: "1", source: "x = 1; print('ran')"), in: "c")
            #expect(first.state == .queued)
            let second = try await driver.transcript("x + 1", id: "2", in: "c")
            #expect(second.states == [.queued, .running, .finished])
            #expect(second.value == "2")
            #expect(second.events.map(\.sequence) == Array(1...Int64(second.events.count)))
            // Asked again: the same command, and it has run once.
            let again = try driver.execute(CommandSpec(commandID: "1", source: "x = 1; print('ran')"), in: "c")
            #expect(again.state == .finished)
            #expect(again.executionCount == 1)
            let replay = try await driver.transcript("x = 1; print('ran')", id: "1", in: "c")
            #expect(replay.text == "ran\n")
            let conflict = #expect(throws: HarbourError.self) {
                try driver.execute(CommandSpec(commandID: "1", source: "other"), in: "c")
            }
            #expect(conflict?.code == .conflict)
        }
    }

    @Test func aReaderResumesAnywhereAndTwoReadTheSame() async throws {
        try await withPlainDriver { driver in
            try driver.newContext("c")
            let source = "for n in range(20): display({'text/plain': str(n)}, raw=True)"
            async let follower = driver.transcript(source, id: "1", in: "c")
            let whole = try await driver.transcript(source, id: "1", in: "c")
            #expect(try await follower.events == whole.events)
            #expect(whole.count(.display) == 20)
            for after in 0...Int64(whole.events.count) + 1 {
                let rest = try await driver.transcript(source, id: "1", in: "c", after: after)
                #expect(rest.events == Array(whole.events.dropFirst(Int(after))))
            }
        }
    }

    @Test func errorsSayWhatHappened() async throws {
        try await withPlainDriver { driver in
            try driver.newContext("c")
            let failed = try await driver.transcript("1 / 0", in: "c")
            #expect(failed.last?.state == .error)
            #expect(failed.last?.error?.code == "COMMAND_FAILED")
            #expect(failed.last?.error?.name == "ZeroDivisionError")
            #expect(failed.events.first { $0.type == .error }?.error?.traceback?.isEmpty == false)
            // One failure does not take the others along.
            #expect(try await driver.transcript("2", in: "c").value == "2")
        }
    }

    @Test func aRunningCommandIsInterruptedAndAQueuedOneNeverStarts() async throws {
        try await withPlainDriver { driver in
            try driver.newContext("c")
            _ = try driver.execute(CommandSpec(commandID: "q", source: "0"), in: "c")
            let stopped = try await driver.transcript(
                "print('go', flush=True)\nimport time\ntime.sleep(1000)", id: "1", in: "c"
            ) { event in
                guard event.text?.hasPrefix("go") == true else { return }
                _ = try driver.execute(CommandSpec(commandID: "2", source: "print('never')"), in: "c")
                #expect(try driver.cancel("2", in: "c").state == .cancelled)
                #expect(try driver.cancel("1", in: "c").state == .cancelling)
                #expect(try driver.cancel("1", in: "c").state == .cancelling)
            }
            #expect(stopped.states == [.queued, .running, .cancelling, .cancelled])
            let never = try await driver.transcript("print('never')", id: "2", in: "c")
            #expect(never.states == [.queued, .cancelled])
            #expect(try driver.cancel("1", in: "c").state == .cancelled)
            #expect(try await driver.transcript("3", in: "c").value == "3")
        }
    }

    @Test func aCommandThatIgnoresInterruptsCostsTheKernel() async throws {
        try await withPlainDriver({ $0.cancelGrace = .seconds(1) }) { driver in
            try driver.newContext("c")
            let source = """
                import time, signal
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                print('go', flush=True)
                while True: time.sleep(1)
                """
            let stopped = try await driver.transcript(source, id: "1", in: "c") { event in
                if event.text?.hasPrefix("go") == true { _ = try driver.cancel("1", in: "c") }
            }
            #expect(stopped.last?.state == .cancelled)
            #expect(stopped.last?.error?.code == "KERNEL_RESTARTED")
            #expect(try await driver.transcript("1 + 1", in: "c").value == "2")
        }
    }

    @Test func aCommandOverItsTimeEnds() async throws {
        try await withPlainDriver { driver in
            try driver.newContext("c")
            let late = try await driver.transcript("import time; time.sleep(1000)", in: "c", timeout: 1)
            #expect(late.last?.state == .error)
            #expect(late.last?.error?.code == "TIMED_OUT")
            #expect(try await driver.transcript("1", in: "c").value == "1")
        }
    }

    @Test func aDeadKernelEndsItsCommandAndTheContextGoesOn() async throws {
        try await withPlainDriver { driver in
            try driver.newContext("c")
            _ = try await driver.transcript("kept = 1", in: "c")
            let killed = try await driver.transcript("print('go', flush=True)\nwhile True: pass", id: "1", in: "c") {
                guard $0.text?.hasPrefix("go") == true else { return }
                _ = try driver.execute(CommandSpec(commandID: "2", source: "1"), in: "c")
                Glibc.kill(try #require(driver.find("c").kernelPID), SIGKILL)
            }
            #expect(killed.last?.state == .error)
            #expect(killed.last?.error?.code == "KERNEL_DIED")
            #expect(killed.last?.error?.message.contains("signal 9") == true)
            let waited = try driver.command("2", in: "c")
            #expect(waited.state == .cancelled)
            #expect(waited.error?.code == "KERNEL_DIED")
            let after = try await driver.transcript("kept", in: "c")
            #expect(after.last?.error?.name == "NameError")
        }
    }

    @Test func aFloodOfOutputIsCutAndTheRestIsInAFile() async throws {
        try await withPlainDriver({
            $0.outputLimit = 100_000
            $0.overflowLimit = 250_000
        }) { driver in
            try driver.newContext("c")
            let source = """
                for n in range(40):
                    print(chr(97 + n % 26) * 9_999, flush=True)
                display({'text/html': 'x' * 1000}, raw=True)
                1 / 0
                """
            let flood = try await driver.transcript(source, id: "1", in: "c")
            #expect(flood.text.utf8.count <= 100_000)
            #expect(flood.count(.truncated) == 1)
            #expect(flood.count(.error) == 1)
            #expect(flood.count(.display) == 0)
            #expect(flood.last?.state == .error)
            #expect(try driver.command("1", in: "c").truncated == true)
            let file = "\(driver.scratch.overflow)/c/1.txt"
            #expect(flood.events.first { $0.type == .truncated }?.text?.contains("/overflow") == true)
            let rest = try #require(ScratchFolder.contents(of: file))
            #expect(rest.count == 250_000)
            var (fetched, next): (String, Int64?) = ("", 0)
            while let offset = next {
                let piece = try driver.overflow(of: "1", in: "c", at: offset)
                fetched += piece.text
                next = piece.nextOffset
                #expect(piece.size == 250_000)
            }
            #expect(Array(fetched.utf8) == rest)
            _ = try await driver.transcript("1", id: "2", in: "c")
            let nothing = #expect(throws: HarbourError.self) { try driver.overflow(of: "2", in: "c", at: 0) }
            #expect(nothing?.code == .notFound)
        }
    }

    @Test func deletingAContextEndsWhatRunsInIt() async throws {
        try await withPlainDriver { driver in
            try driver.newContext("c")
            let ended = try await driver.transcript(
                "print('go', flush=True)\nimport time; time.sleep(1000)", id: "1", in: "c"
            ) {
                guard $0.text?.hasPrefix("go") == true else { return }
                _ = try driver.execute(CommandSpec(commandID: "2", source: "1"), in: "c")
                try driver.deleteContext("c")
            }
            #expect(ended.last?.state == .cancelled)
            #expect(ended.last?.error?.code == "CONTEXT_TERMINATED")
            #expect(try driver.command("2", in: "c").state == .cancelled)
            #expect(driver.listContexts().isEmpty)
            #expect(try driver.context("c").state == .terminated)
            let refused = #expect(throws: HarbourError.self) {
                try driver.execute(CommandSpec(source: "1"), in: "c")
            }
            #expect(refused?.code == .invalidState)
        }
    }

    @Test func whatCannotBeIsRefused() async throws {
        try await withPlainDriver({ $0.contextLimit = 1 }) { driver in
            func code(_ body: () throws -> Void) -> ErrorCode? {
                do { try body() } catch { return (error as? HarbourError)?.code }
                return nil
            }
            for id in ["", ".", "..", "a/b", "a b", String(repeating: "x", count: 129)] {
                #expect(code { try driver.newContext(id) } == .invalidParameter)
            }
            #expect(code { try driver.newContext("c", kernel: "no-such") } == .notFound)
            let cobol = ContextSpec(contextID: "c", language: "cobol")
            #expect(code { _ = try driver.createContext(cobol) } == .notFound)
            try driver.newContext("c")
            #expect(code { try driver.newContext("d") } == .resourceExhausted)
            #expect(try driver.createContext(ContextSpec(contextID: "c", kernel: "python3")).contextID == "c")
            #expect(code { _ = try driver.createContext(ContextSpec(contextID: "c", language: "sql")) } == .conflict)
            #expect(code { _ = try driver.context("x") } == .notFound)
            #expect(code { _ = try driver.command("x", in: "c") } == .notFound)
            #expect(code { _ = try driver.cancel("x", in: "c") } == .notFound)
            #expect(code { _ = try driver.execute(CommandSpec(language: "sql", source: ""), in: "c") } == .unsupported)
            #expect(
                code { _ = try driver.execute(CommandSpec(commandID: "../x", source: ""), in: "c") }
                    == .invalidParameter)
        }
    }

    @Test func theNextDriverKnowsTheCommandsOfTheLast() async throws {
        try await withScratch { scratch in
            var settings = try configuration("\(scratch)/first")
            let first = settings
            let whole = try await withEventLoop { loop in
                let driver = try Driver(first, loop: loop)
                try driver.newContext("c")
                let whole = try await driver.transcript("print('kept')\n5", id: "1", in: "c")
                _ = try driver.execute(CommandSpec(commandID: "2", source: "import time; time.sleep(1000)"), in: "c")
                _ = try driver.execute(CommandSpec(commandID: "3", source: "3"), in: "c")
                // The folder as a kill in this moment would leave it.
                let copy = ProcessSpecification("cp", ["-a", "\(scratch)/first", "\(scratch)/second"])
                #expect(try await ChildProcess.start(copy, loop: loop).wait().isSuccess)
                await driver.stop(grace: .zero)
                return whole
            }
            settings.scratch = "\(scratch)/second"
            let second = settings
            try await withEventLoop { loop in
                let driver = try Driver(second, loop: loop)
                #expect(try driver.context("c").state == .terminated)
                #expect(driver.listContexts().isEmpty)
                let replay = try await driver.transcript("print('kept')\n5", id: "1", in: "c")
                #expect(replay.events == whole.events)
                for id in ["2", "3"] {
                    let lost = try driver.command(id, in: "c")
                    #expect(lost.state == .error)
                    #expect(lost.error?.code == "DRIVER_LOST")
                }
                // The id can be used again, and what ran under it stays known.
                try driver.newContext("c")
                #expect(
                    try driver.execute(CommandSpec(commandID: "1", source: "print('kept')\n5"), in: "c").state
                        == .finished)
                #expect(try await driver.transcript("6", in: "c").value == "6")
                await driver.stop(grace: .zero)
            }
        }
    }

    @Test func theOldestCommandsAreForgotten() async throws {
        try await withPlainDriver({ $0.endedCommands = 3 }) { driver in
            try driver.newContext("c")
            for number in 1...5 { try await driver.transcript("\(number)", id: "\(number)", in: "c") }
            #expect(throws: HarbourError.self) { try driver.command("2", in: "c") }
            for number in 3...5 {
                let again = try await driver.transcript("\(number)", id: "\(number)", in: "c")
                #expect(again.value == "\(number)")
            }
            let files = ScratchFolder.names(in: "\(driver.scratch.journals)/c")
            #expect(files == ["3.log", "4.log", "5.log", "context.json"])
        }
    }

    @Test func statusIsFollowedAndIdleCostsNothing() async throws {
        try await withPlainDriver { driver in
            let loop = driver.loop
            let following = Task(executorPreference: loop) {
                var contexts: [Int] = []
                try await driver.followStatus { contexts.append($0.contexts ?? -1) }
                return contexts
            }
            try driver.newContext("c")
            _ = try await driver.transcript("1", in: "c")
            #expect(driver.status.busyCommands == 0)
            let wakeUps = try await fewestWakeUps(of: loop, in: .milliseconds(500), enough: 2)
            #expect(wakeUps <= 2)
            await driver.stop(grace: .zero)
            #expect(try await following.value.contains(1))
        }
    }

    /// Goal: a disk that is full ends the command with a mark where its output stops, and what was told is on it.
    @Test(.enabled(if: FullDisk.isPossible)) func aFullDiskEndsTheCommandAndIsNoGap() async throws {
        try await withScratch { folder in
            try await FullDisk.with(folder, size: "1m") {
                try await withPlainDriver {
                    $0.scratch = folder
                } _: { driver in
                    try driver.newContext("c")
                    let source = "for n in range(1000): print(n, 'x' * 10_000, flush=True)"
                    let told = try await driver.transcript(source, id: "1", in: "c")
                    #expect(told.last?.error?.code == "OUTPUT_NOT_STORED")
                    #expect(told.events.map(\.sequence) == Array(1...Int64(told.events.count)))
                    #expect(told.events.dropLast().last?.type == .truncated)
                    let whole = (0..<1000).map { "\($0) \(String(repeating: "x", count: 10_000))\n" }.joined()
                    #expect(!told.text.isEmpty && whole.hasPrefix(told.text))

                    var journal = try JournalReader(in: folder, contextID: "c", commandID: "1")
                    var written: [CommandEvent] = []
                    while let json = journal.event() { written.append(try CommandEvent(json: json)) }
                    #expect(written == Array(told.events.prefix(written.count)))
                    #expect(written.count { $0.type == .stream } == told.count(.stream))
                }
            }
        }
    }

    /// Goal: a kernel whose command is given up for text that was held back, and that says no more, is interrupted too.
    @Test(.enabled(if: FullDisk.isPossible)) func aCommandGivenUpWhileItsKernelSleepsIsInterrupted() async throws {
        try await withScratch { folder in
            try await FullDisk.with(folder, size: "1m") {
                try await withPlainDriver {
                    $0.scratch = folder
                } _: { driver in
                    // What begins like it is held back; longer than a page, so that it has no room in the journal's last.
                    #expect(driver.configuration.redactor.learn(String(repeating: "a", count: 20_000) + "b"))
                    try driver.newContext("c")
                    let source = """
                        import time
                        try:
                            with open('\(folder)/filler', 'wb', buffering=0) as file:
                                while True: file.write(b'x' * 4096)
                        except OSError: pass
                        print('a' * 10_000, end='', flush=True)
                        time.sleep(1000)
                        """
                    let told = try await driver.transcript(source, id: "1", in: "c")
                    #expect(told.last?.error?.code == "OUTPUT_NOT_STORED")
                    #expect(unlink("\(folder)/filler") == 0)
                    #expect(try await driver.transcript("1 + 1", id: "2", in: "c").value == "2")
                }
            }
        }
    }
}

/// A file system of memory that is soon full.
enum FullDisk {
    /// Only who may mount can have one.
    static let isPossible: Bool = {
        var template = Array("/tmp/full-XXXXXX".utf8CString)
        guard TestRuntime.python != nil, mkdtemp(&template) != nil else { return false }
        defer { rmdir(template) }
        guard mount("tmpfs", template, "tmpfs", 0, "size=1m") == 0 else { return false }
        return umount(template) == 0
    }()

    static func with(_ folder: String, size: String, _ body: () async throws -> Void) async throws {
        try #require(mount("tmpfs", folder, "tmpfs", 0, "size=\(size)") == 0)
        do { try await body() } catch {
            umount2(folder, Int32(MNT_DETACH))
            throw error
        }
        #expect(umount2(folder, Int32(MNT_DETACH)) == 0)
    }
}
