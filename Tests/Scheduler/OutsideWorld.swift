import Core
import HTTPMessage
import HTTPServer
import ServiceKit
import Synchronization

/// Other people's addresses: one that hears webhooks, and an Airflow as far as its stable REST API is used.
final class OutsideWorld: Sendable {
    /// A call that came.
    struct Call: Sendable {
        var fields: [String: String]
        var body: [UInt8]
    }
    private struct State {
        var calls: [String: [Call]] = [:]
        /// How often a path still answers with 503.
        var refusals: [String: Int] = [:]
        var dagRuns: [String: String] = [:]
        var configurations: [String: JSONValue] = [:]
        var made = 0
    }
    private let state = Mutex(State())

    /// The calls of a path.
    func calls(_ path: String) -> [Call] { state.withLock { $0.calls[path] ?? [] } }
    /// A path refuses its next calls.
    func refuse(_ path: String, _ count: Int) { state.withLock { $0.refusals[path] = count } }
    /// The states of the runs of DAGs, by `dag/run`.
    var dagRuns: [String: String] { state.withLock { $0.dagRuns } }
    var configurations: [String: JSONValue] { state.withLock { $0.configurations } }
    /// A DAG run comes to its end.
    func finish(_ run: String, _ end: String) { state.withLock { $0.dagRuns[run] = end } }

    func register(_ router: ServiceRouter) {
        router.http.post("/hooks/{name}") { [self] request, parameters in
            let name = parameters["name"]
            let body = try await request.body.collect(limit: 1 << 20)
            var fields: [String: String] = [:]
            for (name, value) in request.fields { fields[name] = value }
            let isRefused = state.withLock { state in
                state.calls[name, default: []].append(Call(fields: fields, body: body))
                guard let left = state.refusals[name], left > 0 else { return false }
                state.refusals[name] = left - 1
                return true
            }
            return isRefused ? HTTPResponse(status: 503) : .json(Array(#"{"ok":true}"#.utf8))
        }
        router.http.post("/api/v1/dags/{dag}/dagRuns") { [self] request, parameters in
            let body = try JSONValue(json: try await request.body.collect(limit: 1 << 20))
            let dag = parameters["dag"]
            guard request.fields["authorization"] == "Basic " + Base64.encode(Array("me:secret".utf8)) else {
                return .json(Array(#"{"title":"Unauthorized"}"#.utf8), status: 401)
            }
            guard dag != "missing" else { return .json(Array(#"{"detail":"DAG not found"}"#.utf8), status: 404) }
            let run = "\(dag)/\(body["dag_run_id"]?.string ?? "")"
            let isKnown = state.withLock { state in
                if state.dagRuns[run] != nil { return true }
                state.dagRuns[run] = "running"
                state.configurations[run] = body["conf"]
                return false
            }
            return .json(Array(#"{"state":"queued"}"#.utf8), status: isKnown ? 409 : 200)
        }
        router.http.get("/api/v1/dags/{dag}/dagRuns/{run}") { [self] _, parameters in
            let run = "\(parameters["dag"])/\(parameters["run"])"
            let state = dagRuns[run] ?? "none"
            return .json(Array(#"{"state":"\#(state)"}"#.utf8))
        }
        router.http.on(.patch, "/api/v1/dags/{dag}/dagRuns/{run}") { [self] _, parameters in
            finish("\(parameters["dag"])/\(parameters["run"])", "failed")
            return .json(Array("{}".utf8))
        }
    }
}
