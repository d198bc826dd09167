internal import Core

/// A place in the tree: absolute, without empty parts, `.` and `..`, and without a slash at its end.
struct WorkspacePath: Sendable, Hashable {
    let text: String

    static let root = WorkspacePath(checked: "/")
    static let maximumDepth = 32
    static let maximumBytes = 1024

    private init(checked text: String) { self.text = text }

    /// Checks what a user wrote; one slash at the end is let pass.
    /// - Throws: `INVALID_PARAMETER_VALUE`, saying what is wrong with it.
    init(_ text: String) throws(HarbourError) {
        var text = text
        if text.utf8.count > 1, text.utf8.last == UInt8(ascii: "/") { text.removeLast() }
        guard text.utf8.first == UInt8(ascii: "/") else {
            throw WorkspacePath.invalid("must begin with /, such as /Shared/report")
        }
        self.text = text
        if text == "/" { return }
        guard text.utf8.count <= WorkspacePath.maximumBytes else {
            throw WorkspacePath.invalid("must have at most \(WorkspacePath.maximumBytes) bytes")
        }
        let parts = text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= WorkspacePath.maximumDepth else {
            throw WorkspacePath.invalid("must have at most \(WorkspacePath.maximumDepth) parts")
        }
        for part in parts {
            guard !part.isEmpty else { throw WorkspacePath.invalid("has an empty part between two slashes") }
            guard part.count <= 255 else { throw WorkspacePath.invalid("has a part of more than 255 bytes") }
            guard !part.elementsEqual(".".utf8), !part.elementsEqual("..".utf8) else {
                throw WorkspacePath.invalid("must not have . or .. as a part")
            }
            guard part.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
                throw WorkspacePath.invalid("must not have control characters")
            }
        }
    }

    private static func invalid(_ reason: String) -> HarbourError {
        HarbourError(.invalidParameter, "The path \(reason).")
    }

    var isRoot: Bool { text == "/" }

    /// The last part; empty for the root.
    var name: String { String(text[text.index(after: lastSlash)...]) }

    /// The folder it is in; the root is in none.
    var folder: WorkspacePath? {
        if isRoot { return nil }
        return lastSlash == text.startIndex ? .root : WorkspacePath(checked: String(text[..<lastSlash]))
    }

    /// All folders above it, the root first.
    var ancestors: [WorkspacePath] {
        var ancestors: [WorkspacePath] = []
        var next = folder
        while let folder = next {
            ancestors.append(folder)
            next = folder.folder
        }
        return ancestors.reversed()
    }

    /// What every path below it begins with.
    var prefix: String { isRoot ? "/" : text + "/" }

    /// The first text after all paths below it, as bytes sort: `0` follows `/`.
    var prefixEnd: String { isRoot ? "0" : text + "0" }

    func contains(_ other: WorkspacePath) -> Bool { other.text.utf8.starts(with: prefix.utf8) }

    private var lastSlash: String.Index {
        text.utf8.lastIndex(of: UInt8(ascii: "/")) ?? text.startIndex
    }
}
