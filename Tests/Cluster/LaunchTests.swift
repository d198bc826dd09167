import ClusterBackend
import Core
import EventLoop
import HTTPServer
import HarbourProtocol
import ServiceClients
import ServiceKit
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// A workspace that knows one secret and one file.
private func withWorkspace<Value: Sendable>(
    _ body: @escaping @Sendable (_ url: String) async throws -> Value
) async throws -> Value {
    try await withEventLoop { loop in
        let router = ServiceRouter(loop: loop, authenticator: ServiceTokenAuthenticator(token: "t"))
        router.on(WorkspaceAPI.resolveSecrets) { input, context in
            #expect(context.isService)
            return ResolvedSecrets(
                secrets: try input.body.secrets.map { wanted in
                    guard wanted.scope == "db", wanted.key == "password" else {
                        throw HarbourError(.notFound, "There is no secret \(wanted.scope)/\(wanted.key).")
                    }
                    return ResolvedSecret(scope: "db", key: "password", value: "sesame-open")
                })
        }
        router.on(WorkspaceAPI.exportObject) { input, _ in
            ExportedObject(
                content: Base64.encode(Array("echo \(input.path)".utf8)), fileType: "sh", path: input.path,
                revisionID: 1)
        }
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(address: .tcp(host: "127.0.0.1", port: 0)), handler: router,
            loop: loop)
        let port = try await server.start()
        do {
            let value = try await body("http://127.0.0.1:\(port)")
            await server.drain(budget: .zero)
            return value
        } catch {
            await server.drain(budget: .zero)
            throw error
        }
    }
}

@Suite(.timeLimit(.minutes(10))) struct LaunchTests {
    @Test func placesOfSecretsAreFound() {
        let text = SecretText("a{{secrets/db/password}}b{{secrets/x}}{{secrets//y}}{{secrets/db/user}}{{other}}")
        #expect(text.references.map(\.key) == ["password", "user"])
        #expect(
            text.filled([
                SecretReference(scope: "db", key: "password"): "P", SecretReference(scope: "db", key: "user"): "U",
            ])
                == "aPb{{secrets/x}}{{secrets//y}}U{{other}}")
        #expect(SecretText("{{secrets/db/pass").references.isEmpty)
        #expect(SecretText("").filled([:]) == "")
    }

    @Test func wrongScriptsAndLibrariesAreSaidAtOnce() {
        var spec = ClusterSpec(clusterName: "x")
        spec.initScripts = [InitScript(), InitScript(content: "a", file: ScriptLocation(destination: "/b"))]
        spec.libraries = [
            Library(), Library(pypi: PyPILibrary(package: "--index-url=http://x")),
            Library(whl: "/a.whl", jar: "/b.jar"),
            Library(jar: "/b.jar"),
        ]
        #expect(LaunchPlan.problems(of: spec).count == 5)
    }

    @Test func aStartGetsItsSecretsScriptsAndLibraries() async throws {
        try await withWorkspace { url in
            try await withService(arguments: ["--workspace-url", url]) { fixture, client in
                var spec = ClusterSpec(clusterName: "test")
                spec.sparkEnvVars = ["PLAIN": "1", "DB": "ada:{{secrets/db/password}}@host"]
                spec.initScripts = [
                    InitScript(name: "a", content: "echo a"),
                    InitScript(workspace: ScriptLocation(destination: "/Shared/b.sh")),
                ]
                spec.libraries = [Library(pypi: PyPILibrary(package: "one"))]
                _ = try await client.call(
                    ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: "c1")))
                _ = try await fixture.wait("c1", for: .running)
                let request = try fixture.drivers.get("c1").driver.request
                #expect(request.spec.environment == ["PLAIN": "1"])
                #expect(request.spec.secretEnvironment["DB"]?.reveal() == "ada:sesame-open@host")
                let file = try #require(request.launch.files.first { $0.name == "start.json" })
                let start = try JSONObject(checkedJSON: file.content)
                #expect(start["secrets"]?[0]?.string == "sesame-open")
                #expect(start["init_scripts"]?[1]?["content"]?.string == "echo /Shared/b.sh")
                #expect(start["libraries"]?[0]?["pypi"]?["package"]?.string == "one")

                try await libraries(fixture, client)
            }
        }
    }

    private func libraries(_ fixture: ServiceFixture, _ client: ServiceClient) async throws {
        let two = Library(whl: "/two.whl")
        _ = try await client.call(
            ClusterAPI.installLibraries, .init(body: ClusterLibraries(clusterID: "c1", libraries: [two])))
        let one = Library(pypi: PyPILibrary(package: "one"))
        _ = try await client.call(
            ClusterAPI.uninstallLibraries, .init(body: ClusterLibraries(clusterID: "c1", libraries: [one])))
        let running = try await client.call(ClusterAPI.listLibraryStatuses, .init(clusterID: "c1"))
        #expect(running.libraryStatuses.map(\.status) == [.installed])
        await expectCode(.invalidParameter) {
            try await client.call(
                ClusterAPI.installLibraries,
                .init(body: ClusterLibraries(clusterID: "c1", libraries: [Library(whl: "-x")])))
        }
        _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
        _ = try await fixture.wait("c1", for: .terminated)
        let ended = try await client.call(ClusterAPI.listLibraryStatuses, .init(clusterID: "c1"))
        #expect(ended.libraryStatuses == [LibraryFullStatus(library: two, status: .pending)])
        _ = try await client.call(ClusterAPI.startCluster, .init(clusterID: "c1"))
        _ = try await fixture.wait("c1", for: .running)
        let file = try fixture.drivers.get("c1").driver.request.launch.files.first { $0.name == "start.json" }
        let start = try JSONObject(checkedJSON: try #require(file?.content))
        #expect(start["libraries"]?.array?.count == 1)
        #expect(start["libraries"]?[0]?["whl"]?.string == "/two.whl")
    }

    @Test func aSecretThatIsNotThereEndsTheStartInPlainWords() async throws {
        try await withWorkspace { url in
            try await withService(arguments: ["--workspace-url", url]) { fixture, client in
                var spec = ClusterSpec(clusterName: "test")
                spec.sparkEnvVars = ["DB": "{{secrets/db/absent}}"]
                _ = try await client.call(
                    ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: "c1")))
                let info = try await fixture.wait("c1", for: .terminated)
                #expect(info.terminationReason?.code == "INVALID_ARGUMENT")
                #expect(info.stateMessage.contains("db/absent"), "\(info.stateMessage)")
            }
        }
    }

    @Test func aFailedInitScriptIsItsOwnReason() {
        let reason = TerminationReason.sparkFailed("INIT_SCRIPT_FAILURE", "The init script a ended.")
        #expect(reason.code == "INIT_SCRIPT_FAILURE")
        #expect(reason.type == .clientError)
    }
}
