internal import Core
internal import EventLoop
public import HTTPMessage
public import WebClient

/// Objects in a bucket of S3 or whatever speaks like it: AWS, MinIO, SeaweedFS.
///
/// An unfinished object is a multipart upload. Each piece carries its SHA-256 in the signature, which the storage
/// checks.
public struct S3Objects: ObjectStorage {
    /// `s3`.
    public var name: String { "s3" }
    /// The bucket.
    public var place: ObjectPlace {
        .bucket(location.bucket, endpoint: location.origin + location.host, region: location.region)
    }
    /// A piece that is written twice has two tags, and the object is made of the one that was kept.
    public var writesInPlace: Bool { false }
    private let web: WebClient
    private let location: S3Location
    private let signer: AWSSigner

    private static let tries = 4
    private static let patience = Duration.seconds(120)
    /// AWS takes minutes to put an object of many pieces together.
    private static let longPatience = Duration.seconds(900)
    private static let readPatience = Duration.seconds(86_400)

    /// Makes a storage; nothing is asked yet.
    public init(web: WebClient, location: S3Location, signer: AWSSigner) {
        self.web = web
        self.location = location
        self.signer = signer
    }

    // MARK: Writing

    /// Begins a multipart upload.
    public func begin(_ key: ObjectKey) async throws -> String {
        let answer = try await ask(.post, key, "uploads=")
        guard answer.status == 200, let handle = S3XML.text("UploadId", in: Substring(answer.text)), !handle.isEmpty
        else {
            throw failure(answer, "begin an upload")
        }
        return handle
    }

    /// Uploads a part, trying again where that can help.
    public func write(_ piece: ObjectPiece, of key: ObjectKey, _ handle: String) async throws -> String {
        let query = "partNumber=\(piece.number + 1)&uploadId=\(PercentEncoding.encode(handle))"
        let answer = try await ask(.put, key, query, body: piece.bytes)
        guard answer.status == 200, let tag = answer.fields["etag"], !tag.isEmpty else {
            throw failure(answer, "upload a part", key)
        }
        return tag
    }

    /// Puts the parts together.
    public func finish(_ key: ObjectKey, _ handle: String, tags: [String], size: Int) async throws {
        if tags.isEmpty {
            // A multipart upload has at least one part.
            let answer = try await ask(.put, key, "", body: [])
            guard answer.status == 200 else { throw failure(answer, "store a file", key) }
        } else {
            var list = "<CompleteMultipartUpload>"
            for (index, tag) in tags.enumerated() {
                list += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(S3XML.escape(tag))</ETag></Part>"
            }
            list += "</CompleteMultipartUpload>"
            let answer = try await ask(
                .post, key, "uploadId=\(PercentEncoding.encode(handle))", body: Array(list.utf8),
                patience: S3Objects.longPatience)
            // An error may come after a 200, because the storage answers before it is done. And whoever finished before
            // us, or before our answer was lost, has left no upload.
            let isDone = answer.status == 200 && S3XML.element("Error", in: Substring(answer.text)) == nil
            if !isDone, answer.status != 404 { throw failure(answer, "put a file together", key) }
        }
        guard let there = try await self.size(of: key) else { throw VerifiedReader.missing(key) }
        guard there == size else {
            throw HarbourError(
                .objectCorrupted, "A part of the uploaded file is gone from the object storage. Upload it again.",
                detail: "\(key) has \(there) bytes instead of \(size)")
        }
        try await abandon(key)
    }

    /// Aborts all multipart uploads of the object: there are two when a process died between beginning one and noting
    /// it.
    public func abandon(_ key: ObjectKey) async throws {
        for handle in try await unfinished(below: key.path) { try await abort(key, handle) }
    }

    /// Deletes the object.
    public func remove(_ key: ObjectKey) async throws {
        let answer = try await ask(.delete, key, "")
        guard [200, 204, 404].contains(answer.status) else { throw failure(answer, "delete a file", key) }
    }

    private func abort(_ key: ObjectKey, _ handle: String) async throws {
        let answer = try await ask(.delete, key, "uploadId=\(PercentEncoding.encode(handle))")
        guard [200, 204, 404].contains(answer.status) else { throw failure(answer, "abort an upload", key) }
    }

    // MARK: Reading

    /// Asks for the range; the body comes as it is read.
    public func read(_ key: ObjectKey, _ range: Range<Int>) async throws -> HTTPBody {
        var request = WebRequest(
            url: location.url(key.path), fields: ["range": "bytes=\(range.lowerBound)-\(range.upperBound - 1)"])
        request.signature = signer
        // Not less, for an answer that says why there is none.
        request.responseLimit = max(range.count, 64 << 10)
        let response = try await web.send(request, deadline: .now + S3Objects.readPatience)
        // Who ignores ranges sends everything, which will do when it begins where we want to begin.
        guard response.status == 206 || response.status == 200 && range.lowerBound == 0 else {
            let text = String(decoding: try await response.collect(limit: 64 << 10), as: UTF8.self)
            throw failure(Answer(status: response.status, fields: response.fields, text: text), "read a file", key)
        }
        return response.body
    }

