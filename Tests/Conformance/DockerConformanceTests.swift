import ClusterBackendConformance
import TestSupport
import Testing

/// The Docker backend on a real engine, with real containers.
@Suite(.enabled(if: TestDocker.socket != nil, "There is no Docker engine: see Tests/README.md."))
struct DockerConformanceTests {
    /// All areas at once, each in a folder of its own, for containers mostly wait while they start and end.
    @Test(.timeLimit(.minutes(10))) func passes() async throws {
        try await withEventLoop { loop in
            await withTaskGroup(of: Void.self) { group in
                for area in ConformanceArea.allCases {
                    group.addTask {
                        do {
                            let subject = try DockerSubject(loop: loop)
                            try await Examiner(subject).run(area)
                            try subject.removeFolder()
                        } catch {
                            Issue.record("\(area): \(error)")
                        }
                    }
                }
            }
        }
    }
}
