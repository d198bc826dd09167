import Core
import HTTPMessage
import HarbourProtocol
import Testing

/// Inputs on their way into a request and out of it.
@Suite struct RequestTests {
    private static func built(_ input: some EndpointInput) -> RequestBuilder {
        var builder = RequestBuilder()
        input.encode(to: &builder)
        return builder
    }

    private static func parse<Input: EndpointInput>(
        _ type: Input.Type, target: String, body: String = ""
    ) throws -> Input {
        try Input(from: RequestParts(HTTPRequest(target: target), body: Array(body.utf8)))
    }

    @Test func writesPathQueryAndBody() {
        let list = RequestTests.built(SchedulerAPI.ListJobsInput(pageSize: 10, pageToken: "a b&c", name: "é"))
        #expect(list.target == "/api/v1/jobs?page_size=10&page_token=a%20b%26c&name=%C3%A9")
        #expect(list.body == nil)
        let events = RequestTests.built(
            ClusterAPI.StreamCommandEventsInput(clusterID: "a/b", contextID: "..", commandID: "c?d", after: 7))
        #expect(events.target == "/api/v1/clusters/a%2Fb/contexts/../commands/c%3Fd/events?after=7")
        let create = RequestTests.built(ClusterAPI.CreateClusterInput(body: .init(spec: .init(clusterName: "x"))))
        #expect(create.body.map { String(decoding: $0, as: UTF8.self) } == #"{"spec":{"cluster_name":"x"}}"#)
    }

    @Test func readsQueries() throws {
        let input = try RequestTests.parse(
            SchedulerAPI.ListJobsInput.self, target: "/api/v1/jobs?page_size=5&name=a%20b")
        #expect(input == SchedulerAPI.ListJobsInput(pageSize: 5, pageToken: nil, name: "a b"))
        let runs = try RequestTests.parse(SchedulerAPI.ListRunsInput.self, target: "/api/v1/runs?active_only=true")
        #expect(runs.activeOnly == true)
        let query = try RequestTests.parse(MonitoringAPI.QueryMetricsInput.self, target: "/?name=up&start=1000")
        #expect(query.start == Timestamp(milliseconds: 1000))
        let export = try RequestTests.parse(WorkspaceAPI.ExportObjectInput.self, target: "/?path=/a&format=JUPYTER")
        #expect(export.format == .jupyter)
    }

