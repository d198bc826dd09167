public import Core
internal import Glibc
public import HTTPMessage

/// Files of one folder: ranges, entity tags, pre-compressed variants, and no way out of the folder.
///
///     let files = try StaticFiles(folder: "/usr/share/harbour/web")
///     router.get("/{path...}") { request, parameters in try files.respond(to: request, path: parameters["path"]) }
///
/// Reading the head of a file costs a few system calls that the page cache answers; bodies are read piece by piece as
/// the client takes them.
public final class StaticFiles: Sendable {
    /// What belongs to the files of a folder.
    public struct Options: Sendable {
        /// Served for the folder itself; nil answers 404.
        public var index: String? = "index.html"
        /// Served, with status 200, for paths that name no file and have no dot in their last part: the routes of a
        /// single-page application. Nil answers 404.
        public var fallback: String?
        /// `cache-control` of files whose names hold a hash of their content, such as `main.5f3a9c1b.js`, or of that of the
        /// folder they are in, such as `editor-5f3a9c1b/main.js`.
        public var immutableCacheControl = "public, max-age=31536000, immutable"
        /// `cache-control` of all others.
        public var cacheControl = "no-cache"
        /// Types by extension in lower case, over the built-in ones.
        public var mediaTypes: [String: String] = [:]

        /// The defaults.
        public init() {}
    }

    private let folder: FolderDescriptor
    private let options: Options

    /// Opens the folder.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when there is none.
    public init(folder: String, options: Options = Options()) throws(HarbourError) {
        self.folder = try FolderDescriptor(folder)
        self.options = options
    }

    /// Answers GET and HEAD for the file of that name below the folder.
    /// - Parameters:
    ///   - request: whose conditions and ranges count.
    ///   - path: decoded and relative to the folder.
    /// - Returns: 200, 206, 304, 412 or 416.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST`, also for every path that would leave the folder.
    public func respond(to request: HTTPRequest, path: String) throws(HarbourError) -> HTTPResponse {
        let name = path.isEmpty ? options.index ?? "" : path
        if let found = try find(name, request) { return respond(request, name, found) }
        let last = name.split(separator: "/").last ?? ""
        if let fallback = options.fallback, !last.contains("."), let found = try find(fallback, request) {
            return respond(request, fallback, found)
        }
        throw HarbourError(.notFound, "There is no file of this name.")
    }

    // MARK: Finding

    private struct Found {
        let file: OpenFile
        /// The coding of the variant; nil for the file itself.
        let coding: String?
    }

    /// The smallest variant that the client takes.
    private func find(_ name: String, _ request: HTTPRequest) throws(HarbourError) -> Found? {
        guard StaticFiles.isSafe(name) else { return nil }
        let accepted = AcceptedCodings(request.fields.combined("accept-encoding") ?? "")
        for (coding, suffix) in [("br", ".br"), ("gzip", ".gz")] where accepted.allows(coding) {
            if let file = try folder.open(name + suffix) { return Found(file: file, coding: coding) }
        }
        return try folder.open(name).map { Found(file: $0, coding: nil) }
    }

    /// Whether every part is a plain name. The system is told not to leave the folder either; this is for systems
    /// that cannot be told, and for hidden files.
    static func isSafe(_ path: String) -> Bool {
        guard !path.isEmpty, path.utf8.count <= 1024, !path.utf8.contains(0), !path.utf8.contains(UInt8(ascii: "\\"))
        else { return false }
        return path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && $0.utf8.first != UInt8(ascii: ".") && $0.utf8.count <= 255
        }
    }

    // MARK: Answering

    private func respond(_ request: HTTPRequest, _ name: String, _ found: Found) -> HTTPResponse {
        let validators = FileValidators(found.file, coding: found.coding)
        var fields = HTTPFields()
        fields.append("etag", validators.entityTag)
        if let date = validators.lastModified { fields.append("last-modified", date) }
        fields.append(
            "cache-control", StaticFiles.hasHash(name) ? options.immutableCacheControl : options.cacheControl)
        fields.append("vary", "accept-encoding")
        switch validators.evaluate(request) {
        case .notModified: return HTTPResponse(status: 304, fields: fields)
        case .failed: return HTTPResponse(status: 412, fields: fields)
        case .proceed: break
        }
        fields.append("content-type", MediaTypes.type(of: name, options.mediaTypes))
        fields.append("accept-ranges", "bytes")
        fields.append("x-content-type-options", "nosniff")
        if let coding = found.coding { fields.append("content-encoding", coding) }
        let size = found.file.size
        guard let text = request.fields["range"], request.method == .get, validators.rangeApplies(request) else {
            return HTTPResponse(fields: fields, body: .file(found.file.part(0..<size)))
        }
        switch ByteRanges.parse(text, size: size) {
        case .whole: return HTTPResponse(fields: fields, body: .file(found.file.part(0..<size)))
        case .part(let range):
            fields.append("content-range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)")
            return HTTPResponse(status: 206, fields: fields, body: .file(found.file.part(range)))
        case .unsatisfiable:
            return HTTPResponse(status: 416, fields: ["content-range": "bytes */\(size)"])
        }
    }

    /// Whether a name is of one content for ever: a part of the file's name between dots or after a dash is a hash, or the
    /// end of the name of a folder that it is in. A hash is eight or more letters and digits, a digit among them.
    static func hasHash(_ path: String) -> Bool {
        let names = path.split(separator: "/")
        guard let file = names.last else { return false }
        let parts = file.split { $0 == "." || $0 == "-" }
        if parts.dropFirst().dropLast().contains(where: isHash) { return true }
        return names.dropLast().contains { folder in
            let parts = folder.split(separator: "-")
            return parts.count > 1 && parts.last.map(isHash) == true
        }
    }

    private static func isHash(_ part: Substring) -> Bool {
        part.utf8.count >= 8 && part.utf8.allSatisfy { isAlphanumeric($0) } && part.utf8.contains { isDigit($0) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == UInt8(ascii: "_")
    }
}
