import Core
import EventLoop
import HarbourProtocol
import ServiceClients
import ServiceKit
import TestSupport
import Testing

@testable import SchedulerService

/// Making and changing jobs by callers who did not hear the answer, and by two at once.
@Suite(.timeLimit(.minutes(15))) struct AskedAgainTests {
    private func spec(_ name: String = "job") -> JobSpec {
        JobSpec(
            name: name,
            tasks: [TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: "/a"), existingClusterID: "c")])
    }

    private func create(
        _ fixture: SchedulerFixture, _ token: String?, _ name: String = "job", isUnique: Bool? = nil,
        as user: String? = nil
    ) async throws -> Job {
        try await fixture.client.call(
            SchedulerAPI.createJob, .init(uniqueName: isUnique, idempotencyToken: token, body: spec(name)),
            context: CallContext(user: user))
    }

    private func update(_ fixture: SchedulerFixture, _ job: Job, _ name: String, if time: Timestamp?) async throws
        -> Job
    {
        try await fixture.client.call(
            SchedulerAPI.updateJob, .init(jobID: job.jobID, ifUpdatedTime: time, body: spec(name)))
    }

    private func code(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch { return (error as? HarbourError)?.code.name }
    }

    @Test func theSameTokenGivesTheSameJobToItsMaker() async throws {
        try await SchedulerFixture.with { fixture in
            let first = try await create(fixture, "t", as: "ada")
            let again = try await create(fixture, "t", as: "ada")
            #expect(again == first)
            let others = try await create(fixture, "t", as: "bob")
            #expect(others.jobID != first.jobID)
            let another = try await create(fixture, nil, as: "ada")
            #expect(another.jobID != first.jobID)
            #expect(try await fixture.client.call(SchedulerAPI.listJobs, .init()).jobs.count == 3)
        }
    }

    @Test func aNameThatTheJobItselfHasTakenIsNoObstacle() async throws {
        try await SchedulerFixture.with { fixture in
            let first = try await create(fixture, "t", isUnique: true)
            #expect(try await create(fixture, "t", isUnique: true).jobID == first.jobID)
            let other = await code { _ = try await create(fixture, "u", isUnique: true) }
            #expect(other == "RESOURCE_ALREADY_EXISTS")
        }
    }

    @Test func manyAtOnceMakeOne() async throws {
        try await SchedulerFixture.with { fixture in
            let ids = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<20 { group.addTask { try await create(fixture, "t").jobID } }
                return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
        }
    }

    @Test func theTokenOfADeletedJobMakesNone() async throws {
        try await SchedulerFixture.with { fixture in
            let job = try await create(fixture, "t")
            _ = try await fixture.client.call(SchedulerAPI.deleteJob, .init(jobID: job.jobID))
            #expect(await code { _ = try await create(fixture, "t") } == "RESOURCE_ALREADY_EXISTS")
            _ = try await fixture.client.call(SchedulerAPI.restoreJob, .init(jobID: job.jobID))
            #expect(try await create(fixture, "t").jobID == job.jobID)
        }
    }

    @Test func whatSomebodyElseHasChangedIsNotReplaced() async throws {
        try await SchedulerFixture.with { fixture in
            let job = try await create(fixture, nil)
            let mine = try await update(fixture, job, "mine", if: job.updatedTime)
            #expect(mine.updatedTime > job.updatedTime)
            #expect(
                await code { _ = try await update(fixture, job, "theirs", if: job.updatedTime) } == "RESOURCE_CONFLICT")
            #expect(try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: job.jobID)).settings.name == "mine")
            // Whose answer was lost asks again, and is in no conflict with themselves.
            let again = try await update(fixture, job, "mine", if: job.updatedTime)
            #expect(again.updatedTime == mine.updatedTime)
            // Who does not say what they know replaces whatever is there.
            #expect(try await update(fixture, job, "theirs", if: nil).settings.name == "theirs")
        }
    }

    @Test func ofManyAtOnceOneChangesIt() async throws {
        try await SchedulerFixture.with { fixture in
            let job = try await create(fixture, nil)
            let winners = await withTaskGroup(of: String?.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let failure = await code {
                            _ = try await update(fixture, job, "\(number)", if: job.updatedTime)
                        }
                        return failure == nil ? "\(number)" : failure == "RESOURCE_CONFLICT" ? nil : failure
                    }
                }
                return await group.reduce(into: [String]()) { if let name = $1 { $0.append(name) } }
            }
            let now = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: job.jobID))
            #expect(winners == [now.settings.name])
        }
    }
}
