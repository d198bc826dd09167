internal import ClusterBackend
internal import Core
internal import HTTPMessage
internal import WebClient

/// The calls of the Engine API that clusters need, each with the meanings of its statuses.
extension EngineClient {
    /// The machine behind the engine.
    func info() async throws(HarbourError) -> EngineInfo {
        let answer = try await send(.get, "/info", within: .seconds(20))
        try answer.expect("say what machine it runs on", 200)
        return EngineInfo(answer.body)
    }

    // MARK: Images

    /// The image, or nil when the engine has none of that name.
    func image(_ name: String) async throws(HarbourError) -> EngineImage? {
        let answer = try await send(.get, "/images/\(EngineClient.path(name))/json")
        if answer.status == 404 { return nil }
        try answer.expect("look at the image \(name)", 200)
        return EngineImage(answer.body)
    }

    /// Fetches an image from its registry, telling bytes as they come.
    /// - Throws: `CLUSTER_LAUNCH_FAILED` when there is none, and what `progress` throws.
    func pull(_ name: String, progress: (_ done: Int64, _ total: Int64?) async throws -> Void) async throws {
        let response = try await open(.post, "/images/create", [("fromImage", EngineClient.tagged(name))])
        guard response.status == 200 else {
            throw EngineClient.missing(
                image: name, EngineAnswer(status: response.status, body: try await body(response)))
        }
        var lines = LineCutter()
        var layers = PullProgress()
        for try await bytes in response.body {
            for line in lines.cut(bytes) {
                guard let event = try? JSONValue(checkedJSON: line) else { continue }
                if let problem = event["error"]?.string {
                    throw EngineClient.missing(
                        image: name, EngineAnswer(status: 404, body: ["message": .string(problem)]))
                }
                if layers.take(event) { try await progress(layers.done, layers.total) }
            }
        }
    }

    private static func missing(image name: String, _ answer: EngineAnswer) -> HarbourError {
        HarbourError(
            .launchFailed,
            "The image \(name) is not on the container engine and could not be fetched. Build it with "
                + "deploy/images/build, or name another one.", detail: answer.complaint)
    }

    /// A name without a tag would fetch all tags.
    private static func tagged(_ name: String) -> String {
        let last = name.split(separator: "/").last ?? ""
        return last.contains(":") || last.contains("@") ? name : "\(name):latest"
    }

    /// An image's name in a path: its slashes stay.
    private static func path(_ name: String) -> String {
        name.split(separator: "/", omittingEmptySubsequences: false).map { encode(String($0)) }.joined(separator: "/")
    }

    // MARK: Containers

    /// The containers with all of these labels, ended ones included.
    func containers(_ labels: [String]) async throws(HarbourError) -> [EngineContainer] {
        let answer = try await send(
            .get, "/containers/json", [("all", "1"), ("filters", EngineClient.filters(["label": labels]))])
        try answer.expect("list containers", 200)
        return (answer.body.array ?? []).compactMap { EngineContainer(listed: $0) }
    }

    /// All about one container, or nil when there is none of that name.
    func container(_ name: String) async throws(HarbourError) -> EngineContainer? {
        let answer = try await send(.get, "/containers/\(EngineClient.encode(name))/json")
        if answer.status == 404 { return nil }
        try answer.expect("look at a container", 200)
        return EngineContainer(inspected: answer.body)
    }

    /// Makes a container and says its id.
    /// - Throws: `RESOURCE_CONFLICT` when the name is in use, `CLUSTER_LAUNCH_FAILED`.
    func create(_ name: String, _ specification: JSONValue) async throws(HarbourError) -> String {
        let answer = try await send(.post, "/containers/create", [("name", name)], json: specification)
        if answer.status == 409 {
            throw HarbourError(
                .conflict,
                "A container named \(name) is there already and is not this cluster's. Remove it, or choose another id."
            )
        }
        try answer.expect("make a container", 201)
        guard let id = answer.body["Id"]?.string else {
            throw HarbourError(.badGateway, "The container engine did not say which container it has made.")
        }
        return id
    }

    /// Puts the entries of an archive into a container, which need not run.
    func put(_ archive: [UInt8], into id: String, at path: String) async throws(HarbourError) {
        let answer = try await send(.put, "/containers/\(id)/archive", [("path", path)], bytes: archive)
        try answer.expect("take files for a container", 200)
    }

    /// What is at a path of a container, as an archive.
    func archive(of id: String, at path: String) async throws(HarbourError) -> [UInt8] {
        let response = try await open(.get, "/containers/\(id)/archive", [("path", path)], within: .seconds(60))
        guard response.status == 200 else {
            let answer = EngineAnswer(status: response.status, body: try await body(response))
            throw answer.refusal("read a container's files")
        }
        return try await response.collect(limit: 16 << 20)
    }

    /// Starts a container; one that runs stays as it is.
    func start(_ id: String) async throws(HarbourError) {
        let answer = try await send(.post, "/containers/\(id)/start")
        // Whatever its status, it is about this container: its image, its limits, its mounts.
        guard [204, 304].contains(answer.status) else { throw answer.refusal("start a container", .launchFailed) }
    }

