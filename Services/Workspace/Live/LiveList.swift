internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients
internal import ServiceKit

/// The lists that can be followed as a whole.
enum LiveList: String, Sendable, Hashable, CaseIterable {
    case runs
    case jobs
    case clusters

    /// The operation that reads the list: who may see an element is decided as it decides it.
    private var route: EndpointRoute {
        switch self {
        case .runs: SchedulerAPI.listRuns.route
        case .jobs: SchedulerAPI.listJobs.route
        case .clusters: ClusterAPI.listClusters.route
        }
    }

    /// Whether any of the changes is about what the caller may see.
    func isSeen(_ changes: [ListChange], by caller: Caller, _ gate: AccessGate) async throws(HarbourError) -> Bool {
        if changes.contains(.everything) { return true }
        let seen = try await gate.visible(changes, .init(of: route), to: try await gate.principal(caller)) { $0.fields }
        return !seen.isEmpty
    }
}

/// That an element of a list has changed, is new or gone, with what says who may see it.
struct ListChange: Sendable, Hashable, Comparable {
    let id: String
    var creator = ""
    var jobID: Int64?
    var owner: String?

    /// Nobody knows what has changed: what is told of was not heard for a while, or others may see it now.
    static let everything = ListChange(id: "")

    static func < (left: ListChange, right: ListChange) -> Bool { left.id < right.id }

    /// As the list has them.
    var fields: JSONObject {
        var fields: JSONObject = ["creator_user_name": .string(creator), "cluster_id": .string(id)]
        fields["job_id"] = jobID.map { .integer($0) }
        fields["owner"] = owner.map { .string($0) }
        return fields
    }
}

/// Which elements of lists change, for all who follow: the service that keeps a list is asked once for all of them, and
/// only while there are any.
///
/// `@unchecked Sendable`: touched on the loop only.
final class ListNews: @unchecked Sendable {
    private final class Source {
        let news: ChangeNews<ListChange>
        var followers = 0
        /// Whether changes are told: what changed before was not heard.
        var isOpen = false
        var task: Task<Void, Never>?

        init(loop: EventLoop) { news = ChangeNews(loop: loop, limit: 1000) }
    }

    private let loop: EventLoop
    private let scheduler: ServiceClient
    private let clusters: ServiceClient
    private let logger = Logger("workspace.lists")
    private static let maxTold = 1000
    private static let firstPause = Duration.milliseconds(100)
    private var sources: [LiveList: Source] = [:]

    init(loop: EventLoop, scheduler: ServiceClient, clusters: ServiceClient) {
        self.loop = loop
        self.scheduler = scheduler
        self.clusters = clusters
        for list in LiveList.allCases { sources[list] = Source(loop: loop) }
    }

    /// Calls `body` with `everything` as soon as changes are told, and then with them, until the task is cancelled.
    func follow(
        _ list: LiveList, isolation: isolated (any Actor)? = #isolation, _ body: ([ListChange]) async throws -> Void
    ) async throws {
        loop.preconditionCurrent()
        guard let source = sources[list] else { return }
        source.followers += 1
        if source.task == nil { source.task = loop.spawn { [self] in await listen(to: list) } }
        defer { leave(source) }
        try await source.news.follow(from: source.isOpen ? [.everything] : []) { changes in
            try await body(changes.hasMissed ? [.everything] : changes.ids)
        }
    }

    /// Others may see it now, or no longer.
    func accessChanged() { for source in sources.values { source.news.signal(.everything) } }

    func stop() { for source in sources.values { source.task?.cancel() } }

    private func leave(_ source: Source) {
        source.followers -= 1
        guard source.followers == 0 else { return }
        source.task?.cancel()
        (source.task, source.isOpen) = (nil, false)
    }

    private func listen(to list: LiveList) async {
        guard let source = sources[list] else { return }
        var pause = ListNews.firstPause
        while !Task.isCancelled {
            do {
                try await read(list, source) { pause = ListNews.firstPause }
            } catch {
                logger.debug(
                    "a list's changes are not told", ["list": list.rawValue, "error": HarbourError.describe(error)])
            }
            if Task.isCancelled { return }
            source.isOpen = false
            guard (try? await loop.sleep(for: pause)) != nil else { return }
            pause = min(pause * 2, .seconds(5))
        }
    }

    private func read(_ list: LiveList, _ source: Source, opened: () -> Void) async throws {
        func open() {
            opened()
            source.isOpen = true
            source.news.signal(.everything)
        }
        switch list {
        case .runs:
            let changes = try await scheduler.stream(SchedulerAPI.streamRunChanges, .init())
            open()
            // A run that prints changes often, and looks the same in a list.
            var told: [Int64: RunChange] = [:]
            for try await one in changes {
                if let last = told[one.runID], last.state == one.state, last.endedTasks == one.endedTasks { continue }
                if told.count >= ListNews.maxTold { told = [:] }
                told[one.runID] = one
                source.news.signal(
                    ListChange(id: "\(one.runID)", creator: one.creatorUserName, jobID: one.jobID))
            }
        case .jobs:
            let changes = try await scheduler.stream(SchedulerAPI.streamJobChanges, .init())
            open()
            for try await one in changes {
                source.news.signal(ListChange(id: "\(one.jobID)", creator: one.creatorUserName, jobID: one.jobID))
            }
        case .clusters:
            let changes = try await clusters.stream(ClusterAPI.streamClusterChanges, .init())
            open()
            for try await one in changes {
                source.news.signal(ListChange(id: one.clusterID, creator: one.creatorUserName, owner: one.owner))
            }
        }
    }
}
