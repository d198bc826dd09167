import Core
import EventLoop
import HTTPMessage
import HTTPServer
import Synchronization
import TestSupport
import Testing

/// Databricks as `schemas/databricks` has it: answers with the shapes there, and takes nothing that is not in them.
///
/// The source of a command chooses its result: `text`, `table`, `image`, `error`, `truncated`, or `hang` until cancelled.
actor ScriptedDatabricks {
    static let token = "dapi0123456789abcdef"

    private struct Shape: Sendable {
        var required: [String: String]
        var optional: [String: String]
        var response: JSONValue
    }
    private struct Command {
        var source: String
        var polls = 0
        var isCancelled = false
    }

    private nonisolated let loop: EventLoop
    private let shapes: [String: Shape]
    private let results: JSONValue
    private var clusters: [String: JSONObject] = [:]
    private var contexts: Set<String> = []
    private var commands: [String: Command] = [:]
    private var next = 1
    /// What was not as the shapes have it.
    private(set) var violations: [String] = []
    /// How often each source was taken.
    private(set) var runs: [String: Int] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private static let folder =
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/schemas/databricks"
    private static let operations = [
        "clusters-create", "clusters-get", "clusters-list", "clusters-permanent-delete", "clusters-delete",
        "clusters-resize",
        "clusters-spark-versions", "clusters-list-node-types", "contexts-create", "contexts-status", "contexts-destroy",
        "commands-execute", "commands-status", "commands-cancel",
    ]

    static func read(_ name: String) throws -> JSONValue {
        try JSONValue(json: Array(try runCommand(["cat", "\(folder)/\(name).json"]).utf8))
    }

    init(loop: EventLoop) throws {
        self.loop = loop
        var shapes: [String: Shape] = [:]
        for name in ScriptedDatabricks.operations {
            let file = try ScriptedDatabricks.read(name)
            func fields(_ kind: String) -> [String: String] {
                (file["request"]?[kind]?.object ?? [:]).reduce(into: [:]) { $0[$1.key] = $1.value.string }
            }
            let key = "\(file["method"]?.string ?? "") \(file["path"]?.string ?? "")"
            shapes[key] = Shape(
                required: fields("required"), optional: fields("optional"), response: file["response"] ?? .null)
        }
        self.shapes = shapes
        results = try ScriptedDatabricks.read("results")
    }

    nonisolated var handler: Door { Door(databricks: self) }

    struct Door: HTTPHandler {
        let databricks: ScriptedDatabricks
        func route(for request: HTTPRequest) throws(HarbourError) -> HTTPRoute {
            HTTPRoute(
                action: .async { request in
                    await databricks.answer(request, try await request.body.collect(limit: 1 << 20))
                })
        }
    }

    /// The cluster dies there.
    func end(_ id: String) {
        clusters[id]?["state"] = "TERMINATED"
        clusters[id]?["state_message"] = "The driver was lost."
        clusters[id]?["termination_reason"] = ["code": "DRIVER_UNREACHABLE", "type": "SERVICE_FAULT"]
    }

    var clusterIDs: [String] { clusters.keys.sorted() }

    // MARK: Strictness

    private func answer(_ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse {
        guard request.fields["authorization"] == "Bearer \(ScriptedDatabricks.token)" else {
            return fail(401, ["error_code": "UNAUTHENTICATED", "message": "Invalid access token."])
        }
        let key = "\(request.method) \(request.path)"
        guard let shape = shapes[key] else { return violate("no such operation: \(key)") }
        var fields = JSONObject()
        if request.method == .get {
            for item in (request.query ?? "").split(separator: "&") {
                let parts = item.split(separator: "=", maxSplits: 1)
                fields[String(parts[0])] = .string(parts.count > 1 ? String(parts[1]) : "")
            }
        } else {
            guard request.fields["content-type"] == "application/json",
                let object = (try? JSONValue(json: body))?.object
            else { return violate("\(key): not JSON") }
            fields = object
        }
        for (name, value) in fields {
            guard let type = shape.required[name] ?? shape.optional[name] else {
                return violate("\(key): a field \(name)")
            }
            if !ScriptedDatabricks.matches(value, type) { return violate("\(key): \(name) is no \(type)") }
        }
        for name in shape.required.keys where fields[name] == nil { return violate("\(key): no field \(name)") }
        return act(request.path, fields, shape.response.object ?? [:])
    }

    private static func matches(_ value: JSONValue, _ type: String) -> Bool {
        switch type {
        case "string": value.string != nil
        case "integer": value.int64 != nil
        case "strings": value.object?.allSatisfy { $0.value.string != nil } == true
        default: false
        }
    }

    private func violate(_ what: String) -> HTTPResponse {
        violations.append(what)
        return fail(400, ["error_code": "INVALID_PARAMETER_VALUE", "message": .string(what)])
    }

    private func fail(_ status: Int, _ body: JSONValue) -> HTTPResponse { .json(body.encodedJSON(), status: status) }

    // MARK: Behaviour

    private func act(_ path: String, _ fields: JSONObject, _ example: JSONObject) -> HTTPResponse {
        if path.hasPrefix("/api/1.2/") { return execute(path, fields, example) }
        var answer = example
        switch path.split(separator: "/").last {
        case "create":
            let id = "1121-\(next)"
            next += 1
            var cluster = (shapes["GET /api/2.1/clusters/get"]?.response.object ?? [:])
            for (name, value) in fields { cluster[name] = value }
            cluster["cluster_id"] = .string(id)
            cluster["state"] = "PENDING"
            clusters[id] = cluster
            answer["cluster_id"] = .string(id)
        case "get", "delete", "permanent-delete", "resize":
            let id = fields["cluster_id"]?.string ?? ""
            guard let cluster = clusters[id] else {
                return fail(
                    400,
                    [
                        "error_code": "INVALID_PARAMETER_VALUE", "message": .string("Cluster \(id) does not exist"),
                    ])
            }
            if path.hasSuffix("permanent-delete") {
                clusters[id] = nil
            } else if path.hasSuffix("resize") {
                guard cluster["state"] == "RUNNING" else {
                    return fail(
                        400,
                        ["error_code": "INVALID_STATE", "message": .string("Cluster \(id) is in unexpected state")])
                }
                clusters[id]?["state"] = "RESIZING"
                clusters[id]?["num_workers"] = fields["num_workers"]
            } else if path.hasSuffix("get") {
                answer = cluster
                // It runs from the second look on.
                if ["PENDING", "RESIZING"].contains(cluster["state"]?.string) { clusters[id]?["state"] = "RUNNING" }
            }
        case "list":
            answer["clusters"] = .array(clusters.values.map(JSONValue.object))
        default: break
        }
        return .json(JSONValue.object(answer).encodedJSON())
    }

    private func execute(_ path: String, _ fields: JSONObject, _ example: JSONObject) -> HTTPResponse {
        var answer = example
        guard clusters[fields["clusterId"]?.string ?? ""]?["state"] == "RUNNING" else {
            return fail(500, ["error": "ClusterNotReady"])
        }
        if path == "/api/1.2/contexts/create" {
            let id = "context-\(next)"
            next += 1
            contexts.insert(id)
            answer["id"] = .string(id)
            return .json(JSONValue.object(answer).encodedJSON())
        }
        guard let context = fields["contextId"]?.string, contexts.contains(context) else {
            return fail(404, ["error": "ContextNotFound"])
        }
        let command = fields["commandId"]?.string ?? ""
        switch path {
        case "/api/1.2/contexts/destroy": contexts.remove(context)
        case "/api/1.2/commands/execute":
            let id = "command-\(next)"
            next += 1
            let source = fields["command"]?.string ?? ""
            runs[source, default: 0] += 1
            commands[id] = Command(source: source)
            answer["id"] = .string(id)
        case "/api/1.2/commands/status":
            guard let known = commands[command] else { return fail(404, ["error": "CommandNotFound"]) }
            commands[command]?.polls += 1
            answer = status(command, known)
        case "/api/1.2/commands/cancel": commands[command]?.isCancelled = true
        default: break
        }
        return .json(JSONValue.object(answer).encodedJSON())
    }

    private func status(_ id: String, _ command: Command) -> JSONObject {
        if command.isCancelled { return ["id": .string(id), "status": "Cancelled"] }
        if command.polls < 2 || command.source == "hang" {
            return ["id": .string(id), "status": command.polls == 0 ? "Queued" : "Running"]
        }
        return ["id": .string(id), "status": "Finished", "results": results[command.source] ?? ["resultType": "text"]]
    }
}
