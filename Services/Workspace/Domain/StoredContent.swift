internal import Compression
internal import Core
internal import Cryptography
internal import EventLoop
internal import HarbourProtocol
internal import NotebookFormats

/// How the content of a revision is written.
enum ContentFormat: Sendable, Hashable {
    case notebook(NotebookFormats.NotebookFormat)
    case file

    /// The name in the database.
    var name: String {
        switch self {
        case .notebook(let format): format.rawValue
        case .file: "file"
        }
    }

    init(name: String) throws(HarbourError) {
        if name == "file" {
            self = .file
        } else if let format = NotebookFormats.NotebookFormat(rawValue: name) {
            self = .notebook(format)
        } else {
            throw HarbourError(
                .internalError, "Something went wrong on our side. The log of the service has the details.",
                detail: "a revision has the unknown format \(name)")
        }
    }
}

/// Where the bytes of a revision are.
enum ContentPlace: Sendable, Hashable {
    /// In the database, as an LZ4 frame.
    case frame([UInt8])
    /// In the object storage, under this key.
    case object(String)
    /// Here.
    case bytes([UInt8])
}

/// Content that has been looked at and is ready to be stored.
struct StoredContent: Sendable {
    let format: ContentFormat
    let language: String?
    let size: Int
    let hash: [UInt8]
    let place: ContentPlace
    /// What the search looks into; nil when that is still to be read (`SearchReader`).
    var text: SearchText?
    /// The widgets that a notebook's file says; nil when it says nothing of any, or nobody has asked.
    var widgets: [NotebookWidget]?
    /// The same in two, where a notebook's outputs are large.
    var split: SplitNotebook?

    /// The most that a file may have; a notebook has the limits of its format.
    static let maximumBytes = 64 << 20
    /// From this size on, work on content leaves the loop.
    private static let offLoopBytes = 128 << 10

    /// Runs work on content of a size on the loop, or beside it when it would take long.
    static func work<Value: Sendable>(
        on size: Int, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        size < offLoopBytes ? try body() : try await BlockingPool.shared.run(body)
    }

    /// Reads what was imported, so that nothing is stored that cannot be read again.
    /// - Parameter takesWidgets: whether the widgets that the file says are wanted; a save takes none, and there are many.
    /// - Throws: `INVALID_NOTEBOOK`, `REQUEST_TOO_LARGE`, or `INVALID_PARAMETER_VALUE` when the format cannot be told.
    static func read(
        _ bytes: [UInt8], name: String, format: HarbourProtocol.NotebookFormat, language: String?,
        takesWidgets: Bool
    ) throws -> StoredContent {
        try checkSize(bytes)
        let contentFormat = try self.format(of: bytes, name: name, format: format, language: language)
        var notebook: Notebook?
        if case .notebook(let format) = contentFormat { notebook = try format.parse(bytes) }
        return StoredContent(
            format: contentFormat, language: notebook?.language.name, size: bytes.count, hash: Digest.sha256(bytes),
            place: .frame(LZ4Frame.compress(bytes)),
            text: notebook.map(SearchText.init(notebook:)) ?? SearchText(file: bytes),
            widgets: takesWidgets ? notebook.flatMap(WidgetMetadata.read) : nil,
            split: bytes.count > SplitNotebook.limit ? notebook.flatMap(SplitNotebook.init) : nil)
    }

    /// A file, whatever its content looks like.
    static func file(_ bytes: [UInt8]) throws(HarbourError) -> StoredContent {
        try checkSize(bytes)
        return StoredContent(
            format: .file, language: nil, size: bytes.count, hash: Digest.sha256(bytes),
            place: .frame(LZ4Frame.compress(bytes)), text: SearchText(file: bytes))
    }

    private static func checkSize(_ bytes: [UInt8]) throws(HarbourError) {
        guard bytes.count <= maximumBytes else {
            throw HarbourError(
                .tooLarge, "The content has \(bytes.count) bytes; at most \(maximumBytes) are allowed.")
        }
    }

    private static func format(
        of bytes: [UInt8], name: String, format: HarbourProtocol.NotebookFormat, language: String?
    ) throws(HarbourError) -> ContentFormat {
        switch format {
        case .jupyter: return .notebook(.ipynb)
        case .auto:
            if let known = try? NotebookFormats.NotebookFormat.detect(name: name, content: bytes) {
                return .notebook(known)
            }
            return language == nil ? .file : .notebook(try source(of: language))
        case .source:
            let detected = try? NotebookFormats.NotebookFormat.detect(name: name, content: bytes)
            if let detected, detected != .ipynb { return .notebook(detected) }
            return .notebook(try source(of: language))
        }
    }

