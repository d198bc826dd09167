import Core
import EventLoop
import Glibc
import TestSupport
import Testing

/// What a shell prints, trimmed of its last line feed, and how it ended.
func output(
    of script: String, on loop: EventLoop, _ change: (inout ProcessSpecification) -> Void = { _ in }
) async throws -> (text: String, exit: ProcessExit) {
    var specification = ProcessSpecification("/bin/sh", ["-c", script])
    specification.output = .pipe
    change(&specification)
    let child = try await ChildProcess.start(specification, loop: loop)
    var lines: [String] = []
    if let output = child.output { for try await line in output.lines() { lines.append(line) } }
    return (lines.joined(separator: "\n"), try await child.wait())
}

@Suite struct ProcessTests {
    @Test func theEndOfAChildIsTold() async throws {
        try await withEventLoop { loop in
            #expect(try await output(of: "exit 0", on: loop).exit == .exited(0))
            #expect(try await output(of: "exit 7", on: loop).exit == .exited(7))
            let killed = try await output(of: "kill -9 $$", on: loop).exit
            #expect(killed == .signalled(SIGKILL))
            #expect(killed.description == "was ended by signal 9 (Killed)")
        }
    }

    @Test func argumentsReachTheProgramUntouched() async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification("printf", [#"%s|"#, "a b", "$HOME", "it's \"it\"", "", "ä\n"])
            specification.output = .pipe
            let child = try await ChildProcess.start(specification, loop: loop)
            let bytes = try await child.output?.read()
            #expect(String(decoding: bytes ?? [], as: UTF8.self) == "a b|$HOME|it's \"it\"||ä\n|")
            #expect(try await child.wait().isSuccess)
        }
    }

    @Test func environmentAndDirectoryAreAsAsked() async throws {
        try await withEventLoop { loop in
            let only = try await output(of: "/usr/bin/env | grep -v ^PWD= | grep -v ^_=; pwd", on: loop) {
                $0.environment = .only(["NAME": "value=1"])
                $0.directory = "/usr"
            }
            #expect(only.text == "NAME=value=1\n/usr")
            let added = try await output(of: "echo $NAME; echo $PATH", on: loop) {
                $0.environment = .inherited(adding: ["NAME": "new"])
            }
            #expect(added.text.hasPrefix("new\n/"))
        }
    }

    @Test func whatCannotStartSaysWhy() async throws {
        try await withEventLoop { loop in
            func code(_ change: @Sendable (inout ProcessSpecification) -> Void) async -> ErrorCode? {
                var specification = ProcessSpecification("/bin/true")
                change(&specification)
                do {
                    _ = try await ChildProcess.start(specification, loop: loop)
                    return nil
                } catch { return (error as? HarbourError)?.code }
            }
            #expect(await code { _ in } == nil)
            #expect(await code { $0.executable = "/no/such/program" } == .notFound)
            #expect(await code { $0.executable = "no-such-program" } == .notFound)
            #expect(await code { $0.executable = "/etc/passwd" } == .permissionDenied)
            #expect(await code { $0.directory = "/no/such/folder" } == .notFound)
            #expect(await code { $0.output = .file("/no/such/folder/file") } == .notFound)
            #expect(await code { $0.arguments = ["a\0b"] } == .invalidParameter)
            #expect(await code { $0.environment = .only(["A=B": ""]) } == .invalidParameter)
            #expect(await code { $0.descriptors = Array(repeating: 0, count: 14) } == .invalidParameter)
            #expect(await code { $0.descriptors = [987_654] } == .invalidParameter)
        }
    }

    @Test func aChildHasOnlyTheDescriptorsItWasGiven() async throws {
        try await withEventLoop { loop in
            // A descriptor that is not close-on-exec, as a careless library would leave it.
            let stray = open("/dev/null", O_RDONLY)
            defer { close(stray) }
            let seen = try await output(of: "ls /proc/$$/fd; cat <&4", on: loop) {
                $0.descriptors = [stray, stray]
            }
            // The shell keeps its own at 10.
            #expect(seen.text.split(separator: "\n").filter { $0 != "10" } == ["0", "1", "2", "3", "4"])
        }
    }

