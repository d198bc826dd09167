internal import Archive
internal import Compression
internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol
internal import NotebookFormats

/// Packs a folder into a zip archive while it is being sent: what is in memory is one notebook or one block of a file.
struct FolderExport: Sendable {
    let store: ArchiveStore
    let files: FileReader
    let execution: ExecutionService
    let limits: ArchiveLimits
    let turns = Turns(
        limit: 8, refusal: "8 archives are being exported at the moment, which is the limit. Try again soon.")

    /// What gets smaller by less than this is only stored: pictures, Parquet files and archives.
    private static let worthwhile = 0.95

    /// An entry with its name in the archive.
    struct Item: Sendable {
        let name: String
        let entry: ArchiveStore.Packed
    }

    /// Answers with the archive. Whatever can be refused is refused before its first byte; what turns out to be broken
    /// later breaks the connection off.
    func response(
        _ folder: WorkspacePath, as format: HarbourProtocol.NotebookFormat, seenBy sight: PermissionStore.Sight?
    ) async throws -> HTTPResponse {
        let found = try await files.tree.object(folder)
        guard found.objectType == .directory else {
            throw HarbourError(
                .invalidParameter,
                "\(folder.text) is no folder. Get a notebook from /api/v1/workspace/export, and a file from "
                    + "/api/v1/files/content.")
        }
        let turn = try await turns.take()
        let entries = try await store.entries(below: folder, seenBy: sight, count: limits.entries + 1)
        try check(entries, folder)
        let items = FolderExport.items(entries, below: folder, as: format)
        var fields = HTTPFields()
        fields.append("content-type", "application/zip")
        fields.append(
            "content-disposition",
            FileFields.disposition("attachment", "\(folder.isRoot ? "workspace" : folder.name).zip")
        )
        fields.append("cache-control", "private, no-store")
        fields.append("x-content-type-options", "nosniff")
        return HTTPResponse(
            status: 200, fields: fields,
            body: .stream { writer in
                try await write(items, as: format, to: writer)
                withExtendedLifetime(turn) {}
            })
    }

    private func check(_ entries: [ArchiveStore.Packed], _ folder: WorkspacePath) throws(HarbourError) {
        guard entries.count <= limits.entries else {
            throw HarbourError(
                .tooLarge,
                "\(folder.text) has more than \(limits.entries) entries, which is the limit of an archive. Export the "
                    + "folders in it one by one.")
        }
        let size = entries.reduce(0) { $0 + $1.size }
        guard size <= limits.bytes else {
            throw HarbourError(
                .tooLarge,
                "\(folder.text) has \(size) bytes, and an archive may have \(limits.bytes). Export the folders in it one "
                    + "by one.")
        }
    }

    /// Gives each entry its name. Where a notebook with its ending would be called like something else, it gets a word
    /// more.
    static func items(
        _ entries: [ArchiveStore.Packed], below folder: WorkspacePath, as format: HarbourProtocol.NotebookFormat
    ) -> [Item] {
        let start = folder.prefix.utf8.count
        func relative(_ path: String) -> String { String(decoding: path.utf8.dropFirst(start), as: UTF8.self) }
        var taken = Set(entries.filter { $0.kind != .notebook }.map { relative($0.path) })
        return entries.map { entry in
            let name = relative(entry.path)
            guard case .notebook(let own)? = entry.format else { return Item(name: name, entry: entry) }
            let ending = ArchiveNames.ending(own, language: entry.language, as: format)
            var full = "\(name).\(ending)"
            var number = 1
            while !taken.insert(full).inserted {
                full = number == 1 ? "\(name) (notebook).\(ending)" : "\(name) (notebook \(number)).\(ending)"
                number += 1
            }
            return Item(name: full, entry: entry)
        }
    }

    // MARK: Writing

    private func write(
        _ items: [Item], as format: HarbourProtocol.NotebookFormat, to writer: HTTPBodyWriter
    ) async throws {
        let zip = try ZipWriter(level: 6)
        for item in items {
            switch item.entry.kind {
            case .directory: try zip.begin(item.name, .folder, modified: item.entry.modified)
            case .notebook: try await writeNotebook(item, as: format, zip)
            case .file: try await writeFile(item, zip, to: writer)
            }
            // What is small goes out with what comes next.
            if zip.pendingBytes >= 64 << 10 { try await writer.write(zip.take()) }
        }
        try zip.finish()
        try await writer.write(zip.take())
    }

    private func writeNotebook(
        _ item: Item, as format: HarbourProtocol.NotebookFormat, _ zip: ZipWriter
    ) async throws {
        let (id, revision) = (item.entry.objectID, item.entry.revisionID ?? 0)
        let newest = try await execution.revision(.revisionOf(objectID: id, revision), isListed: true)
        let modified = item.entry.modified
        try await BlockingPool.shared.run {
            var (bytes, ending) = try newest.file(as: format)
            if ending == "py", !ArchiveNames.isPythonNotebook(bytes) {
                // As it is, it would come back as a module.
                bytes = NotebookFormats.NotebookFormat.pythonSource.serialize(try newest.content.notebook())
            }
            guard item.name.hasSuffix(".\(ending)") else {
                throw HarbourError.missingRow("format of \(newest.content.path)")
            }
            try zip.begin(item.name, .file(size: bytes.count, isCompressed: true), modified: modified)
            try zip.write(bytes)
        }
    }

    private func writeFile(_ item: Item, _ zip: ZipWriter, to writer: HTTPBodyWriter) async throws {
        let entry = item.entry
        let content = try await files.tree.content(
            .revisionOf(objectID: entry.objectID, entry.revisionID ?? 0))
        var isBegun = false
        try await files.pieces(of: content, 0..<content.size) { piece in
            let isFirst = !isBegun
            isBegun = true
            let bytes = try await BlockingPool.shared.run {
                if isFirst { try FolderExport.begin(item.name, content.size, entry.modified, piece, zip) }
                try zip.write(piece)
                return zip.take()
            }
            try await writer.write(bytes)
        }
        // A reader has nothing to give of an empty file.
        if !isBegun { try zip.begin(item.name, .file(size: 0, isCompressed: false), modified: entry.modified) }
    }

    private static func begin(
        _ name: String, _ size: Int, _ modified: Timestamp, _ first: [UInt8], _ zip: ZipWriter
    ) throws {
        let sample = Array(first.prefix(64 << 10))
        let isCompressed = Double(LZ4Frame.compress(sample).count) < worthwhile * Double(sample.count)
        try zip.begin(name, .file(size: size, isCompressed: isCompressed), modified: modified)
    }
}
