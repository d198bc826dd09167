internal import Core
internal import HTTPMessage
internal import ObjectStorage
internal import WebClient

/// An object storage as the operator has set it.
struct S3Store: Sendable {
    let web: WebClient
    let endpoint: String
    let signer: AWSSigner

    init(web: WebClient, endpoint: String, signer: AWSSigner) {
        self.web = web
        self.endpoint = endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint
        self.signer = signer
    }

    /// The objects below a prefix, in all pages of the listing.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST`, `PERMISSION_DENIED`, `REQUEST_TOO_LARGE`, `BAD_UPSTREAM_RESPONSE`, and what
    ///   the way there throws.
    func list(bucket: String, prefix: String) async throws -> [FoundFile] {
        var files: [FoundFile] = []
        var page: String?
        repeat {
            var url = "\(endpoint)/\(Self.encode(bucket))?encoding-type=url&list-type=2&max-keys=1000"
            url += "&prefix=\(Self.encode(prefix))"
            if let page { url += "&continuation-token=\(Self.encode(page))" }
            var request = WebRequest(url: url)
            request.signature = signer
            let answer = try await web.send(request, deadline: .now + .seconds(60))
            let text = String(decoding: try await answer.collect(limit: 16 << 20), as: UTF8.self)
            guard answer.status == 200 else { throw Self.failure(answer.status, bucket) }
            let listing = try S3Page(text)
            files += listing.files.filter { !$0.path.hasSuffix("/") }
            page = listing.nextToken
            guard files.count <= FolderListing.limit else {
                throw HarbourError(
                    .tooLarge,
                    "s3://\(bucket)/\(prefix) has more than \(FolderListing.limit) objects. Name a longer prefix.")
            }
        } while page != nil
        return files
    }

    private static func failure(_ status: Int, _ bucket: String) -> HarbourError {
        switch status {
        case 404: HarbourError(.notFound, "The object storage has no bucket \(bucket).")
        case 401, 403:
            HarbourError(
                .permissionDenied,
                "The object storage does not let us list \(bucket). Check HARBOUR_SCHEDULER_S3_ACCESS_KEY and its secret."
            )
        case 429, 500...: HarbourError(.unavailable, "The object storage answered with \(status).")
        default: HarbourError(.badGateway, "The object storage answered with \(status).")
        }
    }

    static func encode(_ text: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if plain.contains(byte) {
                bytes.append(byte)
            } else {
                bytes += [37, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// One page of a listing (ListObjectsV2). Keys come percent-encoded, because we ask for that.
struct S3Page {
    private(set) var files: [FoundFile] = []
    /// Nil on the last page.
    private(set) var nextToken: String?

    /// - Throws: `BAD_UPSTREAM_RESPONSE` when it is no listing.
    init(_ text: String) throws(HarbourError) {
        let body = Substring(text)
        guard let list = S3XML.element("ListBucketResult", in: body) else {
            throw HarbourError(.badGateway, "The object storage's answer is no listing.")
        }
        var rest = list.content
        while let contents = S3XML.element("Contents", in: rest) {
            rest = rest[contents.end...]
            guard let key = S3XML.text("Key", in: contents.content).flatMap(S3Page.decodePercent),
                let modified = S3XML.text("LastModified", in: contents.content).flatMap(S3Page.time)
            else {
                throw HarbourError(.badGateway, "The object storage's listing has an object without a key or time.")
            }
            let tag = S3XML.text("ETag", in: contents.content) ?? ""
            let size = S3XML.text("Size", in: contents.content) ?? ""
            // Many stores tell whole seconds.
            let latest = modified.milliseconds % 1000 == 0 ? modified + .milliseconds(999) : modified
            // The tag of the same content is the same: when it was written tells that it was written again.
            files.append(
                FoundFile(path: key, version: "\(tag)-\(size)-\(modified.milliseconds)", changedAt: latest))
        }
        if S3XML.text("IsTruncated", in: list.content) == "true" {
            nextToken = S3XML.text("NextContinuationToken", in: list.content)
            guard nextToken != nil else {
                throw HarbourError(.badGateway, "The object storage's listing breaks off without saying how to go on.")
            }
        }
    }

    private static func decodePercent(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                bytes.append(0x20)
            } else if byte == UInt8(ascii: "%") {
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard rest.count >= 2, let value = UInt8(digits, radix: 16) else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// `2026-11-21T04:05:06.789Z`.
    private static func time(_ text: String) -> Timestamp? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int? { Int(String(decoding: bytes[range], as: UTF8.self)) }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSinceEpoch
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second
        let fraction = bytes.count > 20 ? bytes[20..<(bytes.count - 1)].prefix(3) : []
        let digits = String(decoding: fraction, as: UTF8.self)
        let milliseconds = Int(digits + String(repeating: "0", count: 3 - digits.count)) ?? 0
        return Timestamp(milliseconds: Int64(seconds) * 1000 + Int64(milliseconds))
    }
}
