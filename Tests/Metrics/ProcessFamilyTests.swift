import Glibc
import Metrics
import Testing

@Suite struct ProcessFamilyTests {
    /// Goal: what a child does is seen with its parent, and no other process is.
    @Test func childrenAreCounted() throws {
        var descriptors: [Int32] = [0, 0]
        #expect(pipe(&descriptors) == 0)
        let (reading, writing) = (descriptors[0], descriptors[1])
        defer { close(reading) }
        // A shell, and below it one that is busy until it has said so, and then waits for its input.
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read line"
        var child: pid_t = 0
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var input: [Int32] = [0, 0]
        #expect(pipe(&input) == 0)
        posix_spawn_file_actions_adddup2(&actions, input[0], 0)
        posix_spawn_file_actions_adddup2(&actions, writing, 1)
        let words = ["/bin/sh", "-c", "/bin/sh -c '\(script)'; true"]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        #expect(posix_spawn(&child, "/bin/sh", &actions, nil, &arguments, environ) == 0)
        close(writing)
        close(input[0])
        let family = ProcessFamily(of: child)
        #expect(family.usage.processes == 0)
        var byte: UInt8 = 0
        #expect(read(reading, &byte, 1) == 1)
        let usage = family.look()
        #expect(usage.processes == 2 && usage.memoryBytes > 100_000 && usage.cpuSeconds > 0, "\(usage)")
        #expect(family.usage == usage)
        // The child has this end too: closing it here would tell it nothing.
        #expect(write(input[1], "\n", 1) == 1)
        close(input[1])
        var status: Int32 = 0
        #expect(waitpid(child, &status, 0) == child)
        let ended = family.look()
        #expect(ended.processes == 0 && ended.memoryBytes == 0 && ended.cpuSeconds == usage.cpuSeconds)
    }
}
