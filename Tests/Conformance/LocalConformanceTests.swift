import ClusterBackendConformance
import TestSupport
import Testing

/// The local backend on this machine, with real processes.
@Suite struct LocalConformanceTests {
    @Test(arguments: ConformanceArea.allCases) func passes(_ area: ConformanceArea) async throws {
        try await withEventLoop { loop in
            let subject = try LocalSubject(loop: loop)
            try await Examiner(subject).run(area)
            subject.removeFolder()
        }
    }
}
