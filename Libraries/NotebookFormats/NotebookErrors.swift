public import Core

extension ErrorCode {
    /// The bytes are not a notebook of the named format; the message names the place.
    public static let invalidNotebook = ErrorCode("INVALID_NOTEBOOK", status: 400)
}

/// What bounds a notebook that comes from outside.
public struct NotebookLimits: Sendable, Hashable {
    /// The size of the file in bytes.
    public var bytes: Int
    /// How many cells it may have.
    public var cells: Int
    /// How deep its JSON may be nested.
    public var depth: Int

    /// Makes limits; the standard ones hold any notebook that a browser can still show.
    public init(bytes: Int = 64 << 20, cells: Int = 10_000, depth: Int = 128) {
        self.bytes = bytes
        self.cells = cells
        self.depth = depth
    }

    func check(bytes count: Int) throws(HarbourError) {
        guard count <= bytes else {
            throw HarbourError(
                .invalidNotebook,
                "The notebook has \(count) bytes; at most \(bytes) are allowed. Clear large outputs, or keep data in "
                    + "files instead of cells.")
        }
    }

    func check(cells count: Int) throws(HarbourError) {
        guard count <= cells else {
            throw HarbourError(
                .invalidNotebook, "The notebook has more than \(cells) cells, which is the most that is allowed.")
        }
    }
}

extension HarbourError {
    /// A notebook refused at a place such as `cells[3].source`.
    static func notebook(_ place: String, _ reason: String) -> HarbourError {
        HarbourError(.invalidNotebook, "The notebook cannot be read: `\(place)` \(reason).")
    }
}

/// The text of bytes from outside.
///
/// - Throws: `INVALID_NOTEBOOK` with the line of the first byte that is not UTF-8.
func checkedText(_ bytes: ArraySlice<UInt8>) throws(HarbourError) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var line = 1
    decoding: while true {
        switch decoder.decode(&iterator) {
        case .scalarValue(let scalar): if scalar == "\n" { line += 1 }
        case .emptyInput, .error: break decoding
        }
    }
    throw HarbourError(
        .invalidNotebook,
        "The notebook cannot be read: line \(line) holds bytes that are not UTF-8 text. Save the file as UTF-8.")
}
