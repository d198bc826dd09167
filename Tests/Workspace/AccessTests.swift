import Core
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import ServiceKit
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Permissions")
struct AccessTests {
    @Test func everybodyHasAHomeAndShared() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let bob = try await workspace.makeUser("bob")
            _ = try await ada.save("/Users/ada/private")
            _ = try await ada.save("/Shared/common")
            // Each sees the way to what is theirs, and nothing beside it.
            #expect(try await ada.list("/") == ["/Shared", "/Users"])
            #expect(try await ada.list("/Users") == ["/Users/ada"])
            #expect(try await bob.list("/Users") == ["/Users/bob"])
            #expect(try await workspace.list("/Users") == ["/Users/ada", "/Users/bob"])
            for path in ["/Users/ada/private", "/Users/ada", "/Users/ada/none"] {
                #expect(await errorCode { _ = try await bob.read(path) } == "PERMISSION_DENIED", "\(path)")
            }
            #expect(await errorCode { _ = try await bob.list("/Users/ada") } == "PERMISSION_DENIED")
            #expect(await errorCode { _ = try await bob.save("/Users/ada/mine") } == "PERMISSION_DENIED")
            #expect(await errorCode { _ = try await bob.save("/top") } == "PERMISSION_DENIED")
            #expect(try await bob.read("/Shared/common").path == "/Shared/common")
            _ = try await bob.save("/Shared/common", "print(2)\n", overwrite: true)
            // What is shared by all is arranged by administrators.
            let shared = try await workspace.objectID("/Shared")
            #expect(
                await errorCode {
                    _ = try await bob.client.call(
                        WorkspaceAPI.setPermissions,
                        .init(
                            objectType: "directories", objectID: shared,
                            body: ChangePermissions(accessControlList: [])))
                } == "PERMISSION_DENIED")
        }
    }

    @Test func permissionsAreInheritedAlongFoldersAndFromGroups() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let bob = try await workspace.makeUser("bob")
            _ = try await ada.save("/Users/ada/lab/deep/n")
            _ = try await ada.save("/Users/ada/lab/other")
            _ = try await ada.save("/Users/ada/rest")
            let deep = try await workspace.objectID("/Users/ada/lab/deep")
            _ = try await workspace.user.call(
                WorkspaceAPI.createGroup, .init(body: CreateGroup(groupName: "crew", members: ["bob"])))
            let given = try await ada.client.call(
                WorkspaceAPI.updatePermissions,
                .init(
                    objectType: "directories", objectID: deep,
                    body: ChangePermissions(accessControlList: [
                        AccessControl(groupName: "crew", permissionLevel: .canRead)
                    ])))
            #expect(given.effectiveLevel == .canManage)
            let crew = try #require(given.accessControlList.first { $0.groupName == "crew" })
            #expect(crew.allPermissions == [GivenPermission(permissionLevel: .canRead, inherited: false)])
            let owner = try #require(given.accessControlList.first { $0.userName == "ada" })
            #expect(owner.allPermissions.contains { $0.inheritedFromObject == ["/Users/ada"] })

            #expect(try await bob.read("/Users/ada/lab/deep/n").path == "/Users/ada/lab/deep/n")
            #expect(try await bob.list("/Users") == ["/Users/ada", "/Users/bob"])
            #expect(try await bob.list("/Users/ada") == ["/Users/ada/lab"])
            #expect(try await bob.list("/Users/ada/lab") == ["/Users/ada/lab/deep"])
            #expect(await errorCode { _ = try await bob.read("/Users/ada/lab/other") } == "PERMISSION_DENIED")
            #expect(await errorCode { _ = try await bob.save("/Users/ada/lab/deep/new") } == "PERMISSION_DENIED")
            // It moves with the folder, and ends with the membership.
            _ = try await ada.client.call(
                WorkspaceAPI.moveObject,
                .init(body: MoveObject(sourcePath: "/Users/ada/lab/deep", destinationPath: "/Users/ada/moved")))
            #expect(try await bob.list("/Users/ada/moved") == ["/Users/ada/moved/n"])
            _ = try await workspace.user.call(
                WorkspaceAPI.removeGroupMember, .init(groupName: "crew", userName: "bob"))
            #expect(await errorCode { _ = try await bob.list("/Users/ada/moved") } == "PERMISSION_DENIED")
            #expect(try await bob.list("/Users") == ["/Users/bob"])
        }
    }

    @Test func whatIsGivenMustExistAndBeNamedOnce() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let object = try await ada.save("/Users/ada/n")
            func give(_ entries: [AccessControl], type: String = "notebooks") async -> String {
                await errorCode {
                    _ = try await ada.client.call(
                        WorkspaceAPI.setPermissions,
                        .init(
                            objectType: type, objectID: "\(object.objectID)",
                            body: ChangePermissions(accessControlList: entries)))
                }
            }
            let read = PermissionLevel.canRead
            #expect(await give([.init(userName: "nobody", permissionLevel: read)]) == "RESOURCE_DOES_NOT_EXIST")
            #expect(await give([.init(groupName: "nobody", permissionLevel: read)]) == "RESOURCE_DOES_NOT_EXIST")
            for entry in [
                AccessControl(permissionLevel: read),
                AccessControl(userName: "ada", groupName: "users", permissionLevel: read),
                AccessControl(userName: "ada", permissionLevel: .canAttachTo),
            ] { #expect(await give([entry]) == "INVALID_PARAMETER_VALUE") }
            let twice = AccessControl(userName: "ada", permissionLevel: read)
            #expect(await give([twice, twice]) == "INVALID_PARAMETER_VALUE")
            #expect(await give([twice], type: "planets") == "INVALID_PARAMETER_VALUE")
        }
    }

    /// Goal: what a service asks on behalf of a user is asked with that user's rights.
    @Test func servicesReadForUsersWhatTheyMayRead() async throws {
        try await Workspace.run(secretKey: "the key of the tests") { workspace in
            let ada = try await workspace.makeUser("ada")
            try await workspace.makeUser("bob")
            _ = try await ada.save("/Users/ada/n")
            let service = workspace.service.client
            let input = WorkspaceAPI.ReadContentInput(path: "/Users/ada/n")
            _ = try await service.call(WorkspaceAPI.readContent, input)
            _ = try await service.call(WorkspaceAPI.readContent, input, context: CallContext(user: "ada"))
            for user in ["bob", "nobody"] {
                #expect(
                    await errorCode {
                        _ = try await service.call(WorkspaceAPI.readContent, input, context: CallContext(user: user))
                    } == "PERMISSION_DENIED")
            }
            // A service has no rights for somebody who is not there.
            #expect(
                await errorCode {
                    _ = try await service.call(
                        WorkspaceAPI.createUser, .init(body: CreateUser(userName: "eve")),
                        context: CallContext(user: "nobody"))
                } == "PERMISSION_DENIED")
            _ = try await ada.client.call(
                WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: "vault")))
            _ = try await ada.client.call(
                WorkspaceAPI.putSecret, .init(body: PutSecret(scope: "vault", key: "k", stringValue: "v")))
            let wanted = WorkspaceAPI.ResolveSecretsInput(
                body: ResolveSecrets(secrets: [SecretReference(scope: "vault", key: "k")]))
            _ = try await service.call(WorkspaceAPI.resolveSecrets, wanted, context: CallContext(user: "ada"))
            #expect(
                await errorCode {
                    _ = try await service.call(WorkspaceAPI.resolveSecrets, wanted, context: CallContext(user: "bob"))
                } == "PERMISSION_DENIED")
            try await workspace.give(.read, on: "secret-scopes", "vault", to: "bob")
            _ = try await service.call(WorkspaceAPI.resolveSecrets, wanted, context: CallContext(user: "bob"))
            // Who was given what is in the log, and who was not.
            let told = try await workspace.user.call(
                WorkspaceAPI.listAuditEvents, .init(action: "resolveSecrets")
            ).events
            #expect(told.map(\.userName) == ["bob", "bob", "ada"] && told.map(\.status) == [200, 403, 200])
            #expect(told.allSatisfy { $0.object == "secret vault/k" }, "\(told.map(\.object))")
            _ = try await workspace.send(.get, "/api/v1/workspace/export-zip?path=/Shared").collect()
            let out = try await workspace.user.call(WorkspaceAPI.listAuditEvents, .init(action: "exportFolder")).events
            #expect(out.map(\.object) == ["/Shared"] && out.map(\.userName) == ["admin"])
            // A scope of that name that somebody makes later is theirs alone.
            _ = try await ada.client.call(
                WorkspaceAPI.deleteSecretScope, .init(body: DeleteSecretScope(scope: "vault")))
            _ = try await ada.client.call(
                WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: "vault")))
            let bob = try await workspace.person("bob")
            #expect(try await bob.client.call(WorkspaceAPI.listSecretScopes, .init()).scopes.isEmpty)
        }
    }

    @Test func listsOfOtherServicesShowWhatOneMaySee() async throws {
        try await Neighbours().run { workspace in
            try await workspace.makeUser("owner")
            let owner = try await workspace.person("owner")
            let bob = try await workspace.makeUser("bob")
            func seen(_ person: Person) async throws -> [[String]] {
                var all: [[String]] = []
                for (path, field, id) in [
                    ("clusters", "clusters", "cluster_id"), ("jobs", "jobs", "job_id"), ("runs", "runs", "run_id"),
                ] {
                    let answer = try await workspace.send(
                        .get, "/api/v1/\(path)", fields: ["authorization": "Bearer \(person.token)"])
                    let list = try JSONValue(json: try await answer.collect())[field]?.array ?? []
                    all.append(list.map { $0[id]?.string ?? "\($0[id]?.int64 ?? 0)" })
                }
                return all
            }
            func status(_ method: HTTPMethod, _ path: String) async throws -> Int {
                try await workspace.send(method, path, fields: ["authorization": "Bearer \(bob.token)"]).status
            }
            #expect(try await seen(owner) == [["c1", "c3"], ["1"], ["11", "13"]])
            // A run that bob began with a right on its job that he does not have any more is not his.
            #expect(try await seen(bob) == [[], [], []])
            #expect(try await status(.get, "/api/v1/runs/13") == 403)
            #expect(try await status(.post, "/api/v1/runs/13/cancel") == 403)
            #expect(try await status(.post, "/api/v1/runs/13/repair") == 403)
            try await workspace.give(.canView, on: "jobs", "1", to: "bob")
            // The cluster that a run of the job has is seen with it.
            #expect(try await seen(bob) == [["c3"], ["1"], ["11", "13"]])
            #expect(try await status(.get, "/api/v1/runs/13") == 200)
            #expect(try await status(.post, "/api/v1/runs/13/cancel") == 403)
            try await workspace.give(.canAttachTo, on: "clusters", "c2", to: "bob")
            #expect(try await seen(bob) == [["c2", "c3"], ["1"], ["11", "13"]])
        }
    }

    /// Goal: the list of deleted jobs shows what its reader may bring back, and nothing else.
    @Test func deletedJobsAreSeenByWhoMayRestoreThem() async throws {
        try await Neighbours().run { workspace in
            try await workspace.makeUser("owner")
            let owner = try await workspace.person("owner")
            let bob = try await workspace.makeUser("bob")
            let eve = try await workspace.makeUser("eve", role: .viewer)
            func seen(_ person: Person) async throws -> [Int64] {
                let answer = try await workspace.send(
                    .get, "/api/v1/jobs/deleted", fields: ["authorization": "Bearer \(person.token)"])
                #expect(answer.status == 200)
                let list = try JSONValue(json: try await answer.collect())
                #expect(list["retention_days"]?.int64 == 60)
                return list["jobs"]?.array?.compactMap { $0["job_id"]?.int64 } ?? []
            }
            #expect(try await seen(owner) == [1])
            for level in [PermissionLevel.canView, .canManageRun] {
                try await workspace.give(level, on: "jobs", "1", to: "bob")
                #expect(try await seen(bob) == [], "\(level) does not restore it")
            }
            try await workspace.give(.canManage, on: "jobs", "1", to: "bob")
            #expect(try await seen(bob) == [1])
            try await workspace.give(.canManage, on: "jobs", "1", to: "eve")
            #expect(try await seen(eve) == [], "a viewer restores nothing")
            #expect(
                try await workspace.send(
                    .post, "/api/v1/jobs/1/restore", fields: ["authorization": "Bearer \(eve.token)"]
                ).status == 403)
        }
    }

    /// Goal: a job is no way to use a cluster that one may not use.
    @Test func aJobUsesWhatItsMakerMayUse() async throws {
        try await Neighbours().run { workspace in
            let bob = try await workspace.makeUser("bob")
            func submit(_ path: String, _ body: String) async throws -> Int {
                try await workspace.send(
                    .post, path,
                    fields: ["authorization": "Bearer \(bob.token)", "content-type": "application/json"],
                    body: .bytes(Array(body.utf8))
                ).status
            }
            let task = #"{"task_key":"a","existing_cluster_id":"c1"}"#
            let nested = #"{"task_key":"a","for_each_task":{"task":\#(task)}}"#
            for tasks in [task, nested, #"{"task_key":"a","run_job_task":{"job_id":1}}"#] {
                #expect(try await submit("/api/v1/jobs", #"{"name":"j","tasks":[\#(tasks)]}"#) == 403)
                #expect(try await submit("/api/v1/runs/submit", #"{"tasks":[\#(tasks)]}"#) == 403)
            }
            #expect(try await submit("/api/v1/jobs", #"{"name":"j","tasks":[]}"#) == 200)
            try await workspace.give(.canAttachTo, on: "clusters", "c1", to: "bob")
            #expect(try await submit("/api/v1/jobs", #"{"name":"j","tasks":[\#(nested)]}"#) == 200)
        }
    }

    /// Goal: who may change a job or a cluster of somebody's gets at nothing of theirs by that.
    @Test func whatUsesItsMakersRightsIsChangedWithOnesOwn() async throws {
        try await Neighbours().run { workspace in
            let owner = try await workspace.makeUser("owner")
            let bob = try await workspace.makeUser("bob")
            _ = try await owner.client.call(
                WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: "vault")))
            _ = try await owner.save("/Users/owner/private")
            _ = try await bob.save("/Users/bob/mine")
            try await workspace.give(.canManage, on: "jobs", "1", to: "bob")
            try await workspace.give(.canManage, on: "clusters", "c1", to: "bob")
            func ask(_ method: HTTPMethod, _ path: String, _ body: String) async throws -> Int {
                try await workspace.send(
                    method, path,
                    fields: ["authorization": "Bearer \(bob.token)", "content-type": "application/json"],
                    body: .bytes(Array(body.utf8))
                ).status
            }
            let secret = #"{"spark_env_vars":{"S":"x{{secrets/vault/k}}"}}"#
            for (task, status) in [
                (#"{"new_cluster":\#(secret)}"#, 403),
                (#"{"notebook_task":{"notebook_path":"/Users/owner/private"}}"#, 403),
                (#"{"spark_python_task":{"python_file":"/Users/owner/private"}}"#, 403),
                (#"{"sql_task":{"file":"/Users/owner/private"}}"#, 403),
                (#"{"for_each_task":{"task":{"shell_task":{"command":"echo {{secrets/vault/k}}"}}}}"#, 403),
                (#"{"notebook_task":{"notebook_path":"/Users/bob/mine"}}"#, 200),
                (#"{"notebook_task":{"notebook_path":"/Shared/{{job.parameters.x}}"}}"#, 200),
            ] {
                #expect(try await ask(.put, "/api/v1/jobs/1", #"{"tasks":[\#(task)]}"#) == status, "\(task)")
            }
            let completion = #"{"trigger":{"job_completion":{"job_id":9}}}"#
            #expect(try await ask(.put, "/api/v1/jobs/1", completion) == 403)
            #expect(try await ask(.post, "/api/v1/clusters/c1/edit", #"{"spec":\#(secret)}"#) == 403)
            let script = #"{"spec":{"init_scripts":[{"workspace":{"destination":"/Users/owner/private"}}]}}"#
            #expect(try await ask(.post, "/api/v1/clusters/c1/edit", script) == 403)
            #expect(try await ask(.post, "/api/v1/clusters", script) == 403)
            // Clusters of runs are made by the scheduler alone.
            for name in [#""owner":"run/1""#, #""cluster_id":"run-1-t0-0""#] {
                #expect(try await ask(.post, "/api/v1/clusters", "{\(name)}") == 400)
            }
            #expect(try await ask(.post, "/api/v1/clusters", #"{"cluster_id":"mine"}"#) == 200)
        }
    }

    /// Goal: whoever is at a path today has no right to what was deleted there before.
    @Test func whatWasDeletedIsNobodysAtItsPath() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let bob = try await workspace.makeUser("bob")
            let object = try await ada.save("/Users/ada/lab/n")
            _ = try await ada.client.call(
                WorkspaceAPI.deleteObject, .init(body: DeleteObject(path: "/Users/ada/lab", recursive: true)))
            _ = try await ada.save("/Users/ada/lab/other")
            let lab = try await workspace.objectID("/Users/ada/lab")
            try await workspace.give(.canRead, on: "directories", "0\(lab)", to: "bob")
            _ = try await bob.read("/Users/ada/lab/other")
            for person in [ada, bob] {
                #expect(
                    await errorCode {
                        _ = try await person.client.call(
                            WorkspaceAPI.listRevisions, .init(notebookID: object.objectID))
                    } == "RESOURCE_DOES_NOT_EXIST")
            }
        }
    }

    /// Goal: what is decided on is what the handler reads, whatever else the request says.
    @Test func aRequestCannotSayTwoThings() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            try await workspace.save("/Users/admin/n", "print(1)\n", format: .source, language: "PYTHON")
            func ask(_ method: HTTPMethod, _ target: String, _ body: String? = nil) async throws -> Int {
                var fields: HTTPFields = ["authorization": "Bearer \(ada.token)"]
                if body != nil { fields.append("content-type", "application/json") }
                return try await workspace.send(
                    method, target, fields: fields, body: body.map { .bytes(Array($0.utf8)) } ?? .empty
                ).status
            }
            for query in [
                "path=/Users/ada&path=/Users/admin", "path=%2FUsers%2Fadmin%2F", "pat%68=/Users/admin",
                "path=/Users/ada/../admin", "path=/Users//admin",
            ] {
                #expect([400, 403].contains(try await ask(.get, "/api/v1/workspace/list?\(query)")), "\(query)")
            }
            for body in [
                #"{"path":"/Users/ada/x","path":"/Users/admin/n"}"#, #"{"p\u0061th":"/Users/admin/n"}"#,
                #"{"path":null,"path":"/Users/admin/n"}"#, #"[{"path":"/Users/admin/n"}]"#, "", "{",
            ] {
                #expect(
                    [400, 403].contains(try await ask(.post, "/api/v1/workspace/delete", body)), "\(body)")
            }
            #expect(try await workspace.list("/Users/admin") == ["/Users/admin/n"])
        }
    }
}
