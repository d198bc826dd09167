import Core
import EventLoop
import Glibc
import TestSupport
import Testing

@Suite struct RunningEnvironmentTests {
    private func has(_ mark: String, _ pid: Int32) -> Bool {
        RunningEnvironment.variables(of: pid).contains { $0.elementsEqual(mark.utf8) }
    }

    /// Without looking again, about one look in fifty sees nothing.
    @Test func aProcessThatExecsAllTheTimeIsKnownByItsMark() async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification("/bin/sh")
            specification.arguments = ["-c", #"echo ready; exec /bin/sh -c "$0" "$0""#, #"exec /bin/sh -c "$0" "$0""#]
            specification.environment = .only(["MARK": "here", "PATH": "/bin"])
            specification.output = .pipe
            let child = try await ChildProcess.start(specification, loop: loop)
            _ = try await child.output?.readLine()
            let missed = try await BlockingPool.shared.run {
                (0..<2000).count { _ in !has("MARK=here", child.pid) }
            }
            #expect(missed == 0)
            child.kill()
            _ = try await child.wait()
            #expect(!has("MARK=here", child.pid))
        }
    }

    @Test func aProcessWithoutAnEnvironmentIsBelieved() async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification("/bin/sleep", ["1000"])
            specification.environment = .only([:])
            let child = try await ChildProcess.start(specification, loop: loop)
            #expect(RunningEnvironment.variables(of: child.pid).isEmpty)
            child.kill()
            _ = try await child.wait()
        }
    }
}
