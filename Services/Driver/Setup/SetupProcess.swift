internal import Core
internal import EventLoop

/// A program that prepares the cluster: its lines go to the log, its last ones are kept for those who ask why.
struct SetupProcess {
    /// How it ended.
    struct Outcome: Sendable {
        var exit: ProcessExit
        var isLate = false
        /// The last lines it wrote.
        var lines: [String]

        var isSuccess: Bool { !isLate && exit == .exited(0) }
    }

    private static let kept = 20
    let loop: EventLoop
    let limit: Duration
    let each: (String) -> Void

    /// Runs it to its end, or kills it with all it has started when it takes longer than the limit.
    func run(_ program: String, _ arguments: [String], _ variables: [String: String], in folder: String) async throws
        -> Outcome
    {
        var specification = ProcessSpecification(program, arguments)
        specification.environment = .only(variables)
        specification.directory = folder
        specification.output = .pipe
        specification.errors = .sameAsOutput
        let child = try await ChildProcess.start(specification, loop: loop)
        let clock = Clock()
        let timer = loop.schedule(after: limit) {
            clock.isLate = true
            child.kill()
        }
        defer { timer.cancel() }
        var lines: [String] = []
        if let output = child.output {
            for try await line in output.lines(limit: 16_384) {
                lines.append(line)
                if lines.count > SetupProcess.kept { lines.removeFirst() }
                each(line)
            }
        }
        let exit = try await child.wait()
        return Outcome(exit: exit, isLate: clock.isLate, lines: lines)
    }

    /// Touched on the loop only.
    private final class Clock: @unchecked Sendable {
        var isLate = false
    }
}
