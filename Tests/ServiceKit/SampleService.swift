import Configuration
import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Lifecycle
import ServiceClients
import ServiceKit
import Synchronization
import TestSupport

/// A service of a few endpoints of the contract, answered from memory.
enum SampleService {
    static let token = "the-services-token"

    static func definition(
        parts: [LifecycleComponent] = [],
        routes: @escaping @Sendable (ServiceEnvironment, ServiceRouter) -> Void = SampleService.routes
    ) -> ServiceDefinition {
        ServiceDefinition(
            name: "scheduler", summary: "A sample.", defaultPort: 0, hasDatabase: false,
            document: SchedulerAPI.document
        ) { environment, router in
            routes(environment, router)
            return parts
        }
    }

    static func job(_ id: Int64, name: String = "nightly") -> Job {
        let task = TaskSpec(taskKey: "first", notebookTask: NotebookTask(notebookPath: "/sample"))
        return Job(
            jobID: id, creatorUserName: "ada", createdTime: Timestamp(milliseconds: 1), updatedTime: .now,
            settings: JobSpec(name: name, tasks: [task]))
    }

    static let routes: @Sendable (ServiceEnvironment, ServiceRouter) -> Void = { environment, router in
        router.onSync(SchedulerAPI.getJob) { input, context throws -> Job in
            guard input.jobID < 1000 else {
                throw HarbourError(.notFound, "Job \(input.jobID) does not exist.", detail: "private")
            }
            return job(input.jobID, name: context.userName)
        }
        router.on(SchedulerAPI.createJob) { input, context async throws -> Job in
            try await context.loop.sleep(for: .milliseconds(1))
            var made = job(7)
            made.settings = input.body
            made.creatorUserName = context.userName
            return made
        }
        router.onEncoded(SchedulerAPI.listJobs) { _, _ in JobList(jobs: [job(1), job(2)]).encodedJSON() }
        router.on(SchedulerAPI.deleteJob) { _, context async throws -> Empty in
            try await context.loop.sleep(for: .seconds(60))
            return Empty()
        }
        router.on(SchedulerAPI.cancelRun) { _, _ async throws -> Run in
            struct Surprise: Error {}
            throw Surprise()
        }
        router.on(WorkspaceAPI.readRevision) { _, _ async throws -> NotebookContent in
            throw HarbourError(.notFound, "Nothing is here.")
        }
    }

    static func event(_ sequence: Int64) -> RunEvent {
        RunEvent(sequence: sequence, timestamp: Timestamp(milliseconds: sequence), type: .runState)
    }

    /// Runs the body against the service on a socket.
    static func with(
        _ definition: ServiceDefinition = SampleService.definition(), arguments: [String] = [],
        _ body: @escaping @Sendable (SampleClients) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            let service = try await ServiceRuntime.start(
                definition, arguments: ["--listen", "127.0.0.1:0", "--service-token", token] + arguments, loop: loop)
            let http = HTTPClient(loop: loop)
            let baseURL = try await service.baseURL
            let client = try ServiceClient(http: http, baseURL: baseURL, token: token, service: "scheduler")
            do {
                try await body(
                    SampleClients(loop: loop, service: service, http: http, baseURL: baseURL, client: client))
            } catch {
                await http.close()
                try await service.stop()
                throw error
            }
            await http.close()
            try await service.stop()
        }
    }
}

struct SampleClients: Sendable {
    let loop: EventLoop
    let service: RunningService
    let http: HTTPClient
    let baseURL: String
    let client: ServiceClient

    func send(
        _ method: HTTPMethod = .get, _ target: String, token: String? = SampleService.token,
        fields: HTTPFields = HTTPFields(), body: String? = nil
    ) async throws -> (status: Int, fields: HTTPFields, json: JSONValue, text: String) {
        var fields = fields
        if let token { fields["authorization"] = "Bearer \(token)" }
        let request = HTTPClientRequest(
            method: method, origin: try HTTPOrigin(baseURL), target: target, fields: fields,
            body: body.map { .bytes(Array($0.utf8)) } ?? .empty)
        let response = try await http.send(request, deadline: .now + .seconds(60))
        let bytes = try await response.collect(limit: 1 << 20)
        let json = (try? JSONValue(json: bytes)) ?? .null
        return (response.status, response.fields, json, String(decoding: bytes, as: UTF8.self))
    }
}