    private static func source(of language: String?) throws(HarbourError) -> NotebookFormats.NotebookFormat {
        switch language.map({ CellLanguage($0).name }) {
        case "python": return .python
        case "sql": return .sql
        case nil:
            throw HarbourError(
                .invalidParameter,
                "The language of the source cannot be told. Give the path an ending .py or .sql, or send `language`.")
        case let other?:
            throw HarbourError(
                .unsupported, "Source in \(other.prefix(32)) cannot be imported. Write it in python or sql.")
        }
    }
}

/// What a revision holds, taken out of the database.
struct RevisionContent: Sendable {
    let revisionID: Int64
    let objectID: Int64
    let path: String
    let format: ContentFormat
    let size: Int
    /// SHA-256.
    let hash: [UInt8]
    let createdAt: Timestamp
    var place: ContentPlace
    /// Whether its outputs are kept apart and not in what is here.
    var isBare = false

    /// Its last name, with the ending of its format.
    var fileName: String {
        let name = path.split(separator: "/").last.map(String.init) ?? "file"
        guard case .notebook(let format) = format, !name.hasSuffix(".\(format.fileExtension)") else { return name }
        return "\(name).\(format.fileExtension)"
    }

    /// All bytes. Those of the object storage have to be fetched before (`FileReader.loaded`).
    func bytes() throws(HarbourError) -> [UInt8] {
        switch place {
        case .frame(let frame): return try LZ4Frame.decompress(frame, limit: StoredContent.maximumBytes)
        case .bytes(let bytes): return bytes
        case .object:
            throw HarbourError(
                .internalError, "Something went wrong on our side. The log of the service has the details.",
                detail: "the content of \(path) is in the object storage and was not fetched")
        }
    }

    /// The notebook.
    /// - Throws: `INVALID_STATE` when it is a file.
    func notebook() throws(HarbourError) -> Notebook {
        guard case .notebook(let format) = format else {
            throw HarbourError(.invalidState, "\(path) is a file, not a notebook.")
        }
        return try format.parse(try bytes())
    }

    /// What a reader of the contract gets.
    func content() throws(HarbourError) -> NotebookContent { content(of: try notebook()) }

    /// The same of a notebook that was read before.
    func content(of notebook: Notebook) -> NotebookContent {
        let cells = notebook.cells.map { cell in
            NotebookCell(
                cellID: cell.id, kind: CellKind(cell.kind), language: cell.language(in: notebook).name,
                source: cell.text, title: cell.title)
        }
        // Before 4.5 nbformat had no ids; whoever edits the document must call the cells as we do, or they were others.
        var document = notebook
        document.minorVersion = max(5, notebook.minorVersion)
        return NotebookContent(
            notebookID: objectID, revisionID: revisionID, path: path, language: notebook.language.name, cells: cells,
            document: document.json)
    }

    /// The content as a file in the wished format, and the ending of its name.
    ///
    /// Only `.ipynb` has outputs and widgets: a notebook that is kept so gets those that came since.
    func file(
        as wished: HarbourProtocol.NotebookFormat, _ outputs: OutputOverlay? = nil, widgets: [NotebookWidget]? = nil
    ) throws(HarbourError) -> ([UInt8], String) {
        guard case .notebook(let own) = format else {
            let name = path.split(separator: "/").last ?? ""
            let ending = name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? ""
            return (try bytes(), ending)
        }
        let target: NotebookFormats.NotebookFormat
        switch wished {
        case .auto: target = own
        case .jupyter: target = .ipynb
        case .source:
            target = own == .ipynb ? (try notebook().language == .sql ? .sqlSource : .pythonSource) : own
        }
        if target == own, outputs == nil && widgets == nil || own != .ipynb { return (try bytes(), own.fileExtension) }
        var notebook = try notebook()
        if target == .ipynb {
            if let outputs { notebook = try outputs.notebook(notebook) }
            if let widgets { WidgetMetadata.write(widgets, into: &notebook, of: objectID) }
        }
        return (target.serialize(notebook), target.fileExtension)
    }
}

extension CellKind {
    init(_ kind: Cell.Kind) {
        switch kind {
        case .code: self = .code
        case .markdown: self = .markdown
        case .raw: self = .raw
        }
    }
}
