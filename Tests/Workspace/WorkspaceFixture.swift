import Core
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import ServiceKit
import ServiceTestKit
import TestSupport
import Testing
import WorkspaceService

/// The administrator's token in tests.
let adminToken = "0123456789abcdef0123456789abcdef"

/// A workspace with a database of its own, and what a test does with it as a user.
struct Workspace: Sendable {
    let service: ServiceUnderTest
    /// As the administrator.
    let user: ServiceClient

    /// Runs the body with a workspace whose other services are at these addresses.
    /// - Parameter database: one of the caller's; nil makes one.
    static func run(
        upstreams: [String: String] = [:], secretKey: String? = nil, more: [String] = [],
        database: PostgresTestDatabase? = nil, _ body: @escaping @Sendable (Workspace) async throws -> Void
    ) async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("token", Array("\(adminToken)\n".utf8))
        var arguments = ["--admin-token-file", file] + more
        if let secretKey { arguments += ["--secret-key", secretKey] }
        for (name, url) in upstreams { arguments += ["--\(name)-url", url] }
        if let database { arguments += ["--database-url", database.url] }
        try await withService(
            WorkspaceService.definition, arguments: arguments, hasDatabase: database == nil
        ) { service in
            try await body(Workspace(service: service, user: try service.client(token: adminToken)))
        }
        withExtendedLifetime(folder) {}
    }

    @discardableResult
    func save(
        _ path: String, _ text: String, format: HarbourProtocol.NotebookFormat? = nil, overwrite: Bool? = nil,
        expected: Int64? = nil, language: String? = nil
    ) async throws -> ObjectInfo {
        try await user.call(
            WorkspaceAPI.importObject,
            .init(
                body: ImportObject(
                    path: path, content: Base64.encode(Array(text.utf8)), format: format, language: language,
                    overwrite: overwrite, expectedRevisionID: expected)))
    }

    func export(
        _ path: String, _ format: HarbourProtocol.NotebookFormat? = nil, revision: Int64? = nil
    ) async throws -> (text: String, type: String) {
        let file = try await user.call(
            WorkspaceAPI.exportObject, .init(path: path, format: format, revisionID: revision))
        return (String(decoding: try #require(Base64.decode(file.content)), as: UTF8.self), file.fileType)
    }

    func list(_ path: String) async throws -> [String] {
        try await user.call(WorkspaceAPI.listObjects, .init(path: path)).objects.map(\.path)
    }

    func makeFolder(_ path: String) async throws {
        _ = try await user.call(WorkspaceAPI.makeDirectories, .init(body: MakeDirectories(path: path)))
    }

    func delete(_ path: String, recursive: Bool? = nil) async throws {
        _ = try await user.call(
            WorkspaceAPI.deleteObject, .init(body: DeleteObject(path: path, recursive: recursive)))
    }

    @discardableResult
    func move(_ source: String, _ destination: String) async throws -> ObjectInfo {
        try await user.call(
            WorkspaceAPI.moveObject, .init(body: MoveObject(sourcePath: source, destinationPath: destination)))
    }

    /// A request of any kind with the administrator's token.
    func send(
        _ method: HTTPMethod, _ target: String, fields: HTTPFields = [:], body: HTTPOutgoingBody = .empty,
        deadline: MonotonicTime? = nil
    ) async throws -> HTTPClientResponse {
        var fields = fields
        if !fields.contains("authorization") { fields["authorization"] = "Bearer \(adminToken)" }
        return try await service.http.send(
            HTTPClientRequest(
                method: method, origin: try HTTPOrigin(service.baseURL), target: target, fields: fields, body: body),
            deadline: deadline ?? .now + .seconds(60))
    }
}

/// The code of the error that a body must fail with.
func errorCode(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async -> String {
    do {
        try await body()
        Issue.record("no error", sourceLocation: sourceLocation)
        return ""
    } catch let error as HarbourError {
        return error.code.name
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
        return ""
    }
}
