public import Core
internal import Glibc
public import HTTPMessage

/// A folder that stays the same one when its path is given to another.
final class FolderDescriptor: Sendable {
    private let descriptor: Int32

    init(_ path: String) throws(HarbourError) {
        descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw HarbourError(.notFound, "The folder of the files to serve cannot be opened.", detail: path)
        }
    }

    deinit { close(descriptor) }

    /// The regular file of that name; nil when there is none. Each folder on the way is opened by its plain name and
    /// without following links, so that no path leads out, however the tree changes meanwhile.
    func open(_ name: String) throws(HarbourError) -> OpenFile? {
        var current = descriptor
        defer { if current != descriptor { close(current) } }
        let parts = name.split(separator: "/")
        for part in parts.dropLast() {
            let next = openat(current, String(part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { return nil }
            if current != descriptor { close(current) }
            current = next
        }
        guard let last = parts.last else { return nil }
        let file = openat(current, String(last), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else {
            if errno == EMFILE || errno == ENFILE { throw .system("A file could not be opened", errno) }
            return nil
        }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(file)
            return nil
        }
        return OpenFile(descriptor: file, status: status)
    }
}

/// A file that has been found.
final class OpenFile {
    let size: Int
    let modified: Timestamp
    let nanoseconds: Int
    let node: UInt64
    private var descriptor: Int32

    init(descriptor: Int32, status: stat) {
        self.descriptor = descriptor
        size = Int(status.st_size)
        modified = Timestamp(milliseconds: Int64(status.st_mtim.tv_sec) * 1000)
        nanoseconds = Int(status.st_mtim.tv_nsec)
        node = UInt64(status.st_ino)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Hands the descriptor over to the body; called once.
    func part(_ range: Range<Int>) -> HTTPFile {
        defer { descriptor = -1 }
        return HTTPFile(descriptor: descriptor, offset: range.lowerBound, length: range.count)
    }
}

/// Entity tag and date of a file, and what a request makes of them (RFC 9110 section 13).
public struct FileValidators: Sendable {
    /// What is to be done with a request.
    public enum Verdict: Sendable {
        /// Answer it.
        case proceed
        /// The client has it already: 304.
        case notModified
        /// It is not what the client thinks: 412.
        case failed
    }

    /// With its quotes.
    public let entityTag: String
    /// As a date of HTTP; nil when nobody knows.
    public let lastModified: String?
    private let modified: Timestamp?

    /// The validators of something that is not served from a folder.
    /// - Parameters:
    ///   - entityTag: with its quotes; another one for each content.
    ///   - modified: when it last changed; nil when nobody knows, and then conditions with a date say nothing.
    public init(entityTag: String, modified: Timestamp?) {
        self.entityTag = entityTag
        // Dates have whole seconds.
        self.modified = modified.map { Timestamp(milliseconds: $0.milliseconds / 1000 * 1000) }
        lastModified = modified.map { HTTPDate.format($0) }
    }

    init(_ file: OpenFile, coding: String?) {
        // The coding belongs to it: each variant is a representation of its own.
        let stamp = String(file.modified.milliseconds / 1000, radix: 36)
        let rest = String(file.nanoseconds, radix: 36)
        entityTag = "\"\(stamp)-\(rest)-\(String(file.size, radix: 36))\(coding.map { "-" + $0 } ?? "")\""
        modified = file.modified
        lastModified = HTTPDate.format(file.modified)
    }

    /// In the order of RFC 9110 section 13.2.2.
    public func evaluate(_ request: HTTPRequest) -> Verdict {
        if let wanted = request.fields.combined("if-match") {
            if !matches(wanted, weakly: false) { return .failed }
        } else if let modified, let date = request.fields["if-unmodified-since"].flatMap({ HTTPDate.parse($0) }),
            modified > date
        {
            return .failed
        }
        if let known = request.fields.combined("if-none-match") {
            return matches(known, weakly: true) ? .notModified : .proceed
        }
        if let modified, let date = request.fields["if-modified-since"].flatMap({ HTTPDate.parse($0) }),
            modified <= date
        {
            return .notModified
        }
        return .proceed
    }

    /// Whether a range may be cut from what we have (RFC 9110 section 13.1.5).
    public func rangeApplies(_ request: HTTPRequest) -> Bool {
        guard let condition = request.fields["if-range"] else { return true }
        if condition.hasPrefix("\"") { return condition == entityTag }
        guard let modified else { return false }
        return HTTPDate.parse(condition) == modified
    }

    private func matches(_ list: String, weakly: Bool) -> Bool {
        if list == "*" { return true }
        return list.split(separator: ",").contains { item in
            var tag = item.drop { $0 == " " || $0 == "\t" }
            while tag.last == " " || tag.last == "\t" { tag = tag.dropLast() }
            if weakly && tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
            return tag == entityTag
        }
    }
}

/// A `range` field (RFC 9110 section 14.2).
public enum ByteRanges: Sendable, Equatable {
    /// Not a range we honour: all of it is sent, as the RFC lets us.
    case whole
    /// These bytes.
    case part(Range<Int>)
    /// There are no such bytes: 416.
    case unsatisfiable

    /// Reads the field for something of that size.
    public static func parse(_ text: String, size: Int) -> ByteRanges {
        guard text.hasPrefix("bytes=") else { return .whole }
        // Several ranges would need a multipart body, which no client of ours asks for.
        let parts = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, !text.contains(",") else { return .whole }
        guard let first = number(parts[0]), let last = number(parts[1]) else { return .whole }
        switch (first, last) {
        case (nil, nil): return .whole
        case (nil, let count?):
            guard count > 0, size > 0 else { return .unsatisfiable }
            return .part(max(0, size - count)..<size)
        case (let start?, let end):
            if let end, end < start { return .whole }
            guard start < size else { return .unsatisfiable }
            return .part(start..<min(size, end.map { $0 == .max ? .max : $0 + 1 } ?? size))
        }
    }

    /// Outer nil: not a number. Inner nil: empty.
    private static func number(_ text: Substring) -> Int?? {
        if text.isEmpty { return .some(nil) }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return .some(Int(text) ?? .max)
    }
}

/// An `accept-encoding` field (RFC 9110 section 12.5.3).
struct AcceptedCodings {
    private var refused: Set<Substring> = []
    private var accepted: Set<Substring> = []

    init(_ text: String) {
        for item in text.lowercased().split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let name = parts.first else { continue }
            let isRefused = parts.dropFirst().contains { part in
                part.hasPrefix("q=0") && part.dropFirst(3).allSatisfy { $0 == "." || $0 == "0" }
            }
            if isRefused { refused.insert(Substring(name)) } else { accepted.insert(Substring(name)) }
        }
    }

    func allows(_ coding: Substring) -> Bool {
        accepted.contains(coding) || (accepted.contains("*") && !refused.contains(coding))
    }

    func allows(_ coding: String) -> Bool { allows(Substring(coding)) }
}

/// Types by extension.
public enum MediaTypes {
    private static let known: [String: String] = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "json": "application/json", "map": "application/json", "webmanifest": "application/manifest+json",
        "ipynb": "application/x-ipynb+json", "txt": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8",
        "csv": "text/csv; charset=utf-8", "xml": "application/xml", "svg": "image/svg+xml", "png": "image/png",
        "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
        "ico": "image/x-icon", "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf",
        "wasm": "application/wasm", "pdf": "application/pdf", "zip": "application/zip",
        "parquet": "application/vnd.apache.parquet",
    ]

    /// The type of a file by its name; `application/octet-stream` when it is not known. `more` wins over the known
    /// ones.
    public static func type(of name: String, _ more: [String: String] = [:]) -> String {
        guard let dot = name.lastIndex(of: ".") else { return "application/octet-stream" }
        let suffix = name[name.index(after: dot)...].lowercased()
        return more[suffix] ?? known[suffix] ?? "application/octet-stream"
    }
}
