internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit
internal import Synchronization

/// Writes down every change that somebody asked for at the front door, and every refusal: before the answer goes out, so
/// that nothing is answered that is not written down.
struct AuditLog: Sendable {
    let store: AuditStore
    let loop: EventLoop
    private let logger = Logger("audit")
    private let strangers = Strangers()
    private let names = Names()

    init(store: AuditStore, loop: EventLoop) {
        self.store = store
        self.loop = loop
    }

    /// Refusals of callers whom nobody knows: ten at once of each network and then one a minute, so that guessing shows in
    /// the log and cannot fill it.
    private final class Strangers: Sendable {
        private let buckets = Mutex(TokenBuckets<String>(capacity: 10, interval: .seconds(60)))

        func mayBeWritten(from network: String) -> Bool {
            buckets.withLock { $0.takeIfThere(network, at: .now) } == nil
        }
    }

    private final class Names: Sendable {
        let value = Mutex(AuditNames())
    }

    private static let secrets = "workspace.resolveSecrets"

    /// What takes an entry of the tree out of it. A reader with ranges asks by the hundred.
    private static let downloads: Set<String> = [
        "workspace.downloadFile", "workspace.exportObject", "workspace.exportNotebook",
    ]

    /// Whether a request has a place in the log: changes, what was refused to somebody who is known, and what was taken
    /// out. What was only looked at would bury the rest.
    private static func isWanted(_ request: HTTPRequest, _ note: AuditNote, status: Int, error: ErrorCode?) -> Bool {
        // Who asks too often must not fill the log with it.
        if error == .resourceExhausted { return false }
        // Secrets are read by services alone, for the user whose code is given them.
        if note.operation == secrets || note.operation == "workspace.exportFolder" { return true }
        if note.caller.isService { return false }
        // Without bytes nothing was taken out.
        if downloads.contains(note.operation), request.method == .get, 200..<300 ~= status { return true }
        return note.route.method != .get || status == 403
    }

    /// How often each object of a request is counted; nil for what has a row of its own.
    private func counts(_ note: AuditNote, _ event: AuditEvent) -> [String: Int64]? {
        let isOfSecrets = note.operation == AuditLog.secrets
        guard isOfSecrets || AuditLog.downloads.contains(note.operation) else { return nil }
        // What was taken out is there: its name is not made up, as those that were refused may be, and is always told.
        if !isOfSecrets, 200..<300 ~= event.status { return [event.object ?? "": 1] }
        // Of each secret there is a row: which ones are asked for together is as many things as there are programs.
        let secrets = isOfSecrets ? note.objects.filter { $0.hasPrefix("secret ") && $0.contains("/") } : []
        return names.value.withLock {
            $0.told(
                secrets.isEmpty ? [event.object ?? ""] : secrets, of: "\(note.operation) \(event.userName ?? "")",
                rest: isOfSecrets ? AuditNames.moreSecrets : AuditNames.moreEntries, at: event.timestamp)
        }
    }

    /// Writes a request down that has been answered.
    func record(_ request: HTTPRequest, status: Int, error: ErrorCode?) async {
        guard let note = request.attributes[AuditNote.self] else {
            return await recordStranger(request, status: status, error: error)
        }
        guard AuditLog.isWanted(request, note, status: status, error: error) else { return }
        let objects = note.objects.isEmpty ? AuditLog.named(in: request) : note.objects.joined(separator: ", ")
        let event = AuditEvent(
            eventID: 0, timestamp: .now, userName: note.caller.user, tokenName: note.caller.tokenName,
            service: note.route.service, action: note.route.operationID, object: objects, status: status,
            errorCode: error?.name, source: request.remote.address, requestID: request.requestID)
        let counts = counts(note, event)
        // A caller who goes away, or whose deadline passes, does not take the event along.
        await loop.spawn { await insert(event, counts: counts) }.value
    }

    /// Writes down that a token, a session or a page's own token was shown that is none. A request without any of them is
    /// that of somebody who has not signed in yet.
    private func recordStranger(_ request: HTTPRequest, status: Int, error: ErrorCode?) async {
        guard status == 401 || status == 403,
            SessionCookie.isShown(by: request) || request.fields["authorization"].map({ !$0.isEmpty }) ?? false,
            strangers.mayBeWritten(from: CallerNetwork.of(request))
        else { return }
        let event = AuditEvent(
            eventID: 0, timestamp: .now, service: "workspace", action: "authenticate",
            object: "\(request.method) \(request.routeTemplate)", status: status, errorCode: error?.name,
            source: request.remote.address, requestID: request.requestID)
        await loop.spawn { await insert(event) }.value
    }

    private func insert(_ event: AuditEvent, counts: [String: Int64]? = nil) async {
        do throws(HarbourError) {
            if let counts { try await store.count(event, objects: counts) } else { try await store.insert(event) }
        } catch {
            // The change has been made: the answer must say so. The service's own log keeps what the table could not.
            logger.with("request_id", event.requestID).error(
                "an event could not be kept",
                [
                    "user": event.userName ?? "", "action": event.action, "object": event.object ?? "",
                    "status": event.status, "error": error.describeChain(),
                ])
        }
    }

    /// What the path names, where no permission was asked for by it.
    private static func named(in request: HTTPRequest) -> String? {
        let names = request.routeTemplate.split(separator: "/").compactMap { part -> String? in
            guard part.hasPrefix("{"), part.hasSuffix("}") else { return nil }
            return request.parameters.value(String(part.dropFirst().dropLast()))
        }
        return names.isEmpty ? nil : names.joined(separator: "/")
    }
}

/// The route of the audit log.
struct AuditHandlers: Sendable {
    let store: AuditStore

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.listAuditEvents) { [store] input, _ in
            let size = input.pageSize ?? 100
            let before = try input.pageToken.map { text throws(HarbourError) in
                try PageToken(text, count: 1).int64(0)
            }
            var events = try await store.list(
                .init(
                    before: before, user: input.userName, action: input.action,
                    since: input.since.map { Timestamp(milliseconds: $0) }, refusedOnly: input.refusedOnly ?? false,
                    count: size + 1))
            guard events.count > size else { return AuditEventList(events: events) }
            events.removeLast(events.count - size)
            return AuditEventList(
                events: events, nextPageToken: events.last.map { PageToken(.integer($0.eventID)).text })
        }
    }
}
