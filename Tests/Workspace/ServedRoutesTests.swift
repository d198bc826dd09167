import Core
import HTTPMessage
import HTTPServer
import HarbourProtocol
import ServiceKit
import ServiceTestKit
import Synchronization
import TestSupport
import Testing

@testable import WorkspaceService

/// The running workspace is asked what it serves: each route is in the permission matrix, or is one of the few below that
/// need no permission.
@Suite("Routes that are served")
struct ServedRoutesTests {
    /// Beside the contract: what each service says of itself, and the page, which holds nothing of what users write.
    private static let open = """
        /healthz /readyz /metrics /openapi.json
        / /output-frame /assets/{path...} /redoc
        /sign-in /workspace /notebooks /runs /jobs /clusters /monitoring /settings /docs /sql /search /trash
        /sign-in/{path...} /workspace/{path...} /notebooks/{path...} /runs/{path...} /jobs/{path...} /clusters/{path...}
        /monitoring/{path...} /settings/{path...} /docs/{path...} /sql/{path...} /search/{path...} /trash/{path...}
        """
    /// They know by the session or by the first message who is there, and ask the gate for every topic and change.
    private static let sockets = ["/api/v1/live", "/ws/{client_id}"]

    /// Spark's pages by ticket: that names who asks and for which cluster, and the gate is asked for that.
    private static let tickets = ["/spark/{ticket}/spark-ui/{path...}", "/spark/{ticket}/spark-history/{path...}"]

    private static func expected() -> Set<String> {
        var routes: Set<String> = []
        // Internal routes of the services behind it are not passed on.
        for route in PermissionMatrixTests.routes where !route.isInternal || route.service == "workspace" {
            routes.insert("\(route.method.name) \(route.path)")
            // Browsers ask before a page of another origin asks; they are told nothing but that.
            if !route.isInternal, !route.path.hasSuffix("/{path...}") { routes.insert("OPTIONS \(route.path)") }
        }
        for path in open.split(whereSeparator: \.isWhitespace) { routes.insert("GET \(path)") }
        for path in sockets { routes.formUnion(["GET \(path)", "CONNECT \(path)"]) }
        for path in tickets { routes.formUnion(["GET \(path)", "OPTIONS \(path)"]) }
        return routes
    }

    /// Goal: nothing is served that nobody has thought of, and nothing is thought of that is not served.
    @Test func areInTheMatrix() async throws {
        let routers = Mutex<[ServiceRouter]>([])
        let original = WorkspaceService.definition
        let watched = ServiceDefinition(
            name: original.name, summary: original.summary, defaultPort: 0, ownOptions: original.ownOptions,
            document: original.document, authenticator: original.authenticator
        ) { environment, router in
            routers.withLock { $0.append(router) }
            return try await original.build(environment, router)
        }
        let (page, storage) = (try TemporaryDirectory(), try TemporaryDirectory())
        let arguments = [
            "--page-folder", page.path, "--storage-folder", storage.path, "--cors-origins", "https://other.example",
        ]
        try await withService(watched, arguments: arguments) { _ in
            let router = try #require(routers.withLock { $0.first })
            let served = router.http.served.map { "\($0.method.name) \($0.template)" }
            #expect(
                Set(served).subtracting(Self.expected()).sorted() == [],
                "say in the matrix, or here, who may call these")
            #expect(Self.expected().subtracting(served).sorted() == [], "these are not served")
            #expect(served.count == Set(served).count, "some are registered twice")
        }
        withExtendedLifetime((page, storage)) {}
    }
}
