import Core
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HarbourProtocol
import TestSupport
import Testing

extension WholePlatform {
    /// What is wrong gets the right status, a stable code and a sentence, through the front door.
    @Suite(.serialized, .platform) struct BadInput {
        /// One request and the answer it has to get.
        struct Case: Sendable, CustomTestStringConvertible {
            let name: String
            let method: HTTPMethod
            let target: String
            let body: [UInt8]?
            let status: Int
            let code: String
            var testDescription: String { name }

            /// A job that cannot be created.
            init(_ name: String, _ body: String, _ status: Int, _ code: String) {
                self.init(name, .post, "/api/v1/jobs", Array(body.utf8), status, code)
            }

            init(
                _ name: String, _ method: HTTPMethod, _ target: String, _ body: [UInt8]?, _ status: Int, _ code: String
            ) {
                (self.name, self.method, self.target, self.status, self.code) = (name, method, target, status, code)
                self.body = body
            }
        }

        private static let task =
            #"{"task_key":"a","notebook_task":{"notebook_path":"/a"},"new_cluster":{"cluster_name":"c"}}"#

        private static func job(_ more: String) -> String { #"{"name":"j","tasks":[\#(task)]\#(more)}"# }

        private static let brokenText = Array(#"{"name":""#.utf8) + [0xc3, 0x28] + Array(#"","tasks":[]}"#.utf8)

        private static func importing(_ text: String) -> [UInt8] { importing(Array(text.utf8), "JUPYTER") }

        private static func importing(_ bytes: [UInt8], _ format: String) -> [UInt8] {
            let content = Base64.encode(bytes)
            return Array(#"{"path":"/Shared/bad.py","content":"\#(content)","format":"\#(format)"}"#.utf8)
        }

        static let cases: [Case] = [
            Case("broken JSON", #"{"name": "#, 400, "MALFORMED_REQUEST"),
            Case("no JSON at all", "hello", 400, "MALFORMED_REQUEST"),
            Case("an empty body", "", 400, "MALFORMED_REQUEST"),
            Case("text after the end", job("") + "{}", 400, "MALFORMED_REQUEST"),
            Case("a wrong type", #"{"name":5,"tasks":[]}"#, 400, "MALFORMED_REQUEST"),
            Case("a number out of range", job(#","timeout_seconds":1e99"#), 400, "MALFORMED_REQUEST"),
            Case("a field that is missing", #"{"name":"j"}"#, 400, "MALFORMED_REQUEST"),
            Case("a field that nobody knows", job(#","colour":"red""#), 400, "MALFORMED_REQUEST"),
            Case("a field given twice", job(#","name":"k""#), 400, "MALFORMED_REQUEST"),
            Case(
                "invalid UTF-8", .post, "/api/v1/jobs", brokenText, 400, "MALFORMED_REQUEST"),
            Case("a lone surrogate", #"{"name":"\ud800","tasks":[]}"#, 400, "MALFORMED_REQUEST"),
            Case(
                "deep nesting", String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000), 400,
                "MALFORMED_REQUEST"),
            Case("a body past the limit", String(repeating: " ", count: 130 << 20), 413, "REQUEST_TOO_LARGE"),
            Case(
                "an invalid cron expression",
                job(#","schedule":{"quartz_cron_expression":"every day","timezone_id":"UTC"}"#), 400,
                "INVALID_CRON_EXPRESSION"),
            Case(
                "a cron expression that never fires",
                job(#","schedule":{"quartz_cron_expression":"0 0 0 31 2 ?","timezone_id":"UTC"}"#), 400,
                "INVALID_CRON_EXPRESSION"),
            Case(
                "an invalid time zone",
                job(#","schedule":{"quartz_cron_expression":"0 0 6 * * ?","timezone_id":"Moon/Base"}"#), 400,
                "INVALID_TIME_ZONE"),
            Case(
                "a notebook that is none", .post, "/api/v1/workspace/import", importing("{}"), 400, "INVALID_NOTEBOOK"),
            Case(
                "a notebook that is no JSON", .post, "/api/v1/workspace/import", importing("cells!"), 400,
                "INVALID_NOTEBOOK"),
            Case(
                "a notebook that is no text", .post, "/api/v1/workspace/import", importing([0xff, 0xfe], "SOURCE"), 400,
                "INVALID_NOTEBOOK"),
            Case(
                "a notebook of a format to come", .post, "/api/v1/workspace/import",
                importing(#"{"cells":[],"metadata":{},"nbformat":9,"nbformat_minor":0}"#), 400, "INVALID_NOTEBOOK"),
            Case(
                "a format that is none", .post, "/api/v1/workspace/import", importing([0x31], "PDF"), 400,
                "MALFORMED_REQUEST"),
            Case(
                "content that is not base64", .post, "/api/v1/workspace/import",
                Array(#"{"path":"/Shared/bad","content":"%%%"}"#.utf8), 400, "INVALID_PARAMETER_VALUE"),
            Case("a cluster that is missing", .get, "/api/v1/clusters/nowhere", nil, 404, "RESOURCE_DOES_NOT_EXIST"),
            Case(
                "a context on no cluster", .post, "/api/v1/clusters/nowhere/contexts", Array("{}".utf8), 404,
                "RESOURCE_DOES_NOT_EXIST"),
            Case("a job that is missing", .get, "/api/v1/jobs/999999", nil, 404, "RESOURCE_DOES_NOT_EXIST"),
            Case("a run that is missing", .get, "/api/v1/runs/999999/events", nil, 404, "RESOURCE_DOES_NOT_EXIST"),
            Case(
                "a notebook that is missing", .get, "/api/v1/workspace/export?path=/no", nil, 404,
                "RESOURCE_DOES_NOT_EXIST"),
            Case("an id that is no number", .get, "/api/v1/jobs/abc", nil, 400, "INVALID_PARAMETER_VALUE"),
            Case("a query that is no number", .get, "/api/v1/jobs?page_size=x", nil, 400, "INVALID_PARAMETER_VALUE"),
            Case("a path that is no UTF-8", .get, "/api/v1/jobs/%ff", nil, 400, "INVALID_PARAMETER_VALUE"),
            Case("a page token of nobody", .get, "/api/v1/jobs?page_token=x", nil, 400, "INVALID_PARAMETER_VALUE"),
            Case("a route that is missing", .get, "/api/v1/nowhere", nil, 404, "ENDPOINT_NOT_FOUND"),
            Case("a method that is missing", .delete, "/api/v1/jobs", nil, 405, "METHOD_NOT_ALLOWED"),
        ]

        @Test(.timeLimit(.minutes(10)), arguments: cases) func isRefused(_ wrong: Case) async throws {
            try await withPlatform { platform in
                let answer = try await platform.send(
                    wrong.method, wrong.target, token: platform.adminToken, body: wrong.body)
                try expectError(answer, wrong.status, wrong.code)
            }
        }

        @Test(.timeLimit(.minutes(10))) func onlyTheRightTokenIsLetIn() async throws {
            try await withPlatform { platform in
                for token in [nil, "", "wrong", String(repeating: "x", count: 5000)] {
                    for target in ["/api/v1/jobs", "/api/v1/clusters", "/api/v1/workspace/list?path=/", "/api/v1/me"] {
                        try expectError(try await platform.send(.get, target, token: token), 401, "UNAUTHENTICATED")
                    }
                }
                // Behind the front door, users' tokens count nothing.
                for service in ["scheduler", "cluster"] {
                    let target = service == "cluster" ? "/api/v1/clusters" : "/api/v1/jobs"
                    let answer = try await platform.send(.get, target, service: service, token: platform.adminToken)
                    try expectError(answer, 401, "UNAUTHENTICATED")
                }
            }
        }

        @Test(.timeLimit(.minutes(10))) func aServiceThatIsGoneOrHangsIsTold() async throws {
            try await withPlatform { platform in
                let supervisor = try #require(
                    ProcessTable.running(in: platform.folder).first { $0.command.contains("/harbour supervise") })
                let cluster = try #require(try await platform.status()?["cluster"]?.pid)
                kill(cluster, SIGSTOP)
                let slow = try await platform.send(
                    .get, "/api/v1/clusters", token: platform.adminToken, allowing: .seconds(1))
                try expectError(slow, 504, "DEADLINE_EXCEEDED")

                // It cannot be started again while the supervisor sleeps.
                kill(supervisor.pid, SIGSTOP)
                defer { kill(supervisor.pid, SIGCONT) }
                kill(cluster, SIGKILL)
                try await eventually("the cluster service is gone") {
                    !ProcessTable.running(in: platform.folder).contains { $0.pid == cluster }
                }
                let gone = try await platform.send(.get, "/api/v1/clusters", token: platform.adminToken)
                try expectError(gone, 503, "TEMPORARILY_UNAVAILABLE")
                // The others do not care.
                #expect(try await platform.send(.get, "/api/v1/jobs", token: platform.adminToken).status == 200)

                kill(supervisor.pid, SIGCONT)
                try await eventually("the cluster service is back") {
                    try await platform.send(.get, "/api/v1/clusters", token: platform.adminToken).status == 200
                }
            }
        }
    }
}

/// The answer is an error of the grammar that all services share.
func expectError(
    _ answer: (status: Int, body: [UInt8]), _ status: Int, _ code: String,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let text = String(decoding: answer.body.prefix(500), as: UTF8.self)
    #expect(answer.status == status, "\(text)", sourceLocation: sourceLocation)
    let error = try ErrorBody(json: answer.body)
    #expect(error.errorCode == code, "\(text)", sourceLocation: sourceLocation)
    #expect(error.message.count > 15 && error.message.hasSuffix("."), "\(text)", sourceLocation: sourceLocation)
    #expect(!error.requestID.isEmpty, sourceLocation: sourceLocation)
}
