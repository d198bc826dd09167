import ClusterBackendConformance
import TestSupport
import Testing

/// The Docker backend on a real engine, with real containers.
@Suite(.enabled(if: TestDocker.socket != nil, "There is no Docker engine: see Tests/README.md."))
struct DockerConformanceTests {
    @Test(arguments: ConformanceArea.allCases) func passes(_ area: ConformanceArea) async throws {
        try await withEventLoop { loop in
            let subject = try DockerSubject(loop: loop)
            try await Examiner(subject).run(area)
            try subject.removeFolder()
        }
    }
}
