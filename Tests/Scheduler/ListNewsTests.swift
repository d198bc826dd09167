import Core
import HarbourProtocol
import ServiceClients
import Testing

/// What those hear who show lists.
@Suite(.timeLimit(.minutes(15))) struct ListNewsTests {
    private static let tasks = [
        TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: "/a"), jobClusterKey: "main")
    ]

    /// Goal: jobs that are made, changed, deleted and brought back are told of.
    @Test func tellsWhichJobsChange() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print one"])
            let client = fixture.client
            var changes = try await client.stream(SchedulerAPI.streamJobChanges, .init()).makeAsyncIterator()
            let job = try await fixture.job(Self.tasks)
            let made = try #require(try await changes.next())
            #expect(made.jobID == job.jobID && made.creatorUserName == job.creatorUserName)
            _ = try await client.call(SchedulerAPI.updateJob, .init(jobID: job.jobID, body: job.settings))
            #expect(try await changes.next()?.jobID == job.jobID)
            _ = try await client.call(SchedulerAPI.deleteJob, .init(jobID: job.jobID))
            #expect(try await changes.next()?.jobID == job.jobID)
            _ = try await client.call(SchedulerAPI.restoreJob, .init(jobID: job.jobID))
            #expect(try await changes.next()?.jobID == job.jobID)
        }
    }

    /// Goal: a run is told of as soon as it is there, also one that has to wait for another of its job.
    @Test func aRunThatWaitsIsTold() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["wait"])
            let job = try await fixture.job(Self.tasks, maxRuns: 1)
            let changes = try await fixture.client.stream(SchedulerAPI.streamRunChanges, .init())
            let runs = [try await fixture.runNow(job), try await fixture.runNow(job)]
            for try await change in changes where change.runID == runs[1] {
                #expect(change.state.lifeCycleState == .queued)
                break
            }
        }
    }
}
