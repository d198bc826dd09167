internal import Core
internal import Cryptography
internal import HTTPMessage
internal import HTTPServer
internal import ObjectStorage

/// Reads what is in the tree, wherever its bytes are, and lets nothing through that is not what was stored.
struct FileReader: Sendable {
    let tree: WorkspaceTree
    let store: UploadStore
    /// Nil when none was set up.
    let storage: (any ObjectStorage)?

    /// A revision of the entry at a path; the newest when nil.
    func content(_ path: String, _ revisionID: Int64?) async throws -> RevisionContent {
        let path = try WorkspacePath(path)
        return try await tree.content(revisionID.map { .revisionAt(path, $0) } ?? .newest(path))
    }

    /// The content with its bytes here, when they are few enough for that.
    /// - Throws: `REQUEST_TOO_LARGE` for files that have to be downloaded.
    func loaded(_ content: RevisionContent) async throws -> RevisionContent {
        guard case .object = content.place else { return content }
        guard content.size <= StoredContent.maximumBytes else {
            throw HarbourError(
                .tooLarge,
                "\(content.path) has \(content.size) bytes, too many for this. Get it from /api/v1/files/content.")
        }
        var whole = content
        whole.place = .bytes(try await bytes(of: content, 0..<content.size))
        return whole
    }

    /// Gives a part of a file to a writer, piece by piece.
    func pieces(
        of content: RevisionContent, _ range: Range<Int>, _ write: ([UInt8]) async throws -> Void
    ) async throws {
        guard case .object(let key) = content.place else {
            return try await write(try await bytes(of: content, range))
        }
        var reader = try await reader(key, range)
        while let next = try await reader.next() { try await write(next) }
    }

    /// A part of a file that is small enough to be here at once.
    func bytes(of content: RevisionContent, _ range: Range<Int>) async throws -> [UInt8] {
        guard case .object(let key) = content.place else {
            let all = try await StoredContent.work(on: content.size) { try content.bytes() }
            return Array(all[range.clamped(to: 0..<all.count)])
        }
        var reader = try await reader(key, range)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        while let next = try await reader.next() { bytes += next }
        return bytes
    }

    private func reader(_ text: String, _ range: Range<Int>) async throws -> VerifiedReader {
        guard let key = ObjectKey(text) else { throw HarbourError.missingRow("object key") }
        let (manifest, kind) = try await store.manifest(of: key)
        guard let storage, storage.name == kind else {
            throw HarbourError(
                .objectMissing,
                "This file is in the object storage \(kind), which is not the one that is set up. Set "
                    + "HARBOUR_WORKSPACE_STORAGE_BACKEND back, or move the objects.")
        }
        return try await VerifiedReader(storage, key, manifest, range)
    }

    // MARK: Downloads

    /// Answers a download: whole or a range, by the conditions of the request.
    /// - Parameter modified: when it last changed; nil when nobody knows.
    func download(
        _ content: RevisionContent, _ request: HTTPRequest, inline: Bool, modified: Timestamp?
    ) async throws -> HTTPResponse {
        let validators = FileValidators(entityTag: "\"\(hexadecimal(content.hash))\"", modified: modified)
        var fields = FileFields.fields(name: content.fileName, inline: inline)
        fields.append("etag", validators.entityTag)
        if let date = validators.lastModified { fields.append("last-modified", date) }
        fields.append("cache-control", "private, no-cache")
        switch validators.evaluate(request) {
        case .notModified: return HTTPResponse(status: 304, fields: fields)
        case .failed: return HTTPResponse(status: 412, fields: fields)
        case .proceed: break
        }
        var range = 0..<content.size
        var status = 200
        if let text = request.fields["range"], request.method == .get, validators.rangeApplies(request) {
            switch ByteRanges.parse(text, size: content.size) {
            case .whole: break
            case .part(let part):
                range = part
                status = 206
                fields.append(
                    "content-range", "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(content.size)")
            case .unsatisfiable:
                return HTTPResponse(status: 416, fields: ["content-range": "bytes */\(content.size)"])
            }
        }
        guard case .object(let key) = content.place else {
            return HTTPResponse(status: status, fields: fields, body: .bytes(try await bytes(of: content, range)))
        }
        return try await streamed(key, range, HTTPResponse(status: status, fields: fields))
    }

    /// The first block is checked before the head of the answer goes out, so that what is lost or damaged is answered
    /// with its error; what turns out later breaks the answer off.
    private func streamed(
        _ key: String, _ range: Range<Int>, _ head: HTTPResponse
    ) async throws -> HTTPResponse {
        let transfer = FileTransfer(try await reader(key, range))
        try await transfer.begin()
        var response = head
        response.streamLength = range.count
        response.body = .stream { writer in
            while let bytes = try await transfer.next() { try await writer.write(bytes) }
        }
        return response
    }
}

/// A reader that one answer has begun and goes on with.
///
/// `@unchecked Sendable`: the parts of one answer run one after the other.
private final class FileTransfer: @unchecked Sendable {
    private var reader: VerifiedReader
    private var first: [UInt8]?

    init(_ reader: consuming VerifiedReader) { self.reader = reader }

    func begin() async throws { first = try await reader.next() }

    func next() async throws -> [UInt8]? {
        if let bytes = first {
            first = nil
            return bytes
        }
        return try await reader.next()
    }
}

/// The header fields of downloads. Files are whatever somebody has put there, and come from the page's own origin:
/// none may become a page or a script of it.
enum FileFields {
    /// What a browser shows without running anything in it. PDF is shown by a viewer of the browser's own.
    private static let shown: Set<String> = [
        "image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf",
    ]

    static func fields(name: String, inline: Bool) -> HTTPFields {
        let known = MediaTypes.type(of: name)
        let isText = known.hasPrefix("text/") || known.hasPrefix("application/json")
        let isShown = inline && (shown.contains(known) || isText)
        var fields = HTTPFields()
        // Text of every kind is shown as plain text.
        let type =
            isShown && isText
            ? "text/plain; charset=utf-8" : isShown || !mayRun(known) ? known : "application/octet-stream"
        fields.append("content-type", type)
        fields.append("content-disposition", disposition(isShown ? "inline" : "attachment", name))
        fields.append("accept-ranges", "bytes")
        fields.append("x-content-type-options", "nosniff")
        fields.append("content-security-policy", "sandbox; default-src 'none'; frame-ancestors 'self'")
        fields.append("cross-origin-resource-policy", "same-origin")
        fields.append("referrer-policy", "no-referrer")
        return fields
    }

    /// Types that a browser takes for documents with scripts.
    private static func mayRun(_ type: String) -> Bool {
        ["html", "xml", "svg", "javascript", "css", "wasm"].contains { type.contains($0) }
    }

    /// RFC 6266: the name in ASCII for old clients, and as it is.
    static func disposition(_ kind: String, _ name: String) -> String {
        let plain = String(
            name.unicodeScalars.map { scalar in
                scalar.isASCII && scalar.value >= 0x20 && scalar != "\"" && scalar != "\\" && scalar.value != 0x7f
                    ? Character(scalar) : "_"
            })
        return "\(kind); filename=\"\(plain)\"; filename*=UTF-8''\(PercentEncoding.encode(name))"
    }
}
