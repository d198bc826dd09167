internal import Core
internal import HTTPMessage
internal import HTTPServer
internal import ServiceKit

/// Serves the web page: its files, and its one document for every address of the page, which the page itself reads.
struct PageRoutes: Sendable {
    private let files: StaticFiles

    /// First parts of the page's addresses. They are listed so that an address of the API that does not exist stays one.
    private static let areas = [
        "sign-in", "workspace", "notebooks", "runs", "jobs", "clusters", "monitoring", "settings", "docs", "sql",
        "search", "trash",
    ]
    private static let document = "index.html"
    /// The frame that shows HTML outputs.
    private static let outputFrame = "output.html"

    /// Nothing but our own files, and no script or style inside the document. Monaco writes where its lines stand into
    /// their attributes, which can move what is on the page and no more; nothing that users write gets into the page as
    /// HTML.
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "style-src-attr 'unsafe-inline'",
        "img-src 'self' data: blob:", "font-src 'self'",
        "connect-src 'self'", "frame-src 'self'", "manifest-src 'self'", "base-uri 'none'", "form-action 'none'",
        "frame-ancestors 'none'",
    ].joined(separator: "; ")
    /// Outputs are programs of whoever wrote the notebook: they run in an origin of their own that is nobody's, without
    /// the session, the page around them, or any network.
    private static let framePolicy = [
        "sandbox allow-scripts", "default-src 'none'", "script-src 'unsafe-inline' 'unsafe-eval'",
        "style-src 'unsafe-inline'", "img-src data: blob:", "font-src data:", "media-src data: blob:",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'",
    ].joined(separator: "; ")

    /// Opens the folder of the built page.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when there is none.
    init(folder: String) throws(HarbourError) {
        files = try StaticFiles(folder: folder)
    }

    func register(on router: HTTPRouter) {
        router.get("/") { (request, _) throws -> HTTPResponse in try document(request) }
        for area in PageRoutes.areas {
            router.get("/\(area)") { (request, _) throws -> HTTPResponse in try document(request) }
            router.get("/\(area)/{path...}") { (request, _) throws -> HTTPResponse in try document(request) }
        }
        // Where services in FastAPI have their other description.
        router.get("/redoc") { (_, _) throws -> HTTPResponse in
            HTTPResponse(status: 307, fields: ["location": "/docs"])
        }
        router.get("/assets/{path...}") { (request, parameters) throws -> HTTPResponse in
            try file("assets/" + parameters["path"], request, policy: PageRoutes.policy)
        }
        // Whoever comes by a browser to an address that is none is told so by the page, which knows the way on.
        router.otherwise(where: PageRoutes.isVisit) { request, _ in
            var response = try document(request)
            if response.status == 200 { response.status = 404 }
            return response
        }
        router.get("/output-frame") { (request, _) throws -> HTTPResponse in
            try file(PageRoutes.outputFrame, request, policy: PageRoutes.framePolicy)
        }
    }

    /// Whether a browser goes to an address that is not the API's.
    private static func isVisit(_ request: HTTPRequest) -> Bool {
        guard request.fields["accept"]?.contains("text/html") == true else { return false }
        let area = request.path.split(separator: "/", maxSplits: 1).first
        return !["api", "internal", "assets"].contains(area ?? "")
    }

    private func document(_ request: HTTPRequest) throws(HarbourError) -> HTTPResponse {
        var response = try file(PageRoutes.document, request, policy: PageRoutes.policy)
        response.fields.append("cross-origin-opener-policy", "same-origin")
        return response
    }

    private func file(_ name: String, _ request: HTTPRequest, policy: String) throws(HarbourError) -> HTTPResponse {
        var response = try files.respond(to: request, path: name)
        response.fields.append("content-security-policy", policy)
        response.fields.append("referrer-policy", "no-referrer")
        response.fields.append("cross-origin-resource-policy", "same-origin")
        if !response.fields.contains("x-content-type-options") {
            response.fields.append("x-content-type-options", "nosniff")
        }
        return response
    }
}
