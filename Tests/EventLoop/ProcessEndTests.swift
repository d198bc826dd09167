import Core
import EventLoop
import Glibc
import TestSupport
import Testing

@Suite struct ProcessEndTests {
    @Test func aStubbornGroupIsKilledAfterTheGrace() async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification(
                "/bin/sh", ["-c", "trap '' TERM; (trap '' TERM; sleep 1000) & echo ready; wait; wait"])
            specification.output = .pipe
            let child = try await ChildProcess.start(specification, loop: loop)
            let output = try #require(child.output)
            #expect(try await output.readLine() == "ready")
            #expect(await child.terminate(grace: .milliseconds(50)) == .signalled(SIGKILL))
            // The end of the pipe: nobody of the group holds it any more.
            #expect(try await output.readLine() == nil)
            #expect(await child.terminate(grace: .zero) == .signalled(SIGKILL))
        }
    }

    @Test func aStoppedChildStillEnds() async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification("/bin/sh", ["-c", "echo ready; kill -STOP $$"])
            specification.output = .pipe
            let child = try await ChildProcess.start(specification, loop: loop)
            #expect(try await child.output?.readLine() == "ready")
            #expect(await child.terminate(grace: .seconds(60)) != .signalled(SIGKILL))
        }
    }

    @Test func whatAChildLeavesBehindIsSwept() async throws {
        try await withEventLoop { loop in
            let swept = try await output(of: "sleep 1000 & echo done", on: loop)
            #expect(swept.text == "done")
            #expect(swept.exit == .exited(0))
        }
    }

    @Test func aWaitCanBeCancelledAndTheProcessRunsOn() async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification("/bin/cat")
            specification.input = .pipe
            specification.output = .pipe
            let child = try await ChildProcess.start(specification, loop: loop)
            let output = try #require(child.output)
            let waiting = Task(executorPreference: loop) { try await child.wait() }
            let reading = Task(executorPreference: loop) { try await output.read() }
            try await loop.sleep(for: .milliseconds(5))
            waiting.cancel()
            reading.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            await #expect(throws: CancellationError.self) { try await reading.value }
            #expect(child.exit == nil)
            try await child.input?.write(Array("still here\n".utf8))
            #expect(try await output.readLine() == "still here")
            child.input?.close()
            #expect(try await child.wait().isSuccess)
            await #expect(throws: HarbourError.self) { try await child.input?.write([1]) }
        }
    }

    @Test func manyMayWait() async throws {
        try await withEventLoop { loop in
            let child = try await ChildProcess.start(ProcessSpecification("/bin/sleep", ["1000"]), loop: loop)
            let ends = try await withThrowingTaskGroup(of: ProcessExit.self) { group in
                for _ in 0..<20 { group.addTask { try await child.wait() } }
                child.kill()
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(ends == Array(repeating: .signalled(SIGKILL), count: 20))
            #expect(try await child.wait() == .signalled(SIGKILL))
        }
    }

    @Test(.timeLimit(.minutes(10))) func twoThousandSpawnsLeaveNothing() async throws {
        let before = descriptorsOpen()
        try await withEventLoop { loop in
            for round in 0..<(isSanitized ? 10 : 100) {
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<20 {
                        group.addTask {
                            var specification = ProcessSpecification("/bin/true")
                            specification.input = .pipe
                            specification.output = .pipe
                            specification.errors = number % 2 == 0 ? .pipe : .null
                            let child = try await ChildProcess.start(specification, loop: loop)
                            // Every other one is dropped while it runs: it must be reaped all the same.
                            return (round + number) % 2 == 0 ? true : try await child.wait().isSuccess
                        }
                    }
                    for try await success in group { #expect(success) }
                }
            }
            while zombies() > 0 { try await loop.sleep(for: .milliseconds(1)) }
            var wrong = ProcessSpecification("/no/such/program")
            wrong.input = .pipe
            wrong.output = .pipe
            for _ in 0..<200 { _ = try? await ChildProcess.start(wrong, loop: loop) }
        }
        // Other tests of this process come and go; a leak would be in the thousands, or hundreds, and stay.
        try await eventually("its descriptors are closed") { descriptorsOpen() < before + 150 }
    }

    private func descriptorsOpen() -> Int { entries(of: "/proc/self/fd").count }

    /// Children named true that have ended and were not reaped.
    private func zombies() -> Int {
        entries(of: "/proc/self/task").flatMap { thread in
            contents("/proc/self/task/\(thread)/children").split(separator: " ")
        }
        .count { contents("/proc/\($0)/stat").contains("(true) Z") }
    }

    private func entries(of folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    private func contents(_ path: String) -> String {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
    }
}

@Suite struct AdoptedProcessTests {
    @Test func aStrangerIsAdoptedByItsIdentity() async throws {
        try await withEventLoop { loop in
            // The grandchild is not ours: its parent ends at once, and it has left the group.
            let started = try await output(of: "setsid sh -c 'echo $$; exec sleep 1000 >/dev/null' &", on: loop) {
                $0.sweepsGroup = false
            }
            let pid = try #require(Int32(started.text))
            let identity = try #require(ProcessIdentity(pid: pid))
            #expect(identity.isRunning)
            let stored = try #require(ProcessIdentity(identity.description))
            let adopted = try #require(try await AdoptedProcess.adopt(stored, loop: loop))
            let ended = Task(executorPreference: loop) { try await adopted.wait() }
            #expect(await adopted.terminate(grace: .seconds(60)) == .unknown)
            #expect(try await ended.value == .unknown)
            #expect(!identity.isRunning)
            #expect(try await AdoptedProcess.adopt(identity, loop: loop) == nil)
        }
    }

    @Test func anotherProcessOfThatNumberIsNotMistaken() async throws {
        try await withEventLoop { loop in
            let own = try #require(ProcessIdentity(pid: getpid()))
            for forged in [
                "\(own.pid):\(own.startTicks + 1):\(own.bootID)", "\(own.pid):\(own.startTicks):another-boot",
            ] {
                let identity = try #require(ProcessIdentity(forged))
                #expect(!identity.isRunning)
                #expect(try await AdoptedProcess.adopt(identity, loop: loop) == nil)
            }
        }
    }

    @Test func onlyStoredIdentitiesAreRead() {
        for text in ["", "1", "1:2", "1:2:3:4", "-1:2:x", "0:2:x", "a:2:x", "1:b:x", "99999999999:1:x"] {
            #expect(ProcessIdentity(text) == nil)
        }
    }
}
