public import Core

/// A notebook: cells in order, and what is known about the whole. Every format is read into this and written from it.
///
/// What only one format knows is kept where that format finds it again, so that reading and writing changes nothing:
/// unknown fields of `.ipynb` stay in place, and oddities of source files are noted in the metadata under
/// `dataharbour`.
public struct Notebook: Sendable, Hashable {
    /// The cells in order.
    public var cells: [Cell]
    /// Metadata of the whole, as nbformat has it.
    public var metadata: JSONObject
    /// The minor version of nbformat 4 that it is written in: 5 brings cell ids.
    public var minorVersion: Int
    /// Fields beside cells, metadata and version, which nbformat does not know.
    public var unknownFields: JSONObject
    /// How the `.ipynb` it came from was laid out.
    var layout = JSONLayout.jupyter
    /// The keys of that file in their order.
    var keys: [String] = []

    /// Makes a notebook in a language.
    public init(language: CellLanguage = .python, cells: [Cell] = []) {
        self.cells = cells
        metadata = JSONObject()
        minorVersion = 5
        unknownFields = JSONObject()
        self.language = language
    }

    init(cells: [Cell], metadata: JSONObject, minorVersion: Int, unknownFields: JSONObject, layout: JSONLayout) {
        self.cells = cells
        self.metadata = metadata
        self.minorVersion = minorVersion
        self.unknownFields = unknownFields
        self.layout = layout
    }

    /// The language of cells without a magic command. It is kept in the metadata where Databricks and Jupyter look.
    public var language: CellLanguage {
        get {
            let databricks = metadata[NotebookKey.notebook]?["language"]?.string
            let kernel = metadata["language_info"]?["name"]?.string ?? metadata["kernelspec"]?["language"]?.string
            return CellLanguage(databricks ?? kernel ?? "python")
        }
        set {
            guard newValue != language else { return }
            var settings = metadata[NotebookKey.notebook]?.object ?? JSONObject()
            settings["language"] = .string(newValue.name)
            metadata[NotebookKey.notebook] = .object(settings)
            // They would say otherwise.
            metadata["language_info"] = nil
            metadata["kernelspec"] = nil
        }
    }

    /// The widgets by name, where Databricks keeps them; nil when the notebook says nothing of any.
    public var widgetMetadata: JSONObject? {
        get { metadata[NotebookKey.notebook]?["widgets"]?.object }
        set {
            // Beside them Databricks expects the language.
            var settings = metadata[NotebookKey.notebook]?.object ?? ["language": .string(language.name)]
            settings["widgets"] = newValue.map { .object($0) }
            metadata[NotebookKey.notebook] = .object(settings)
        }
    }

    /// Equal when they mean the same, however their file was laid out.
    public static func == (left: Notebook, right: Notebook) -> Bool {
        left.cells == right.cells && left.metadata == right.metadata && left.minorVersion == right.minorVersion
            && left.unknownFields == right.unknownFields
    }

    /// Hashes what equality mostly turns on.
    public func hash(into hasher: inout Hasher) { hasher.combine(cells) }

    /// The place of the cell of that id, or nil.
    public func index(ofCell id: String) -> Int? { cells.firstIndex { $0.id == id } }
}

/// The keys under which Databricks and we keep things in metadata.
enum NotebookKey {
    static let notebook = "application/vnd.databricks.v1+notebook"
    static let cell = "application/vnd.databricks.v1+cell"
    static let own = "dataharbour"
}

/// One cell.
public struct Cell: Sendable, Hashable {
    /// The three kinds of nbformat.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Something to run.
        case code
        /// Something to show.
        case markdown
        /// Neither.
        case raw
    }

    /// A name within the notebook that stays with the cell (nbformat 4.5: 1 to 64 letters, digits, `-` and `_`).
    public var id: String
    /// What kind it is.
    public var kind: Kind
    /// What it holds, magic command included.
    public var source: String
    /// Metadata of the cell.
    public var metadata: JSONObject
    /// The files inside a markdown or raw cell, by name.
    public var attachments: JSONObject?
    /// What the last run put out; only code cells have outputs.
    public var outputs: [CellOutput]
    /// The kernel's count of the last run.
    public var executionCount: Int64?
    /// Fields that nbformat does not know.
    public var unknownFields: JSONObject
    /// The cell's fields as they were read, for their order and for a source that is not split as Jupyter splits it.
    var origin: CellOrigin?

    /// Makes a cell.
    public init(
        id: String, kind: Kind = .code, source: String, metadata: JSONObject = JSONObject(),
        outputs: [CellOutput] = [], executionCount: Int64? = nil
    ) {
        self.id = id
        self.kind = kind
        self.source = source
        self.metadata = metadata
        self.outputs = outputs
        self.executionCount = executionCount
        unknownFields = JSONObject()
    }

    /// The magic command of a code cell, or nil.
    public var magic: CellMagic? { kind == .code ? CellMagic(source: source) : nil }

    /// The cell's language: by its kind, its magic command, or the notebook's default.
    public func language(in notebook: Notebook) -> CellLanguage {
        switch kind {
        case .markdown: .markdown
        case .raw: .raw
        case .code: magic?.language ?? notebook.language
        }
    }

    /// What is run or shown: the source without its magic command. A `%pip` cell keeps it, for Python runs it so.
    public var text: String { magic?.body ?? source }

    /// A title given to the cell, as Databricks keeps it.
    public var title: String? {
        get { metadata[NotebookKey.cell]?["title"]?.string.flatMap { $0.isEmpty ? nil : $0 } }
        set {
            guard newValue != title else { return }
            var settings = metadata[NotebookKey.cell]?.object ?? JSONObject()
            settings["showTitle"] = .bool(newValue != nil)
            settings["title"] = .string(newValue ?? "")
            metadata[NotebookKey.cell] = .object(settings)
        }
    }

    /// Equal when they mean the same, however their file spelled it.
    public static func == (left: Cell, right: Cell) -> Bool {
        left.id == right.id && left.kind == right.kind && left.source == right.source
            && left.metadata == right.metadata && left.attachments == right.attachments
            && left.outputs == right.outputs && left.executionCount == right.executionCount
            && left.unknownFields == right.unknownFields
    }

    /// Hashes what equality mostly turns on.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(source)
    }
}

/// How a cell stood in its `.ipynb`.
struct CellOrigin: Sendable, Hashable {
    /// The keys in their order.
    var keys: [String]
    /// The source, where it was not a list of lines as Jupyter writes it.
    var source: JSONValue?
}