    /// Asks for the head.
    public func size(of key: ObjectKey) async throws -> Int? {
        let answer = try await ask(.head, key, "")
        switch answer.status {
        case 200: return answer.fields["content-length"].flatMap { Int($0) } ?? 0
        case 404: return nil
        default: throw failure(answer, "look at a file", key)
        }
    }

    /// Lists one unfinished upload, which every upload of ours needs to be allowed too. Nothing is tried again: whoever
    /// looks wants to know how it is now.
    public func look(patience: Duration) async throws -> StorageRoom? {
        let query = "max-uploads=1&prefix=\(PercentEncoding.encode(ObjectKey.prefix))&uploads="
        let answer = try await send(.get, location.url("", query), nil, patience: patience, tries: 1)
        guard answer.status == 200 else { throw failure(answer, "list uploads") }
        return nil
    }

    /// The handles of multipart uploads whose keys begin so. Those of one object fit into one page.
    func unfinished(below prefix: String) async throws -> [String] {
        let query = "max-uploads=1000&prefix=\(PercentEncoding.encode(prefix))&uploads="
        let answer = try await send(.get, location.url("", query), nil)
        guard answer.status == 200 else { throw failure(answer, "list uploads") }
        var handles: [String] = []
        var rest = Substring(answer.text)
        while let upload = S3XML.element("Upload", in: rest) {
            rest = rest[upload.end...]
            if let handle = S3XML.text("UploadId", in: upload.content) { handles.append(handle) }
        }
        return handles
    }

    // MARK: Asking

    private struct Answer {
        let status: Int
        let fields: HTTPFields
        let text: String
    }

    private func ask(
        _ method: HTTPMethod, _ key: ObjectKey, _ query: String, body: [UInt8]? = nil,
        patience: Duration = S3Objects.patience
    ) async throws -> Answer {
        try await send(method, location.url(key.path, query), body, patience: patience)
    }

    /// Everything that is asked here may be asked twice: that leaves at most an upload without pieces, which is swept.
    private func send(
        _ method: HTTPMethod, _ url: String, _ body: [UInt8]?, patience: Duration = S3Objects.patience,
        tries: Int = S3Objects.tries
    ) async throws -> Answer {
        var pause = Duration.milliseconds(100)
        for attempt in 1... {
            do throws(HarbourError) {
                var request = WebRequest(method: method, url: url, body: body.map { .bytes($0) } ?? .empty)
                request.signature = signer
                let response = try await web.send(request, deadline: .now + patience)
                let bytes = method == .head ? [] : try await response.collect(limit: 16 << 20)
                let isPassing = response.status == 429 || response.status >= 500 && response.status != 507
                if !isPassing || attempt == tries {
                    return Answer(
                        status: response.status, fields: response.fields, text: String(decoding: bytes, as: UTF8.self))
                }
            } catch {
                guard error.code == .unavailable, attempt < tries else { throw error }
            }
            if let loop = EventLoop.current {
                try await loop.sleep(for: pause)
            } else {
                try await Task.sleep(for: pause)
            }
            pause = pause * 4
        }
        throw HarbourError(.unavailable, "The object storage does not answer.")
    }

    private func failure(_ answer: Answer, _ what: String, _ key: ObjectKey? = nil) -> HarbourError {
        let code = S3XML.text("Code", in: Substring(answer.text)) ?? ""
        let detail = "\(what): status \(answer.status) \(code.prefix(100))\(key.map { ", object \($0)" } ?? "")"
        switch answer.status {
        case 404 where code == "NoSuchBucket":
            return HarbourError(
                .storageRefused,
                "The object storage has no bucket \(location.bucket). Make it, or name another in the settings.",
                detail: detail)
        case 404:
            if let key { return VerifiedReader.missing(key) }
            return HarbourError(.badGateway, "The object storage does not know what it was asked for.", detail: detail)
        case 401, 403:
            return HarbourError(
                .storageRefused,
                "The object storage does not let us \(what). Check the access key and its secret in the settings.",
                detail: detail)
        case 507: return HarbourError(.storageFull, "There is no room left in the object storage.", detail: detail)
        case 429, 500...:
            return HarbourError(
                .unavailable, "The object storage answered with \(answer.status). Try again later.", detail: detail)
        default:
            return HarbourError(
                .badGateway, "The object storage could not \(what); it answered with \(answer.status).", detail: detail)
        }
    }
}
