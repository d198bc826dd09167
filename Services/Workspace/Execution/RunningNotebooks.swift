internal import CellExecution
internal import Configuration
internal import Core
internal import EventLoop
internal import Glibc
internal import HTTPClient
internal import HarbourProtocol
internal import Lifecycle
internal import ServiceClients
internal import ServiceKit

/// All that makes notebooks run and that tells of it.
struct RunningNotebooks: Sendable {
    let service: ExecutionService
    private let engine: NotebookEngine
    let parts: LiveParts
    private let live: LiveHandlers
    private let feed: FeedHandlers
    private let keeper: PresenceKeeper
    private let changes: AccessChanges

    init(
        _ environment: ServiceEnvironment, _ tree: WorkspaceTree, _ authenticator: any Authenticator, http: HTTPClient,
        access: NotebookAccess, changes: AccessChanges, clusterURL: String, schedulerURL: String,
        monitoringURL: String, lease: Duration, places: SocketPlaces
    ) throws(HarbourError) {
        func client(_ url: String, _ name: String) throws(HarbourError) -> ServiceClient {
            try ServiceClient(http: http, baseURL: url, token: environment.serviceToken, service: name)
        }
        let (loop, owner) = (environment.loop, RunningNotebooks.name(environment))
        let clusters = try client(clusterURL, "cluster")
        service = ExecutionService(tree: tree)
        engine = NotebookEngine(
            context: ExecutionContext(loop: loop, pool: tree.pool, clusters: clusters), owner: owner, lease: lease)
        let scheduler = try client(schedulerURL, "scheduler")
        let presence = PresenceStore(pool: tree.pool, process: owner)
        keeper = PresenceKeeper(loop: loop, store: presence)
        parts = LiveParts(
            topics: NotebookTopics(pool: tree.pool, loop: loop, presence: presence), presence: presence,
            service: service, access: access, scheduler: scheduler, clusters: clusters,
            lists: ListNews(loop: loop, scheduler: scheduler, clusters: clusters))
        self.changes = changes
        let signIn = SocketSignIn(authenticator: authenticator, loop: loop, changes: changes, places: places)
        live = LiveHandlers(signIn: signIn, parts: parts, loop: loop, keeper: keeper)
        feed = FeedHandlers(
            signIn: signIn, gate: access.gate,
            feed: RunFeed(
                loop: loop, scheduler: parts.scheduler, monitoring: try client(monitoringURL, "monitoring")),
            loop: loop)
    }

    /// The same for a process that is started anew in the place of this one, and of no other: then what it had is taken
    /// up at once instead of when its leases end.
    private static func name(_ environment: ServiceEnvironment) -> String {
        let listen = environment.configuration[environment.options.listen]
        let socket = environment.configuration[environment.options.listenSocket]
        guard socket != nil || listen.port != 0 else { return Identifier.make() }
        var bytes = [CChar](repeating: 0, count: 256)
        gethostname(&bytes, bytes.count - 1)
        let host = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(host) \(socket ?? listen.description)"
    }

    func register(on router: ServiceRouter) {
        ExecutionHandlers(
            service: service, saving: NotebookSaving(tree: service.tree), topics: parts.topics, access: parts.access,
            questions: NotebookQuestions(store: service.store, clusters: parts.clusters)
        )
        .register(on: router)
        live.register(on: router)
        feed.register(on: router)
    }

    /// Its life: it begins when the database is there, and leaves everything that runs to whoever comes next.
    var component: LifecycleComponent {
        LifecycleComponent(
            "notebooks",
            start: { [self] in
                try await parts.presence.removeLeftovers()
                parts.topics.start()
                changes.start()
                changes.follow("lists") { [lists = parts.lists] in lists.accessChanged() }
                try await engine.start()
            },
            drain: { [self] _ in
                await engine.stop()
                parts.topics.stop()
                changes.stop()
                feed.feed.stop()
                parts.lists.stop()
                await keeper.stop()
            })
    }
}
