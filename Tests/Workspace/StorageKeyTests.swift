import Configuration
import Core
import HTTPClient
import HTTPMessage
import HTTPServer
import HarbourProtocol
import ServiceClients
import ServiceKit
import ServiceTestKit
import Synchronization
import Testing
import WebClient

@testable import WorkspaceService

@Suite("Keys of the storage")
struct StorageKeyTests {
    /// What a server of objects was sent; it refuses everything.
    private final class Recorder: Sendable {
        let seen = Mutex<[HTTPFields]>([])

        var definition: ServiceDefinition {
            ServiceDefinition(name: "objects", summary: "A sample.", defaultPort: 0, hasDatabase: false) {
                [self] _, router in
                router.http.otherwise(where: { _ in true }) { [self] request, _ in
                    seen.withLock { $0.append(request.fields) }
                    return HTTPResponse(status: 403)
                }
                return []
            }
        }
    }

    /// Goal: with a temporary key all that is asked of S3 has its token, signed, and nobody is shown it.
    @Test func theTokenOfATemporaryKeyIsSent() async throws {
        let recorder = Recorder()
        try await withService(recorder.definition, hasDatabase: false) { objects in
            try await Workspace.run(
                more: [
                    "--storage-backend", "s3", "--s3-endpoint", objects.baseURL, "--s3-bucket", "lake",
                    "--s3-access-key", "ASIAKEY", "--s3-secret-key", "secret", "--s3-session-token", "token+/of==",
                ]
            ) { workspace in
                let answer = try await workspace.send(.get, "/api/v1/storage")
                let bytes = try await answer.collect()
                let status = try StorageStatus(json: bytes)
                #expect(!status.isReachable && status.errorCode == "OBJECT_STORAGE_REFUSED")
                #expect(status.advice?.contains("HARBOUR_WORKSPACE_S3_SESSION_TOKEN") == true)
                #expect(!String(decoding: bytes, as: UTF8.self).contains("token+/of=="))
                let shown = try #require(status.settings.first { $0.name == "HARBOUR_WORKSPACE_S3_SESSION_TOKEN" })
                #expect(shown.isSet && shown.value == nil && shown.aliases.contains("AWS_SESSION_TOKEN"))
                let seen = recorder.seen.withLock { $0 }
                #expect(!seen.isEmpty)
                for fields in seen {
                    #expect(fields["x-amz-security-token"] == "token+/of==")
                    let authorization = try #require(fields["authorization"])
                    #expect(authorization.contains("Credential=ASIAKEY/"))
                    #expect(authorization.contains(";x-amz-security-token, Signature="))
                }
            }
        }
    }

    /// Goal: whoever is signed in to AWS in a shell can still name another server with a key of its own there.
    @Test func theTokenOfAWSGoesWithItsKey() throws {
        func token(_ environment: [String: String]) throws -> String? {
            let schema = ConfigurationSchema(
                program: "workspace", summary: "A sample.", options: StorageSettings.all)
            guard case .run(let settings) = try Configuration.load(schema, arguments: [], environment: environment)
            else { return nil }
            return StorageSettings.signer(settings).sessionToken
        }
        let aws = ["AWS_ACCESS_KEY_ID": "ASIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"]
        #expect(try token(aws) == "t")
        #expect(try token(aws.merging(["S3_ACCESS_KEY": "minio", "S3_SECRET_KEY": "m"]) { _, own in own }) == nil)
        #expect(try token(aws.merging(["S3_ACCESS_KEY": "x", "S3_SESSION_TOKEN": "y"]) { _, own in own }) == "y")
        #expect(try token(["AWS_ACCESS_KEY_ID": "AKIA", "AWS_SESSION_TOKEN": ""]) == nil)
    }
}
