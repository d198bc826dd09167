internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit
internal import WebSocket

/// The WebSocket that tells of all runs and of the machine, without being asked for anything in particular: `/ws/{client_id}`.
/// The page itself uses the other one, which resumes by number.
struct FeedHandlers: Sendable {
    let signIn: SocketSignIn
    let gate: AccessGate
    let feed: RunFeed
    let loop: EventLoop

    static let path = "/ws/{client_id}"
    private static let maxName = 128

    func register(on router: ServiceRouter) {
        for method in [HTTPMethod.get, .connect] {
            router.name(
                EndpointRoute(
                    service: "workspace", operationID: "feed", method: method, path: FeedHandlers.path,
                    isIdempotent: true))
        }
        router.http.webSocket(FeedHandlers.path, options: SocketSignIn.options) { [self] request, parameters, socket in
            guard parameters["client_id"].utf8.count <= FeedHandlers.maxName else {
                return try await fail(
                    HarbourError(
                        .invalidParameter, "A client's name has at most \(FeedHandlers.maxName) characters."), socket)
            }
            try await signIn.letIn(request, socket) { caller in try await serve(caller, request, socket) }
        }
    }

    private func serve(_ caller: Caller, _ request: HTTPRequest, _ socket: HTTPWebSocket) async throws {
        // What may be seen is asked with every change that is told.
        let endWatch = signIn.watch(request, socket, as: Identifier.make())
        defer { endWatch() }
        let listener: FeedListener
        do throws(HarbourError) { listener = try feed.join() } catch { return try await fail(error, socket) }
        defer { feed.leave(listener) }
        let sending = loop.spawn { [self] in
            do { try await tell(listener, socket, caller) } catch {
                // The reader has gone, which its reading side sees too.
                socket.close(.goingAway)
            }
        }
        defer { sending.cancel() }
        // Nothing is asked for; reading tells when the other side has gone.
        var reader = SocketReader(socket)
        while try await reader.next() != nil {}
    }

    private func fail(_ error: HarbourError, _ socket: HTTPWebSocket) async throws {
        try await socket.send(
            text: FeedMessage(type: .error, timestamp: .now, errorCode: error.code.name, message: error.message)
                .jsonText())
        socket.close(.tryAgainLater)
        while try await socket.next() != nil {}
    }

    private func tell(_ listener: FeedListener, _ socket: HTTPWebSocket, _ caller: Caller) async throws {
        let runs = try await gate.visible(
            try await feed.activeRuns(), .init(of: SchedulerAPI.listRuns.route), to: try await gate.principal(caller)
        ) { FeedHandlers.fields($0.creatorUserName, $0.jobID) }
        for run in runs.reversed() { try await send(JobUpdate(run), socket) }
        while true {
            switch try await listener.next() {
            case .runs(let changes):
                // Asked anew each time: what may be seen can have been given or taken.
                let principal = try await gate.principal(caller)
                let seen = try await gate.visible(changes, .init(of: SchedulerAPI.listRuns.route), to: principal) {
                    FeedHandlers.fields($0.creatorUserName, $0.jobID)
                }
                for change in seen { try await send(JobUpdate(change), socket) }
            case .metrics(let overview):
                let data = try JSONValue(json: overview.encodedJSON())
                try await socket.send(text: FeedMessage(type: .metrics, timestamp: .now, data: data).jsonText())
            }
        }
    }

    private func send(_ update: JobUpdate, _ socket: HTTPWebSocket) async throws {
        let data = try JSONValue(json: update.encodedJSON())
        try await socket.send(text: FeedMessage(type: .jobUpdate, timestamp: .now, data: data).jsonText())
    }

    private static func fields(_ creator: String, _ jobID: Int64?) -> JSONObject {
        var fields: JSONObject = ["creator_user_name": .string(creator)]
        fields["job_id"] = jobID.map { .integer($0) }
        return fields
    }
}
