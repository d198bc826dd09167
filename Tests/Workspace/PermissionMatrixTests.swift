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

/// Who may call what. Written down here a second time, by hand, so that no rule changes unnoticed and no route comes
/// without one.
@Suite("The permission matrix")
struct PermissionMatrixTests {
    /// What an operation asks for: `open` to everybody, `known` to whoever signed in, `member` to whoever is no viewer,
    /// `admin`, `service`, `uploader`, or a level on the sample object.
    static let matrix: [String: String] = {
        var matrix: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            for word in words.dropFirst(2) { matrix["\(words[0]).\(word)"] = words[1] }
        }
        return matrix
    }()

    private static let text = """
        workspace open createSession getSession deleteSession createAccessToken
        workspace known getMe listUsers getUser listGroups getGroup createToken listTokens revokeToken listSecretScopes
        workspace known listNotebooks getDashboardStats getDashboardTrends getDashboard
        workspace member createSecretScope createNotebook submitJob
        workspace admin createUser editUser deleteUser createGroup deleteGroup addGroupMember removeGroupMember
        workspace admin setPassword listAuditEvents getStorage
        workspace view getPermissions getPermissionLevels exportObject listObjects getObject getNotebook listRevisions
        workspace view searchWorkspace exportFolder
        workspace known listUploads
        workspace view downloadFile previewFile
        workspace edit createUpload uploadForm
        workspace uploader getUpload writeUpload abortUpload completeUpload importFolder
        workspace view listSecrets getNotebookExecution getCellOutputs streamNotebookEvents exportNotebook
        workspace view getJobLogs getJobSparkPage
        workspace run runCells attachNotebook interruptNotebook restartKernel executeCell killJob restartJob
        workspace run completeInNotebook inspectInNotebook changeWidgets
        workspace edit saveNotebook importNotebook addCell deleteCell
        workspace edit importObject makeDirectories putSecret deleteSecret
        workspace manage setPermissions updatePermissions deleteObject moveObject deleteSecretScope
        workspace manage deleteNotebook
        workspace known listTrash
        workspace edit copyObject
        workspace restorer restoreDeletion purgeDeletion
        workspace service readContent readRevision resolveSecrets checkRuns
        cluster known listClusters listBackends listNodeTypes listPolicies getPolicy listPools getPool
        cluster member createCluster validateCluster
        cluster admin putPolicy deletePolicy listQuotas getQuota putQuota deleteQuota createPool editPool deletePool
        cluster view getCluster watchCluster listClusterEvents streamClusterLogs listClusterLogs listLibraryStatuses
        cluster run createContext listContexts getContext deleteContext executeCommand getCommand cancelCommand
        cluster run completeCode inspectCode
        cluster run streamCommandEvents runCommand readCommandOverflow getSparkPage postSparkPage
        cluster edit startCluster restartCluster terminateCluster
        cluster manage deleteCluster resizeCluster editCluster pinCluster unpinCluster installLibraries
        cluster manage uninstallLibraries
        cluster service scrapeDrivers streamClusterChanges confirmCommands
        scheduler known listJobs listDeletedJobs listRuns
        scheduler member createJob checkJob submitRun
        scheduler view getJob getJobStats listBackfills getBackfill getRun getTaskOutput streamRunEvents
        scheduler run runNow createBackfill cancelBackfill cancelRun repairRun
        scheduler manage updateJob deleteJob restoreJob
        scheduler service streamRunChanges streamJobChanges getJobOwner listJobOwners countRuns
        monitoring known listTargets listMetricNames queryMetrics getMonitoringOverview
        monitoring admin getServiceLog
        """

    /// The contract's routes, and Spark's own pages, which are in no contract.
    static let routes: [EndpointRoute] = {
        let pages = ["spark-ui", "spark-history"].flatMap { pages in
            [HTTPMethod.get, .post].map { method in
                EndpointRoute(
                    service: "cluster", operationID: method == .get ? "getSparkPage" : "postSparkPage", method: method,
                    path: "/api/v1/clusters/{cluster_id}/\(pages)/{path...}", isIdempotent: true)
            }
        }
        return WorkspaceAPI.routes + ClusterAPI.routes + SchedulerAPI.routes + MonitoringAPI.routes + pages
    }()

    static func key(_ route: EndpointRoute) -> String { "\(route.service).\(route.operationID)" }

    @Test func everyRouteIsInTheMatrix() {
        let served = Set(PermissionMatrixTests.routes.map(PermissionMatrixTests.key))
        let written = Set(PermissionMatrixTests.matrix.keys)
        #expect(served.subtracting(written).sorted() == [], "say in the matrix who may call these")
        #expect(written.subtracting(served).sorted() == [], "these are no routes any more")
        let ruled = Set(AccessTable.rules.keys)
        #expect(served.subtracting(ruled).sorted() == [], "say in AccessTable who may call these")
        #expect(ruled.subtracting(served).sorted() == [], "these are no routes any more")
    }

    // MARK: The cast

    /// Who asks, and the highest level each has on the samples. `watcher` was given all levels, but is a viewer.
    private static let cast: [(name: String, role: UserRole, level: AccessLevel)] = [
        ("stranger", .user, .none), ("watcher", .viewer, .view), ("reader", .user, .view), ("runner", .user, .run),
        ("editor", .user, .edit), ("manager", .user, .manage), ("owner", .user, .manage), ("root", .admin, .manage),
    ]

    private static let folder = "/Users/owner/lab"

    private static func expects(_ rule: String, _ person: (name: String, role: UserRole, level: AccessLevel)) -> Bool {
        switch rule {
        case "open", "known": true
        case "member": person.role != .viewer
        case "admin": person.role == .admin
        case "service": false
        // Uploads are their user's own; that of the samples is the owner's.
        case "uploader": person.name == "owner" || person.role == .admin
        // Everybody who may manage the folder that it was in.
        case "restorer": person.level >= .manage
        case "view": person.level >= .view
        case "run": person.level >= .run
        case "edit": person.level >= .edit
        default: person.level >= .manage
        }
    }

    /// Gives everybody what the cast says.
    private static func prepare(_ workspace: Workspace) async throws -> [String: Person] {
        var people: [String: Person] = [:]
        for person in cast { people[person.name] = try await workspace.makeUser(person.name, role: person.role) }
        let owner = try #require(people["owner"])
        _ = try await owner.save("\(folder)/n")
        _ = try await owner.save("\(folder)/there")
        _ = try await owner.save("\(folder)/spare")
        try await makeScope(workspace, owner)
        let id = try await workspace.objectID(folder)
        for name in ["watcher", "manager"] {
            try await workspace.give(.canManage, on: "directories", id, to: name)
            try await workspace.give(.canManage, on: "jobs", "1", to: name)
        }
        for (name, tree, job) in [
            ("reader", PermissionLevel.canRead, PermissionLevel.canView), ("runner", .canRun, .canManageRun),
            ("editor", .canEdit, .canManageRun),
        ] {
            try await workspace.give(tree, on: "directories", id, to: name)
            try await workspace.give(job, on: "jobs", "1", to: name)
        }
        try await giveCluster(workspace)
        return people
    }

    private static func giveCluster(_ workspace: Workspace) async throws {
        for (name, level) in [
            ("watcher", PermissionLevel.canManage), ("manager", .canManage), ("reader", .canView),
            ("runner", .canAttachTo), ("editor", .canRestart),
        ] { try await workspace.give(level, on: "clusters", "c1", to: name) }
    }

    /// Makes again what an operation has taken away from whoever comes next.
    private static func restore(
        after route: EndpointRoute, _ workspace: Workspace, _ people: [String: Person]
    ) async throws {
        switch route.operationID {
        case "deleteCluster": try await giveCluster(workspace)
        case "deleteSecretScope":
            let scopes = try await workspace.user.call(WorkspaceAPI.listSecretScopes, .init()).scopes
            if scopes.isEmpty { try await makeScope(workspace, try #require(people["owner"])) }
        default: return
        }
    }

    /// The address and body with an upload of the owner's in them, or with something the owner has deleted: each is made
    /// for one request, which may end it.
    private static func sample(
        of target: String, _ body: String?, _ rule: String, _ people: [String: Person]
    ) async throws -> (String, String?) {
        let owner = try #require(people["owner"])
        switch rule {
        case "uploader":
            let upload = try await owner.client.call(
                WorkspaceAPI.createUpload, .init(body: CreateUpload(path: "\(folder)/sample.csv", size: 1)))
            let id = upload.uploadID
            return (target.replacing("{upload_id}", with: id), body?.replacing("{upload_id}", with: id))
        case "restorer":
            let path = "\(folder)/gone-\(Identifier.make())"
            _ = try await owner.save(path)
            let gone = try await owner.client.call(
                WorkspaceAPI.deleteObject, .init(body: DeleteObject(path: path)))
            return (target.replacing("{deletion_id}", with: "\(gone.deletionID)"), body)
        default: return (target, body)
        }
    }

    private static func makeScope(_ workspace: Workspace, _ owner: Person) async throws {
        _ = try await owner.client.call(WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: "vault")))
        for (name, level) in [
            ("watcher", PermissionLevel.manage), ("manager", .manage), ("reader", .read), ("runner", .read),
            ("editor", .write),
        ] { try await workspace.give(level, on: "secret-scopes", "vault", to: name) }
    }

    // MARK: Requests

    /// A request that the contract allows, about the samples.
    private static func target(_ route: EndpointRoute, _ ids: [String: String]) -> String {
        var path = route.path
        // It is gone afterwards, and the others are still wanted.
        if route.operationID == "deleteNotebook" { path = path.replacing("{notebook_id}", with: ids["spare"] ?? "") }
        for (name, value) in ids { path = path.replacing("{\(name)}", with: value) }
        let query: String? =
            switch route.operationID {
            case "exportObject", "readContent", "downloadFile", "previewFile": "path=\(folder)/n"
            case "uploadForm": "path=\(folder)"
            case "writeUpload": "offset=0"
            case "listObjects", "getObject", "exportFolder": "path=\(folder)"
            case "searchWorkspace": "path=\(folder)&query=print"
            case "listSecrets": "scope=vault"
            case "listLibraryStatuses": "cluster_id=c1"
            case "queryMetrics": "name=up"
            default: nil
            }
        return query.map { "\(path)?\($0)" } ?? path
    }

    private static let bodies: [String: String] = [
        "createSession": #"{"token":"wrong"}"#, "createAccessToken": "{}",
        "createUser": #"{"user_name":"new-one"}"#, "editUser": "{}", "setPassword": #"{"password":"12345678"}"#,
        "createGroup": #"{"group_name":"new-ones"}"#, "createToken": "{}", "revokeToken": #"{"token_id":"0"}"#,
        "importObject": #"{"path":"\#(folder)/n","content":"eA==","format":"SOURCE","language":"PYTHON"}"#,
        "importFolder": #"{"upload_id":"{upload_id}","path":"\#(folder)"}"#,
        "makeDirectories": #"{"path":"\#(folder)"}"#, "deleteObject": #"{"path":"\#(folder)"}"#,
        "moveObject": #"{"source_path":"\#(folder)/n","destination_path":"\#(folder)/there"}"#,
        "copyObject": #"{"source_path":"\#(folder)/n","destination_path":"\#(folder)/there"}"#,
        "createUpload": #"{"path":"\#(folder)/data.csv","size":1}"#,
        "importNotebook": #"{"path":"\#(folder)/n","content":"eA==","format":"SOURCE","language":"PYTHON"}"#,
        "createNotebook": #"{"name":"made"}"#, "addCell": #"{"source":"x"}"#,
        "submitJob": #"{"name":"made","code":"x"}"#, "createSecretScope": #"{"scope":"vault"}"#,
        "deleteSecretScope": #"{"scope":"vault"}"#,
        "putSecret": #"{"scope":"vault","key":"k","string_value":"v"}"#,
        "deleteSecret": #"{"scope":"vault","key":"none"}"#,
        "checkRuns": #"{"runs":[]}"#,
        "completeInNotebook": #"{"code":"x","cursor_pos":1}"#, "inspectInNotebook": #"{"code":"x","cursor_pos":1}"#,
        "resolveSecrets": #"{"secrets":[{"scope":"vault","key":"k"}]}"#,
        "updatePermissions": #"{"access_control_list":[]}"#,
        "installLibraries": #"{"cluster_id":"c1","libraries":[{"jar":"/a.jar"}]}"#,
        "uninstallLibraries": #"{"cluster_id":"c1","libraries":[{"jar":"/a.jar"}]}"#,
    ]

    private static func body(_ route: EndpointRoute, _ permissions: String) -> String? {
        if route.operationID == "setPermissions" { return permissions }
        if let body = bodies[route.operationID] { return body }
        return route.method == .get || route.method == .delete ? nil : "{}"
    }

    /// The permissions of the samples once more, so that replacing them changes nothing.
    private static func permissions() -> String {
        let given = [
            ("watcher", "CAN_MANAGE"), ("manager", "CAN_MANAGE"), ("reader", "CAN_READ"), ("runner", "CAN_RUN"),
            ("editor", "CAN_EDIT"),
        ]
        let list = given.map { JSONValue.object(["user_name": .string($0.0), "permission_level": .string($0.1)]) }
        return JSONValue.object(["access_control_list": .array(list)]).jsonText()
    }

    @Test func everyRouteRefusesWhomItShould() async throws {
        let neighbours = Neighbours()
        let storage = try TemporaryDirectory()
        try await neighbours.run(more: ["--storage-folder", storage.path]) { workspace in
            let people = try await PermissionMatrixTests.prepare(workspace)
            _ = try await workspace.user.call(
                WorkspaceAPI.createGroup, .init(body: CreateGroup(groupName: "crew", members: ["owner"])))
            let ids = [
                "cluster_id": "c1", "job_id": "1", "run_id": "11", "backfill_id": "5", "task_key": "a",
                "user_name": "victim", "group_name": "crew", "object_type": "directories",
                "object_id": try await workspace.objectID(PermissionMatrixTests.folder),
                "notebook_id": try await workspace.objectID(PermissionMatrixTests.folder + "/n"),
                "context_id": "x", "command_id": "m", "policy_id": "p", "instance_pool_id": "i", "revision_id": "1",
                "path...": "jobs/", "service_name": "scheduler",
                "spare": try await workspace.objectID(PermissionMatrixTests.folder + "/spare"),
            ]
            for route in PermissionMatrixTests.routes {
                let rule = try #require(PermissionMatrixTests.matrix[PermissionMatrixTests.key(route)])
                if route.isInternal && route.service != "workspace" {
                    // It is not served at all.
                    let answer = try await workspace.send(route.method, route.path)
                    #expect(answer.status == 404)
                    continue
                }
                let target = PermissionMatrixTests.target(route, ids)
                let body = PermissionMatrixTests.body(route, PermissionMatrixTests.permissions())
                _ = neighbours.takeSeen()
                let anonymous = try await PermissionMatrixTests.ask(workspace, route, target, body, token: nil)
                if rule != "open" { #expect(anonymous == 401, "\(route.operationID), anonymous") }
                for member in PermissionMatrixTests.cast {
                    let person = try #require(people[member.name])
                    let (sample, content) = try await PermissionMatrixTests.sample(of: target, body, rule, people)
                    let status = try await PermissionMatrixTests.ask(
                        workspace, route, sample, content, token: person.token)
                    let isAllowed = PermissionMatrixTests.expects(rule, member)
                    // An open route may know nobody of that token or password; it never says that one may not.
                    if rule == "open" {
                        #expect(status != 403, "\(route.operationID), \(member.name)")
                    } else {
                        #expect(
                            isAllowed ? ![401, 403].contains(status) : status == 403,
                            "\(route.operationID), \(member.name): \(status)")
                    }
                    try await PermissionMatrixTests.restore(after: route, workspace, people)
                    let seen = neighbours.takeSeen()
                    #expect(isAllowed || seen.isEmpty, "\(route.operationID) got through for \(member.name): \(seen)")
                }
            }
        }
    }

    private static func ask(
        _ workspace: Workspace, _ route: EndpointRoute, _ target: String, _ body: String?, token: String?
    ) async throws -> Int {
        var fields: HTTPFields = ["authorization": token.map { "Bearer \($0)" } ?? ""]
        if body != nil { fields.append("content-type", "application/json") }
        let response = try await workspace.send(
            route.method, target, fields: fields, body: body.map { .bytes(Array($0.utf8)) } ?? .empty)
        // This stream has no end.
        if route.operationID == "streamNotebookEvents", response.status == 200 {
            response.body.discard()
        } else {
            _ = try await response.collect()
        }
        return response.status
    }
}