    @Test(arguments: [
        "/?page_size=0", "/?page_size=501", "/?page_size=x", "/?page_size=+5", "/?page_size=", "/?page_size=5.0",
        "/?page_size=1&page_size=2", "/?pagesize=1",
    ])
    func refusesWrongQueries(_ target: String) {
        let error = #expect(throws: HarbourError.self) {
            try RequestTests.parse(SchedulerAPI.ListJobsInput.self, target: target)
        }
        #expect(error?.code == .invalidParameter)
    }

    @Test func namesWhatIsMissingOrWrong() throws {
        var error = #expect(throws: HarbourError.self) {
            try RequestTests.parse(WorkspaceAPI.ExportObjectInput.self, target: "/?format=PDF")
        }
        #expect(error?.message.contains("`path` is required") == true)
        error = #expect(throws: HarbourError.self) {
            try RequestTests.parse(WorkspaceAPI.ExportObjectInput.self, target: "/?path=/a&format=PDF")
        }
        #expect(error?.message == "The parameter `format` must be one of AUTO, JUPYTER, SOURCE.")
        error = #expect(throws: HarbourError.self) {
            try RequestTests.parse(
                SchedulerAPI.CreateJobInput.self, target: "/",
                body: #"{"name":"n","tasks":[{"task_key":"a b","notebook_task":{"notebook_path":"/x"}}]}"#)
        }
        #expect(error?.message == "The field `tasks[0].task_key` of the body must match ^[A-Za-z0-9_-]+$.")
        error = #expect(throws: HarbourError.self) {
            try RequestTests.parse(
                SchedulerAPI.CreateJobInput.self, target: "/", body: #"{"name":"n","tasks":[],"x":1}"#)
        }
        #expect(error?.message == "The field `tasks` of the body must have at least 1 elements.")
        error = #expect(throws: HarbourError.self) {
            try RequestTests.parse(SchedulerAPI.CreateJobInput.self, target: "/", body: #"{"nam":"n"}"#)
        }
        #expect(error?.message == "The body has the unknown field `nam`.")
        error = #expect(throws: HarbourError.self) {
            try RequestTests.parse(SchedulerAPI.CreateJobInput.self, target: "/")
        }
        #expect(error?.message == "The body is empty, and must be a JSON document.")
    }

    @Test func nullCountsAsAbsentInOptionalFields() throws {
        let spec = try ClusterSpec(jsonText: #"{"cluster_name":"x","backend":null,"num_workers":null}"#)
        #expect(spec == ClusterSpec(clusterName: "x"))
        #expect(throws: HarbourError.self) { try ClusterSpec(jsonText: #"{"cluster_name":null}"#) }
    }

    @Test func streamsThatCanResumeSayWhere() {
        var run = ClusterAPI.RunCommandInput(
            clusterID: "c", contextID: "x", commandID: "y", body: CommandRun(source: "1"))
        run.resumeAfter = 12
        #expect(run.body.after == 12)
        var events = ClusterAPI.StreamCommandEventsInput(clusterID: "c", contextID: "x", commandID: "y")
        events.resumeAfter = 3
        #expect(events.after == 3)
    }

    @Test func routesAreUnique() {
        let routes = [
            WorkspaceAPI.routes, SchedulerAPI.routes, ClusterAPI.routes, DriverAPI.routes, MonitoringAPI.routes,
        ].flatMap { $0 }
        #expect(Set(routes.map { "\($0.method) \($0.path)" }).count == routes.count)
        #expect(Set(routes.map { "\($0.service) \($0.operationID)" }).count == routes.count)
    }

    private static func collect(_ value: JSONValue, into references: inout [String]) {
        for element in value.array ?? [] { collect(element, into: &references) }
        for (key, value) in value.object?.fields ?? [] {
            if key == "$ref", let text = value.string { references.append(text) }
            collect(value, into: &references)
        }
    }

    @Test func servedDocumentsAreWhole() throws {
        for document in [
            WorkspaceAPI.document, SchedulerAPI.document, ClusterAPI.document, DriverAPI.document,
            MonitoringAPI.document,
        ] {
            let bytes = try document.json()
            let value = try JSONValue(json: bytes)
            #expect(value["openapi"]?.string == "3.1.0")
            #expect(value["paths"]?.object?.isEmpty == false)
            #expect(!String(decoding: bytes, as: UTF8.self).contains("common.json"))
            var references: [String] = []
            RequestTests.collect(value, into: &references)
            for reference in references {
                let parts = reference.split(separator: "/").map(String.init)
                #expect(parts.first == "#", "\(document.service): \(reference)")
                let target = parts.dropFirst().reduce(Optional(value)) { $0?[$1] }
                #expect(target != nil, "\(document.service) refers to \(reference), which is not in it")
            }
        }
    }
}

@Suite struct PageTokenTests {
    @Test func survivesTheRoundTrip() throws {
        let token = PageToken(.integer(17), "a name")
        let read = try PageToken(token.text, count: 2)
        #expect(read == token)
        #expect(try read.int64(0) == 17)
        #expect(try read.string(1) == "a name")
        #expect(!token.text.contains { "+/=&? ".contains($0) })
    }

    @Test(arguments: ["", "x", "W10", "WzFd", "WzIsMV0", "!!!", String(repeating: "a", count: 2000)])
    func refusesForeignTokens(_ text: String) {
        let error = #expect(throws: HarbourError.self) { try PageToken(text, count: 1) }
        #expect(error?.code == .invalidParameter)
    }
}

@Suite struct ErrorBodyTests {
    @Test func errorsComeBackWithTheirCode() {
        let error = HarbourError(.notFound, "The cluster \"x\" does not exist.", detail: "secret")
        let body = ErrorBody(error, requestID: "r1").encodedJSON()
        let back = HarbourError(status: 404, body: body, service: "cluster")
        #expect(back.code == .notFound)
        #expect(back.message == error.message)
        #expect(back.detail == "answered by cluster, request r1")
        #expect(!String(decoding: body, as: UTF8.self).contains("secret"))
    }

    @Test func foreignAnswersBecomeTheCodeOfTheirStatus() {
        let body = Array("<html>Bad gateway</html>".utf8)
        #expect(HarbourError(status: 502, body: body, service: "cluster").code == .unavailable)
        #expect(HarbourError(status: 500, body: body, service: "cluster").code == .badGateway)
        #expect(HarbourError(status: 404, body: [], service: "cluster").code == .notFound)
    }
}
