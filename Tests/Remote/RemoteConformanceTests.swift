import ClusterBackendConformance
import Testing

/// The remote backend with a real second platform: gateway, cluster service and database.
@Suite(.timeLimit(.minutes(15))) struct RemoteConformanceTests {
    @Test func passesWithAnotherDataHarbour() async throws {
        try await withFarPlatform { platform in
            let subject = try RemoteSubject(platform)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for area in ConformanceArea.allCases {
                    group.addTask {
                        do { try await Examiner(subject).run(area) } catch { Issue.record("\(area): \(error)") }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
