import HarbourProtocol
import ServiceClients
import ServiceTestKit
import Testing

/// What a request names besides the object that its route is about: the right to one is none to the other.
@Suite("What a request names besides", .timeLimit(.minutes(15)))
struct SecondObjectTests {
    @Test func runningCellsNeedsTheCluster() async throws {
        try await RunningWorkspace.run(["print one"]) { running in
            let (workspace, id) = (running.workspace, running.id)
            let guest = try await workspace.makeUser("guest")
            try await workspace.give(.canRun, on: "notebooks", "\(id)", to: "guest")
            func run(on cluster: String?) async -> [String] {
                [
                    await errorCode {
                        _ = try await guest.client.call(
                            WorkspaceAPI.runCells,
                            .init(notebookID: id, body: RunCells(clusterID: cluster, scope: .all)))
                    },
                    await errorCode {
                        _ = try await guest.client.call(
                            WorkspaceAPI.executeCell, .init(notebookID: id, cellID: "c0", clusterID: cluster))
                    },
                ]
            }
            #expect(await run(on: "lab") == ["PERMISSION_DENIED", "PERMISSION_DENIED"])
            let attached = await errorCode {
                _ = try await guest.client.call(
                    WorkspaceAPI.attachNotebook, .init(notebookID: id, body: AttachNotebook(clusterID: "lab")))
            }
            #expect(attached == "PERMISSION_DENIED")
            // Nor is it enough that somebody else has attached it.
            _ = try await running.user.call(
                WorkspaceAPI.attachNotebook, .init(notebookID: id, body: AttachNotebook(clusterID: "lab")))
            #expect(await run(on: nil) == ["PERMISSION_DENIED", "PERMISSION_DENIED"])
            #expect(running.cluster.started.isEmpty)
            try await workspace.give(.canAttachTo, on: "clusters", "lab", to: "guest")
            _ = try await guest.client.call(
                WorkspaceAPI.runCells, .init(notebookID: id, body: RunCells(scope: .all)))
            _ = try await running.settled()
            #expect(running.cluster.started.count == 1)
        }
    }

    @Test func whereSomethingGoesIsAnothersPlace() async throws {
        try await Workspace.run { workspace in
            let (ada, bob) = (try await workspace.makeUser("ada"), try await workspace.makeUser("bob"))
            for person in [ada, bob] {
                _ = try await person.client.call(
                    WorkspaceAPI.createNotebook, .init(body: CreateNotebook(name: "own")))
            }
            let moved = await errorCode {
                _ = try await ada.client.call(
                    WorkspaceAPI.moveObject,
                    .init(body: MoveObject(sourcePath: "/Users/ada/own", destinationPath: "/Users/bob/hers")))
            }
            let made = await errorCode {
                _ = try await ada.client.call(
                    WorkspaceAPI.createNotebook, .init(body: CreateNotebook(name: "hers", folder: "/Users/bob")))
            }
            #expect([moved, made] == ["PERMISSION_DENIED", "PERMISSION_DENIED"])
            #expect(try await workspace.list("/Users/ada") == ["/Users/ada/own"])
            #expect(try await workspace.list("/Users/bob") == ["/Users/bob/own"])
        }
    }

    @Test func aJobNeedsItsCluster() async throws {
        let scheduler = SampleScheduler()
        try await scheduler.run { workspace in
            let bob = try await workspace.makeUser("bob")
            let code = await errorCode {
                _ = try await bob.client.call(
                    WorkspaceAPI.submitJob,
                    .init(body: SubmitJob(name: "his", code: "print(1)", clusterID: "spark-cluster-default")))
            }
            #expect(["PERMISSION_DENIED", "RESOURCE_DOES_NOT_EXIST"].contains(code), "\(code)")
            #expect(scheduler.took.allSatisfy { !$0.hasPrefix("createJob") })
        }
    }
}