    @Test func aChildStartsWithDefaultSignals() async throws {
        try await withEventLoop { loop in
            let seen = try await output(of: "grep -E '^Sig(Blk|Ign)' /proc/self/status", on: loop)
            #expect(seen.text == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000")
        }
    }

    @Test func groupsSessionsLimitsAndPriority() async throws {
        try await withEventLoop { loop in
            // Fields after the name: state, parent, group, session.
            let script = "echo $$; cut -d' ' -f5,6 /proc/$$/stat"
            let own = try await output(of: script, on: loop).text.split(separator: "\n")
            #expect(own[1].split(separator: " ")[0] == own[0])
            #expect(own[1].split(separator: " ")[1] != own[0])
            let session = try await output(of: script, on: loop) { $0.group = .session }.text.split(separator: "\n")
            #expect(session[1] == "\(session[0]) \(session[0])")
            let inherited = try await output(of: script, on: loop) { $0.group = .inherited }
            #expect(inherited.text.hasSuffix("\n\(getpgrp()) \(getsid(0))"))

            let limited = try await output(of: "ulimit -n; ulimit -Hc; nice", on: loop) {
                $0.limits = [.init(.descriptors, 123), .init(.coreSize, 0)]
                $0.nice = 3
            }
            #expect(limited.text == "123\n0\n3")
        }
    }

    @Test func outputGoesToAFileOrTogether() async throws {
        try await withEventLoop { loop in
            var template = Array("/tmp/process-test-XXXXXX".utf8CString)
            let file = mkstemp(&template)
            let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            defer {
                close(file)
                unlink(path)
            }
            for word in ["one", "two"] {
                _ = try await output(of: "echo \(word); echo \(word) failed >&2", on: loop) {
                    $0.output = .file(path)
                    $0.errors = .sameAsOutput
                }
            }
            let read = try await output(of: "cat \(path)", on: loop)
            #expect(read.text == "one\none failed\ntwo\ntwo failed")
            let together = try await output(of: "echo out; echo err >&2", on: loop) { $0.errors = .sameAsOutput }
            #expect(together.text == "out\nerr")
        }
    }

    @Test func theKernelKnowsTheParentDeathSignal() async throws {
        // PR_GET_PDEATHSIG is 2. Asked from inside, because /proc does not show it.
        let script = """
            exec python3 -c 'import ctypes; n = ctypes.c_int()
            ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)'
            """
        try await withEventLoop { loop in
            let asked = try await output(of: script, on: loop) { $0.parentDeathSignal = SIGKILL }
            #expect(asked.text == "9")
            let unasked = try await output(of: script, on: loop)
            #expect(unasked.text == "0")
        }
    }

    @Test func aChildOutlivesTheThreadThatAskedForIt() async throws {
        // Parent-death signals follow threads: a child must not die with the one that wanted it.
        try await withEventLoop { loop in
            let asking = try EventLoop()
            let thread = asking.start()
            var specification = ProcessSpecification("/bin/cat")
            specification.input = .pipe
            specification.output = .pipe
            specification.parentDeathSignal = SIGKILL
            let request = specification
            let child = try await Task(executorPreference: asking) {
                try await ChildProcess.start(request, loop: loop)
            }.value
            thread.stopAndJoin()
            try await child.input?.write(Array("alive\n".utf8))
            #expect(try await child.output?.readLine() == "alive")
            #expect(await child.terminate(grace: .seconds(60)) == .signalled(SIGTERM))
        }
    }

    @Test func anIdleChildCostsNothing() async throws {
        try await withEventLoop { loop in
            let child = try await ChildProcess.start(ProcessSpecification("/bin/sleep", ["1000"]), loop: loop)
            let wakeUps = try await fewestWakeUps(of: loop, in: .milliseconds(100), enough: 2)
            #expect(wakeUps <= 2)
            #expect(await child.terminate(grace: .seconds(60)) == .signalled(SIGTERM))
        }
    }
}
