internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol
internal import WebClient

/// Where Airflow is, and who we are there.
struct AirflowClient: Sendable {
    let web: WebClient
    let baseURL: String
    let authorization: String

    init(web: WebClient, baseURL: String, user: String, password: String) {
        self.web = web
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        authorization = "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
    }

    /// Asks the stable REST API (Airflow 2, `/api/v1`).
    func send(_ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil) async throws -> (Int, JSONValue?) {
        var request = WebRequest(method: method, url: "\(baseURL)/api/v1\(path)")
        request.fields["authorization"] = authorization
        request.fields["accept"] = "application/json"
        if let body {
            request.fields["content-type"] = "application/json"
            request.body = .bytes(body.encodedJSON())
        }
        let response = try await web.send(request, deadline: .now + .seconds(60))
        return (response.status, try? JSONValue(json: try await response.collect(limit: 1 << 20)))
    }
}

/// One run of a DAG, named by the attempt that it is for.
struct AirflowRun: Sendable {
    let context: EngineContext
    let client: AirflowClient
    let task: AirflowTask
    let runID: String

    func perform() async throws -> AttemptOutcome {
        let conf = JSONObject((task.conf ?? [:]).mapValues { JSONValue.string($0) })
        let (status, answer) = try await patiently {
            try await client.send(.post, runs, ["dag_run_id": .string(runID), "conf": .object(conf)])
        }
        // 409: an earlier owner of the attempt has made it.
        guard status < 300 || status == 409 else { return refused(status, answer) }
        // Airflow tells nobody of an end; its API has to be asked, less and less often.
        var pause = Duration.milliseconds(500)
        while true {
            let (status, answer) = try await patiently { try await client.send(.get, "\(runs)/\(name(runID))") }
            guard status < 300 else { return refused(status, answer) }
            switch answer?["state"]?.string {
            case "success": return .success()
            case "failed":
                return .failure("AIRFLOW_RUN_FAILED", "The run \(runID) of the DAG \(task.dagID) failed in Airflow.")
            default: break
            }
            try await context.loop.sleep(for: pause)
            pause = min(pause * 2, .seconds(15))
        }
    }

    /// Ends the run in Airflow, as far as Airflow lets us.
    func stop() async {
        let (client, path, task) = (client, "\(runs)/\(name(runID))", task)
        // A task of its own, because ours has been cancelled.
        await Task.immediate(executorPreference: context.loop) {
            do {
                _ = try await client.send(.patch, path, ["state": "failed"])
            } catch {
                Logger("scheduler").warning(
                    "a run of Airflow could not be stopped", ["dag": task.dagID, "error": HarbourError.describe(error)])
            }
        }.value
    }

    private var runs: String { "/dags/\(name(task.dagID))/dagRuns" }

    private func refused(_ status: Int, _ answer: JSONValue?) -> AttemptOutcome {
        let reason = answer?["detail"]?.string ?? answer?["title"]?.string ?? ""
        return .failure("AIRFLOW_REFUSED", "Airflow answered with \(status) for the DAG \(task.dagID). \(reason)")
    }

    /// Goes on while Airflow is away or busy, until the attempt's time is over.
    private func patiently(
        _ ask: @Sendable () async throws -> (Int, JSONValue?)
    ) async throws -> (Int, JSONValue?) {
        try await context.persistently("asking Airflow") {
            let (status, answer) = try await ask()
            guard status < 500 && status != 429 else {
                throw HarbourError(.unavailable, "Airflow answered with \(status).")
            }
            return (status, answer)
        }
    }

    /// A name as one part of a path.
    private func name(_ text: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if plain.contains(byte) {
                bytes.append(byte)
            } else {
                bytes += [37, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
