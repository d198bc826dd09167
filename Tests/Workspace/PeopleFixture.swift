import Core
import HTTPClient
import HTTPMessage
import HTTPServer
import HarbourProtocol
import ServiceClients
import ServiceKit
import ServiceTestKit
import Synchronization
import TestSupport
import Testing

extension Workspace {
    /// Makes a user and a client with a token of theirs.
    @discardableResult
    func makeUser(_ name: String, role: UserRole? = nil, password: String? = nil) async throws -> Person {
        _ = try await user.call(
            WorkspaceAPI.createUser, .init(body: CreateUser(userName: name, role: role, password: password)))
        return try await person(name)
    }

    /// A client with a new token of a user's.
    func person(_ name: String) async throws -> Person {
        let token = try await user.call(
            WorkspaceAPI.createToken, .init(body: CreateToken(comment: "test", userName: name)))
        return Person(
            name: name, token: token.tokenValue, client: try service.client(token: token.tokenValue))
    }

    func give(_ level: PermissionLevel, on type: String, _ id: String, to user: String) async throws {
        _ = try await self.user.call(
            WorkspaceAPI.updatePermissions,
            .init(
                objectType: type, objectID: id,
                body: ChangePermissions(accessControlList: [AccessControl(userName: user, permissionLevel: level)])))
    }

    func objectID(_ path: String) async throws -> String {
        "\(try await user.call(WorkspaceAPI.getObject, .init(path: path)).objectID)"
    }
}

/// A user with a token.
struct Person: Sendable {
    let name: String
    let token: String
    let client: ServiceClient

    func save(_ path: String, _ text: String = "print(1)\n", overwrite: Bool? = nil) async throws -> ObjectInfo {
        try await client.call(
            WorkspaceAPI.importObject,
            .init(
                body: ImportObject(
                    path: path, content: Base64.encode(Array(text.utf8)), format: .source, language: "PYTHON",
                    overwrite: overwrite)))
    }

    func list(_ path: String) async throws -> [String] {
        try await client.call(WorkspaceAPI.listObjects, .init(path: path)).objects.map(\.path)
    }

    func read(_ path: String) async throws -> ExportedObject {
        try await client.call(WorkspaceAPI.exportObject, .init(path: path))
    }
}

/// Services behind the front door that answer everything, and tell what reached them.
final class Neighbours: Sendable {
    /// The operations that arrived with a user's name, other than those that only ask who made something.
    private let seen = Mutex<[String]>([])

    func takeSeen() -> [String] {
        seen.withLock { seen in
            defer { seen = [] }
            return seen
        }
    }

    /// What is asked for by the gate; the answers say who made things.
    private static let answers: [String: String] = [
        "getCluster": #"""
        {"cluster_id":"c1","spec":{"cluster_name":"c"},"backend":"local","state":"RUNNING","state_message":"",
         "creator_user_name":"owner","start_time":1,"last_activity_time":1}
        """#,
        "getJob": #"""
        {"job_id":1,"creator_user_name":"owner","created_time":1,"updated_time":1,
         "settings":{"name":"j","tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/Shared/n"}}]}}
        """#,
        "getJobOwner": #"{"creator_user_name":"owner"}"#,
        "listJobOwners": #"{"owners":[{"job_id":1,"creator_user_name":"owner"}]}"#,
        "getRun": #"""
        {"run_id":11,"job_id":1,"run_name":"r","state":{"life_cycle_state":"TERMINATED","state_message":""},
         "trigger":"ONE_TIME","creator_user_name":"owner","created_time":1,"tasks":[]}
        """#,
        "getBackfill": #"""
        {"backfill_id":5,"job_id":1,"creator_user_name":"owner","created_time":1,"start_time":1,"end_time":2,
         "state":"RUNNING","total":0,"queued":0,"active":0,"succeeded":0,"failed":0}
        """#,
        "listClusters": #"""
        {"clusters":[{"cluster_id":"c1","creator_user_name":"owner"},{"cluster_id":"c2","creator_user_name":"other"},
         {"cluster_id":"c3","creator_user_name":"owner","owner":"run/11"}],"next_page_token":"t"}
        """#,
        "listJobs": #"{"jobs":[{"job_id":1,"creator_user_name":"owner"},{"job_id":2,"creator_user_name":"other"}]}"#,
        "listDeletedJobs": #"""
        {"jobs":[{"job_id":1,"creator_user_name":"owner"},{"job_id":2,"creator_user_name":"other"}],"retention_days":60}
        """#,
        "listRuns": #"""
        {"runs":[{"run_id":11,"job_id":1,"creator_user_name":"owner"},{"run_id":12,"creator_user_name":"other"},
         {"run_id":13,"job_id":1,"creator_user_name":"bob"}]}
        """#,
    ]

    private func definition(_ name: String, _ routes: [EndpointRoute]) -> ServiceDefinition {
        ServiceDefinition(name: name, summary: "A sample.", defaultPort: 0, hasDatabase: false) { _, router in
            let pages = ["spark-ui", "spark-history"].flatMap { pages in
                [HTTPMethod.get, .post].map { method in
                    EndpointRoute(
                        service: name, operationID: "sparkPage", method: method,
                        path: "/api/v1/clusters/{cluster_id}/\(pages)/{path...}", isIdempotent: true)
                }
            }
            for route in routes + (name == "cluster" ? pages : []) {
                router.http.on(route.method, route.path) { [self] (request, _) async throws -> HTTPResponse in
                    if request.fields["x-harbour-user"] != nil {
                        seen.withLock { $0.append("\(name).\(route.operationID)") }
                    }
                    if route.operationID == "sparkPage", let page = SparkPageSample.page(request) { return page }
                    var answer = Neighbours.answers[route.operationID] ?? "{}"
                    // A run of the owner's job that somebody else has begun.
                    if route.operationID == "getRun", request.parameters["run_id"] == "13" {
                        answer = answer.replacing("11", with: "13").replacing("owner", with: "bob")
                    }
                    return .json(Array(answer.utf8))
                }
            }
            return []
        }
    }

    /// Runs the body with a workspace in front of them.
    func run(
        more: [String] = [], _ body: @escaping @Sendable (Workspace) async throws -> Void
    ) async throws {
        try await withService(definition("cluster", ClusterAPI.routes), hasDatabase: false) { cluster in
            try await withService(self.definition("scheduler", SchedulerAPI.routes), hasDatabase: false) { scheduler in
                try await withService(self.definition("monitoring", MonitoringAPI.routes), hasDatabase: false) {
                    monitoring in
                    try await Workspace.run(
                        upstreams: [
                            "cluster": cluster.baseURL, "scheduler": scheduler.baseURL,
                            "monitoring": monitoring.baseURL,
                        ], secretKey: "the key of the tests", more: more, body)
                }
            }
        }
    }
}
