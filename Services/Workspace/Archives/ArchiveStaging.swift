internal import Compression
internal import Core
internal import Cryptography
internal import EventLoop
internal import HarbourProtocol
internal import NotebookFormats
internal import ObjectStorage

/// What has been unpacked and is not in the tree yet: notebooks and small files in memory, all else in the object
/// storage as uploads of nobody's, which end by themselves when this process does.
struct ArchiveStaging {
    /// What comes to a path.
    struct Content: Sendable {
        let path: WorkspacePath
        let kind: Kind

        enum Kind: Sendable {
            case folder
            case small(StoredContent)
            /// An upload of which all has come.
            case large(UploadRow)
        }
    }

    let uploads: UploadService
    let limits: ArchiveLimits
    let overwrites: Bool
    private(set) var contents: [Content] = []
    /// The uploads that were begun.
    private(set) var objects: [String] = []
    private(set) var notes: [String] = []
    private var notebookBytes = 0
    private var smallBytes = 0
    private var widgetBytes = 0

    /// Files up to this size are kept in the database, as long as not too many are.
    private static let smallFile = 1 << 20
    private static let smallFiles = 64 << 20
    private static let pieceSize = 1 << 20
    /// Widgets are in memory until all notebooks are in the tree.
    private static let mostWidgetBytes = 64 << 20

    init(uploads: UploadService, limits: ArchiveLimits, overwrites: Bool) {
        self.uploads = uploads
        self.limits = limits
        self.overwrites = overwrites
    }

    mutating func addFolder(_ path: WorkspacePath) { contents.append(Content(path: path, kind: .folder)) }

    /// Takes the bytes of an entry.
    mutating func add(_ item: ArchivePlan.Item, _ read: (Int) async throws -> [UInt8]?) async throws {
        let isSmall = item.size <= ArchiveStaging.smallFile && smallBytes < ArchiveStaging.smallFiles
        guard item.isNotebook || isSmall else { return try await addLarge(item, read) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(item.size)
        while let next = try await read(ArchiveStaging.pieceSize) { bytes += next }
        let whole = bytes
        if item.isNotebook, try await addNotebook(item, whole) { return }
        let content = try await StoredContent.work(on: whole.count) {
            StoredContent(
                format: .file, language: nil, size: whole.count, hash: Digest.sha256(whole),
                place: .frame(LZ4Frame.compress(whole)))
        }
        smallBytes += content.frameBytes
        contents.append(Content(path: try filePath(item), kind: .small(content)))
    }

    /// False when it is no notebook, whatever its name says: then it stays the file that it is.
    private mutating func addNotebook(_ item: ArchivePlan.Item, _ bytes: [UInt8]) async throws -> Bool {
        let name = item.name.split(separator: "/").last.map(String.init) ?? item.name
        var content: StoredContent
        do {
            content = try await StoredContent.work(on: bytes.count) {
                var content = try StoredContent.read(
                    bytes, name: name, format: .auto, language: nil, takesWidgets: true)
                // It is not compressed, and of thousands of notebooks too much to keep: `SearchReader` reads it again.
                content.text = nil
                return content
            }
        } catch let error as HarbourError where error.code == .invalidNotebook || error.code == .tooLarge {
            notes.append("\(item.name) is a file and no notebook: \(error.message)")
            return false
        }
        notebookBytes += content.frameBytes
        guard notebookBytes <= limits.notebookBytes else {
            throw HarbourError(
                .tooLarge,
                "The archive has more than \(limits.notebookBytes >> 20) MiB of notebooks, compressed. Import it in parts."
            )
        }
        let bytes = (content.widgets ?? []).reduce(0) { $0 + $1.bytes }
        if widgetBytes + bytes > ArchiveStaging.mostWidgetBytes {
            notes.append("\(item.name) is there without its widgets: those of the archive are too long together")
            content.widgets = nil
        } else {
            widgetBytes += bytes
        }
        contents.append(Content(path: item.path, kind: .small(content)))
        return true
    }

    /// A file has its whole name.
    private func filePath(_ item: ArchivePlan.Item) throws(HarbourError) -> WorkspacePath {
        guard item.isNotebook else { return item.path }
        let name = item.name.split(separator: "/").last.map(String.init) ?? item.name
        return try WorkspacePath((item.path.folder ?? .root).prefix + name)
    }

    private mutating func addLarge(_ item: ArchivePlan.Item, _ read: (Int) async throws -> [UInt8]?) async throws {
        let row = try await uploads.store.insert(
            SystemRandom.token(bytes: 16), by: "", to: item.path, overwrites: overwrites, size: item.size, wanted: nil,
            storage: try uploads.available().name, lifetime: uploads.lifetime, limit: nil)
        objects.append(row.id)
        var writer = PieceWriter(service: uploads, row: row)
        while let next = try await read(ArchiveStaging.pieceSize) { try await writer.add(next[...]) }
        contents.append(Content(path: item.path, kind: .large(writer.row)))
    }
}

extension StoredContent {
    /// What it takes in memory.
    var frameBytes: Int {
        if case .frame(let frame) = place { frame.count } else { 0 }
    }
}