    /// Asks a container to end, and kills it after the grace. One that is gone is no error.
    func stop(_ id: String, grace: Duration) async throws(HarbourError) {
        let seconds = max(1, grace.components.seconds)
        let answer = try await send(
            .post, "/containers/\(id)/stop", [("t", "\(seconds)")], within: .seconds(seconds + 60))
        try answer.expect("stop a container", 204, 304, 404)
    }

    /// Removes a container with its volumes, killing it when it runs, and returns when it is gone.
    func remove(_ id: String) async throws(HarbourError) {
        let answer = try await send(.delete, "/containers/\(id)", [("force", "1"), ("v", "1")])
        if answer.status == 409 {
            // Somebody removes it already.
            let gone = try await send(.post, "/containers/\(id)/wait", [("condition", "removed")])
            return try gone.expect("remove a container", 200, 404)
        }
        try answer.expect("remove a container", 204, 404)
    }

    /// The use of one container now, or nil when it does not run.
    func stats(_ id: String) async throws(HarbourError) -> EngineStats? {
        let answer = try await send(
            .get, "/containers/\(id)/stats", [("stream", "false"), ("one-shot", "true")], within: .seconds(20))
        if answer.status == 404 || answer.status == 409 { return nil }
        try answer.expect("measure a container", 200)
        return EngineStats(answer.body)
    }

    // MARK: Networks

    /// The networks with all of these labels.
    func networks(_ labels: [String]) async throws(HarbourError) -> [EngineNetwork] {
        let answer = try await send(.get, "/networks", [("filters", EngineClient.filters(["label": labels]))])
        try answer.expect("list networks", 200)
        return (answer.body.array ?? []).compactMap { EngineNetwork($0) }
    }

    /// Makes a network.
    func createNetwork(_ name: String, labels: [String: String]) async throws(HarbourError) -> String {
        let answer = try await send(
            .post, "/networks/create",
            json: [
                "Name": .string(name), "CheckDuplicate": true, "Driver": "bridge",
                "Labels": .object(JSONObject(labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
            ])
        try answer.expect("make a network (each cluster takes one, and the engine has a limited number)", 201)
        return answer.body["Id"]?.string ?? name
    }

    /// Connects a container to a network; one that is connected already stays so.
    func connect(_ container: String, to network: String) async throws(HarbourError) {
        let answer = try await send(
            .post, "/networks/\(EngineClient.encode(network))/connect", json: ["Container": .string(container)])
        // 403 says that it is connected already.
        try answer.expect("connect a container to a network", 200, 403)
    }

    /// Takes all containers out of a network and removes it. One that is gone is no error.
    func removeNetwork(_ id: String) async throws(HarbourError) {
        for _ in 0..<5 {
            let answer = try await send(.delete, "/networks/\(id)")
            if [204, 404].contains(answer.status) { return }
            // 403: somebody is in it still, such as the service itself.
            guard answer.status == 403 else { throw answer.refusal("remove a network") }
            let inside = try await send(.get, "/networks/\(id)")
            for container in inside.body["Containers"]?.object?.keys ?? [] {
                _ = try await send(
                    .post, "/networks/\(id)/disconnect", json: ["Container": .string(container), "Force": true])
            }
        }
        throw HarbourError(
            .backendUnavailable, "A network of the cluster is still in use by others. It is tried again.", detail: id)
    }

    // MARK: Streams

    /// What happens to the containers with these labels, from that time on, one JSON value a line.
    func events(_ labels: [String], since seconds: Int64) async throws(HarbourError) -> WebResponse {
        let response = try await open(
            .get, "/events",
            [
                ("since", "\(seconds)"),
                ("filters", EngineClient.filters(["label": labels, "type": ["container"]])),
            ])
        guard response.status == 200 else {
            throw EngineAnswer(status: response.status, body: try await body(response)).refusal("tell events")
        }
        return response
    }

    /// A container's log from that time on.
    func logs(_ id: String, since nanoseconds: Int64, follow: Bool) async throws(HarbourError) -> WebResponse? {
        let response = try await open(
            .get, "/containers/\(id)/logs",
            [
                ("stdout", "1"), ("stderr", "1"), ("timestamps", "1"), ("follow", follow ? "1" : "0"),
                ("since", EngineTime.since(max(0, nanoseconds))),
            ])
        if response.status == 404 || response.status == 409 { return nil }
        guard response.status == 200 else {
            throw EngineAnswer(status: response.status, body: try await body(response)).refusal("read a log")
        }
        return response
    }

    private static func filters(_ values: [String: [String]]) -> String {
        let fields = values.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.array($0.value.map { .string($0) })) }
        return JSONValue.object(JSONObject(fields)).jsonText()
    }
}

extension EngineAnswer {
    /// - Throws: `CLUSTER_LAUNCH_FAILED` (the request was wrong for this engine) or `BACKEND_UNAVAILABLE` (its own
    ///   failure) for a status that is none of these.
    func expect(_ what: String, _ statuses: Int...) throws(HarbourError) {
        guard statuses.contains(status) else { throw refusal(what) }
    }

    /// The error for a request that the engine did not do.
    func refusal(_ what: String, _ code: ErrorCode? = nil) -> HarbourError {
        HarbourError(
            code ?? (status >= 500 ? .backendUnavailable : .launchFailed),
            "The container engine did not \(what): \(complaint). Mend that, and try again.", detail: "status \(status)")
    }
}
