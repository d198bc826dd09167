import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import ServiceKit
import TestSupport
import Testing

@testable import SchedulerService

/// A folder that files come to.
final class Inbox: Sendable {
    /// Where inboxes are.
    static let root = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"

    let folder: TemporaryDirectory
    var url: String { "\(folder.path)/in" }

    init() throws {
        folder = try TemporaryDirectory()
        try #require(mkdir("\(folder.path)/in", 0o755) == 0)
    }

    /// A file that is there at once, as who renames makes it.
    func put(_ name: String, _ text: String = "x") throws {
        let file = try #require(fopen(folder.file("new"), "w"))
        fputs(text, file)
        fclose(file)
        try #require(rename(folder.file("new"), "\(url)/\(name)") == 0)
    }

    func remove(_ name: String) throws { try #require(unlink("\(url)/\(name)") == 0) }
}

@Suite struct FileArrivalTests {
    private func create(
        _ fixture: SchedulerFixture, _ url: String, least: Int? = nil, quiet: Int? = nil
    ) async throws -> Job {
        fixture.scripted.put("/a", ["print a"])
        var spec = try await fixture.job([
            TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: "/a"), jobClusterKey: "main")
        ]).settings
        spec.maxConcurrentRuns = 50
        spec.trigger = TriggerSettings(
            fileArrival: FileArrivalTrigger(
                url: url, minTimeBetweenTriggersSeconds: least, waitAfterLastChangeSeconds: quiet))
        return try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
    }

    private func runs(_ fixture: SchedulerFixture, _ job: Job) async throws -> [Run] {
        try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: job.jobID)).runs
    }

    private func waitForRuns(_ fixture: SchedulerFixture, _ job: Job, _ count: Int) async throws {
        try await eventually("\(count) runs are there") { try await runs(fixture, job).count >= count }
    }

    @Test func whatComesToAFolderMakesARun() async throws {
        try await SchedulerFixture.with { fixture in
            let inbox = try Inbox()
            try inbox.put("old")
            // Files are stamped by a clock of a few milliseconds.
            try await fixture.loop.sleep(for: .milliseconds(50))
            let job = try await create(fixture, inbox.url)
            try inbox.put("one")
            try await waitForRuns(fixture, job, 1)
            let run = try #require(try await runs(fixture, job).first)
            #expect(run.trigger == .fileArrival)
            // In a folder below that did not exist before.
            try #require(mkdir("\(inbox.url)/below", 0o755) == 0)
            try inbox.put("below/two")
            try await waitForRuns(fixture, job, 2)
            // A file that is written slowly has come when its writer has closed it.
            let slow = try #require(fopen("\(inbox.url)/slow", "w"))
            fputs("half", slow)
            fflush(slow)
            try inbox.put("three")
            try await waitForRuns(fixture, job, 3)
            fputs("whole", slow)
            fclose(slow)
            try await waitForRuns(fixture, job, 4)
            // What is changed, hidden or known is nothing new; what was away comes again.
            try inbox.put("one", "other")
            try inbox.put(".hidden")
            try inbox.remove("three")
            try inbox.put("four")
            try await waitForRuns(fixture, job, 5)
            try inbox.put("three")
            try await waitForRuns(fixture, job, 6)
            #expect(try await runs(fixture, job).count == 6)
            // One that was missing and is back as it was has not come.
            try #require(rename("\(inbox.url)/four", "\(inbox.url)/.four") == 0)
            try inbox.put("five")
            try await waitForRuns(fixture, job, 7)
            try #require(rename("\(inbox.url)/.four", "\(inbox.url)/four") == 0)
            try inbox.put("six")
            try await waitForRuns(fixture, job, 8)
            try inbox.put("seven")
            try await waitForRuns(fixture, job, 9)
            #expect(try await runs(fixture, job).count == 9)
        }
    }

    @Test func filesWaitUntilNothingMoreComes() async throws {
        try await SchedulerFixture.with { fixture in
            let inbox = try Inbox()
            let job = try await create(fixture, inbox.url, quiet: 4)
            var puts: [Timestamp] = []
            for number in 0..<4 {
                puts.append(.now)
                try inbox.put("file-\(number)")
                try await fixture.loop.sleep(for: .milliseconds(300))
            }
            try await waitForRuns(fixture, job, 1)
            puts.append(.now)
            try inbox.put("more")
            try await waitForRuns(fixture, job, 2)
            let made = try await runs(fixture, job).map(\.createdTime)
            for run in made { #expect(run - (try #require(puts.last { $0 < run })) >= .seconds(4)) }
            // On a slow machine there may have been quiet between the first ones too.
            let quiet = zip(puts, puts.dropFirst()).count { $1 - $0 >= .seconds(3) }
            #expect(made.count <= quiet + 1)
        }
    }

    @Test func aRunIsMadeNoEarlierThanTheLeastTimeAllows() async throws {
        try await SchedulerFixture.with { fixture in
            let inbox = try Inbox()
            let job = try await create(fixture, inbox.url, least: 2)
            try inbox.put("one")
            try await waitForRuns(fixture, job, 1)
            try inbox.put("two")
            try inbox.put("three")
            try await waitForRuns(fixture, job, 2)
            let made = try await runs(fixture, job).map(\.createdTime).sorted()
            #expect(made.count == 2 && made[1] - made[0] >= .seconds(2))
        }
    }

    @Test func whatComesDuringAPauseIsNotMadeUpFor() async throws {
        try await SchedulerFixture.with { fixture in
            let inbox = try Inbox()
            let job = try await create(fixture, inbox.url)
            var spec = job.settings
            spec.trigger?.pauseStatus = .paused
            _ = try await fixture.client.call(SchedulerAPI.updateJob, .init(jobID: job.jobID, body: spec))
            try inbox.put("during")
            // The clock that files are stamped with is a few milliseconds behind.
            try await fixture.loop.sleep(for: .milliseconds(1100))
            _ = try await fixture.client.call(SchedulerAPI.updateJob, .init(jobID: job.jobID, body: job.settings))
            try inbox.put("after")
            try await waitForRuns(fixture, job, 1)
            try inbox.put("again")
            try await waitForRuns(fixture, job, 2)
            #expect(try await runs(fixture, job).count == 2)
        }
    }

    @Test func onlyFoldersOfTheOperatorsAreLookedAt() async throws {
        try await SchedulerFixture.with { fixture in
            let inbox = try Inbox()
            try #require(symlink("/etc", "\(inbox.url)/link") == 0)
            for url in ["/etc", "/etc/nothing", "\(inbox.url)/link", "/proc/self"] {
                let job = try await create(fixture, url)
                var message: String?
                while message == nil {
                    message = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: job.jobID)).triggerMessage
                    try await fixture.loop.sleep(for: .milliseconds(20))
                }
                #expect(message?.contains("HARBOUR_SCHEDULER_FILE_ROOTS") == true, "\(url): \(message ?? "")")
            }
            for url in ["/.", "/./", "/tmp/../etc"] {
                await #expect(throws: HarbourError.self, "\(url)") { _ = try await create(fixture, url) }
            }
        }
    }

    @Test func filesWaitForAPlaceWhereThereIsNoQueue() async throws {
        try await SchedulerFixture.with { fixture in
            let inbox = try Inbox()
            fixture.scripted.put("/wait", ["wait"])
            let template = try await create(fixture, inbox.url)
            _ = try await fixture.client.call(SchedulerAPI.deleteJob, .init(jobID: template.jobID))
            var spec = template.settings
            spec.queue = QueueSettings(enabled: false)
            spec.maxConcurrentRuns = 1
            spec.tasks[0].notebookTask = NotebookTask(notebookPath: "/wait")
            let job = try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
            try inbox.put("one")
            try await waitForRuns(fixture, job, 1)
            let first = try #require(try await runs(fixture, job).first).runID
            try await eventually("the first run waits") { fixture.scripted.started["run-\(first)-0-0-0"] == 1 }
            try inbox.put("two")
            fixture.scripted.put("/wait", ["print done"])
            fixture.scripted.finish("run-\(first)-0-0-0")
            try await waitForRuns(fixture, job, 2)
            #expect(try await runs(fixture, job).allSatisfy { $0.state.lifeCycleState != .skipped })
        }
    }

    @Test func severalJobsWaitAtOneFolder() async throws {
        try await SchedulerFixture.with { fixture in
            let inbox = try Inbox()
            let first = try await create(fixture, inbox.url)
            let second = try await create(fixture, inbox.url + "/")
            try inbox.put("one")
            try await waitForRuns(fixture, first, 1)
            try await waitForRuns(fixture, second, 1)
            _ = try await fixture.client.call(SchedulerAPI.deleteJob, .init(jobID: first.jobID))
            // A folder that goes and comes again is watched again: the second file of the new one is told at once.
            try inbox.remove("one")
            try #require(rmdir(inbox.url) == 0 && mkdir(inbox.url, 0o755) == 0)
            try inbox.put("two")
            try await waitForRuns(fixture, second, 2)
            try inbox.put("three")
            try await waitForRuns(fixture, second, 3)
            #expect(try await runs(fixture, first).count == 1)
        }
    }

    @Test func whatKeepsATriggerFromWorkingIsSaid() async throws {
        try await SchedulerFixture.with { fixture in
            let inbox = try Inbox()
            let missing = try await create(fixture, "\(inbox.url)/missing")
            let stored = try await create(fixture, "s3://bucket/in/")
            func message(_ job: Job) async throws -> String {
                while true {
                    let now = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: job.jobID))
                    if let message = now.triggerMessage { return message }
                    try await fixture.loop.sleep(for: .milliseconds(20))
                }
            }
            #expect(try await message(missing).contains("does not exist"))
            #expect(try await message(stored).contains("HARBOUR_SCHEDULER_S3_ENDPOINT"))
            let error = await #expect(throws: HarbourError.self) { _ = try await create(fixture, "nowhere") }
            #expect(error?.code == .invalidParameter)
        }
    }
}

