import HarbourProtocol
import ServiceClients
import ServiceKit
import ServiceTestKit
import Testing

/// What the workspace says of runs that are about to begin.
@Suite("Checks of runs")
struct RunCheckTests {
    private func verdict(
        _ workspace: Workspace, _ user: String, clusters: [String] = [], paths: [String] = [],
        jobs: [Int64]? = nil
    ) async throws -> RunVerdict {
        let run = RunIntent(userName: user, clusterIds: clusters, paths: paths, jobIds: jobs)
        return try await workspace.service.client.call(
            WorkspaceAPI.checkRuns, .init(body: CheckRuns(runs: [run]))
        ).verdicts[0]
    }

    @Test func aRunMayDoWhatItsUserMayDo() async throws {
        try await Neighbours().run { workspace in
            let ada = try await workspace.makeUser("ada")
            let bob = try await workspace.makeUser("bob")
            _ = try await bob.save("/Users/bob/n")
            _ = try await ada.save("/Users/ada/n")
            #expect(try await verdict(workspace, "ada", paths: ["/Users/ada/n", "/Shared/x"]).allowed)

            let other = try await verdict(workspace, "ada", paths: ["/Users/ada/n", "/Users/bob/n"])
            #expect(!other.allowed && other.errorCode == "PERMISSION_DENIED")
            #expect(other.message?.contains("ada") == true && other.message?.contains("CAN_READ") == true, "\(other)")

            let cluster = try await verdict(workspace, "ada", clusters: ["c1"])
            #expect(cluster.errorCode == "PERMISSION_DENIED", "\(cluster)")
            #expect(cluster.message?.contains("CAN_ATTACH_TO") == true, "\(cluster)")
            try await workspace.give(.canAttachTo, on: "clusters", "c1", to: "ada")
            #expect(try await verdict(workspace, "ada", clusters: ["c1"]).allowed)
            #expect(try await verdict(workspace, "admin", clusters: ["c1"], paths: ["/Users/bob/n"]).allowed)
            #expect(try await verdict(workspace, RequestContext.system, clusters: ["c1"]).allowed)
            // What is no path fails the task, which says so.
            #expect(try await verdict(workspace, "ada", paths: ["no path"]).allowed)
        }
    }

    /// A run that runs another job: the right on it may have been taken away since the job was made.
    @Test func aRunMayRunTheJobsThatItsUserMayRun() async throws {
        try await SampleScheduler().run { workspace in
            try await workspace.makeUser("ada")
            try await workspace.makeUser("bob")
            // Job 7 is ada's.
            #expect(try await verdict(workspace, "ada", jobs: [7]).allowed)
            #expect(try await verdict(workspace, "admin", jobs: [7, 8]).allowed)
            try await workspace.give(.canView, on: "jobs", "7", to: "bob")
            let refused = try await verdict(workspace, "bob", jobs: [7])
            #expect(!refused.allowed && refused.errorCode == "PERMISSION_DENIED", "\(refused)")
            #expect(refused.message?.contains("CAN_MANAGE_RUN") == true, "\(refused)")
            try await workspace.give(.canManageRun, on: "jobs", "7", to: "bob")
            #expect(try await verdict(workspace, "bob", jobs: [7]).allowed)
            #expect(try await verdict(workspace, "ada", jobs: [7, 8]).errorCode == "PERMISSION_DENIED")
        }
    }

    @Test func whoMayNotSignInHasNoRuns() async throws {
        try await Neighbours().run { workspace in
            try await workspace.makeUser("ada")
            let admin = workspace.user
            func edit(_ change: EditUser) async throws {
                _ = try await admin.call(WorkspaceAPI.editUser, .init(userName: "ada", body: change))
            }
            #expect(try await verdict(workspace, "ada").allowed)
            try await edit(EditUser(active: false))
            let refused = try await verdict(workspace, "ada")
            #expect(!refused.allowed && refused.errorCode == "USER_NOT_ACTIVE")
            #expect(refused.message?.contains("ada") == true)
            try await edit(EditUser(active: true))
            #expect(try await verdict(workspace, "ada").allowed)
            try await edit(EditUser(role: .viewer))
            #expect(try await verdict(workspace, "ada").errorCode == "PERMISSION_DENIED")
            _ = try await admin.call(WorkspaceAPI.deleteUser, .init(userName: "ada"))
            #expect(try await verdict(workspace, "ada").errorCode == "USER_NOT_ACTIVE")
            #expect(try await verdict(workspace, "nobody").errorCode == "USER_NOT_ACTIVE")
        }
    }

    /// A cluster service that is away keeps only what it alone knows from being answered.
    @Test func whatCannotBeKnownIsSaidOfThatRunAlone() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let bob = try await workspace.makeUser("bob")
            _ = try await bob.save("/Users/bob/n")
            _ = try await ada.save("/Users/ada/n")
            let runs = [
                RunIntent(userName: "ada", clusterIds: ["c1"], paths: []),
                RunIntent(userName: "ada", clusterIds: ["c2"], paths: ["/Users/bob/n"]),
                RunIntent(userName: "ada", clusterIds: [], paths: ["/Users/ada/n"]),
                RunIntent(userName: "nobody", clusterIds: ["c1"], paths: []),
                RunIntent(userName: "admin", clusterIds: ["c1"], paths: []),
                RunIntent(userName: "ada", clusterIds: [], paths: [], jobIds: [7]),
            ]
            let verdicts = try await workspace.service.client.call(
                WorkspaceAPI.checkRuns, .init(body: CheckRuns(runs: runs))
            ).verdicts
            #expect(verdicts.map(\.allowed) == [false, false, true, false, true, false], "\(verdicts)")
            #expect(verdicts.map { $0.unknown ?? false } == [true, false, false, false, false, true], "\(verdicts)")
            #expect(verdicts[0].message?.isEmpty == false)
            #expect(verdicts[1].errorCode == "PERMISSION_DENIED", "what is refused anyway is not asked about again")
        }
    }

    @Test func onlyServicesAsk() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            #expect(
                await errorCode {
                    _ = try await ada.client.call(WorkspaceAPI.checkRuns, .init(body: CheckRuns(runs: [])))
                } == "PERMISSION_DENIED")
        }
    }
}