/// Two schedulers are killed while files come: each file makes one run, at once or when somebody is back.
@Suite(.timeLimit(.minutes(15))) struct FileArrivalKillTests {
    @Test func noFileIsLostOrToldTwice() async throws {
        let seed = UInt64.random(in: 0..<1_000_000)
        print("FileArrivalKillTests seed \(seed)")
        let inbox = try Inbox()
        try await withDatabase { database in
            try await withEventLoop { loop in
                let folder = try TemporaryDirectory()
                let scripted = ScriptedServices()
                scripted.put("/a", ["print a"])
                let below = try await ServiceRuntime.start(
                    scripted.definition, arguments: ["--listen", "127.0.0.1:0", "--service-token", "t"], loop: loop)
                let place = SchedulerProcess.Surroundings(
                    loop: loop, http: HTTPClient(loop: loop), database: database, below: try await below.baseURL,
                    folder: folder.path)
                var schedulers = [
                    try await SchedulerProcess.start("s0", in: place),
                    try await SchedulerProcess.start("s1", in: place),
                ]
                var generator = SeededGenerator(seed: seed)
                let task = TaskSpec(
                    taskKey: "a", notebookTask: NotebookTask(notebookPath: "/a"),
                    newCluster: ClusterSpec(clusterName: "x"))
                let job = try await schedulers[0].client.call(
                    SchedulerAPI.createJob,
                    .init(
                        body: JobSpec(
                            name: "files", tasks: [task],
                            trigger: TriggerSettings(fileArrival: FileArrivalTrigger(url: inbox.url)),
                            maxConcurrentRuns: 1000)))
                for number in 0..<16 {
                    try inbox.put("file-\(number)")
                    // At any moment of what a file sets off, and sometimes both.
                    try await loop.sleep(for: .milliseconds(Int.random(in: 0...25, using: &generator)))
                    let both = Int.random(in: 0..<4, using: &generator) == 0
                    for victim in 0..<2 where both || victim == number % 2 { try await schedulers[victim].kill() }
                    for victim in 0..<2 where both || victim == number % 2 {
                        schedulers[victim] = try await SchedulerProcess.start("s\(victim)", in: place)
                    }
                    try await eventually("the run of file \(number) is made, seed \(seed)") {
                        try await schedulers[0].client.call(
                            SchedulerAPI.listRuns, .init(pageSize: 100, jobID: job.jobID)
                        ).runs.count > number
                    }
                }
                let runs = try await schedulers[0].client.call(
                    SchedulerAPI.listRuns, .init(pageSize: 100, jobID: job.jobID)
                ).runs
                #expect(runs.count == 16, "seed \(seed)")
                for scheduler in schedulers { try await scheduler.kill() }
                await place.http.close()
                try await below.stop()
            }
        }
    }
}
