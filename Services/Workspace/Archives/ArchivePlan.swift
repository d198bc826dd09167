internal import Archive
internal import Core
internal import HarbourProtocol

/// What an archive would put where, and all that is wrong with it: looked at before anything of it is unpacked.
struct ArchivePlan: Sendable {
    /// One entry of the archive.
    struct Item: Sendable {
        /// Which entry of the archive it is, counted from 0.
        let number: Int
        let name: String
        var path: WorkspacePath
        let isFolder: Bool
        /// A notebook for as long as nothing shows that it is none.
        var isNotebook: Bool
        let size: Int
    }

    private(set) var items: [Item] = []
    private(set) var problems: [String] = []
    /// Files of macOS.
    private(set) var litter = 0
    private let folder: WorkspacePath
    private let limits: ArchiveLimits
    private let archiveSize: Int
    private var bytes = 0
    private var number = 0
    /// Paths that are taken, and whether by a folder.
    private var taken: [String: Bool] = [:]

    /// The most problems that one answer names.
    static let shownProblems = 20

    init(folder: WorkspacePath, archiveSize: Int, limits: ArchiveLimits) {
        self.folder = folder
        self.archiveSize = archiveSize
        self.limits = limits
    }

    /// Adds the next entry.
    /// - Parameter start: the first bytes of the entry, for names that need them.
    /// - Throws: `REQUEST_TOO_LARGE` when it is too much altogether; other problems are collected.
    mutating func add(_ entry: ZipReader.Entry, start: () throws -> [UInt8]) throws {
        defer { number += 1 }
        guard number < limits.entries else { throw tooMany() }
        guard let text = entry.path else { return note("entry \(number + 1)", "its name is not in UTF-8") }
        if ArchiveNames.isLitter(text) {
            litter += 1
            return
        }
        guard let name = relative(text, isFolder: entry.kind == .folder) else { return }
        if name.isEmpty { return }
        try count(entry, text)
        if let reason = ArchivePlan.refusal(of: entry) { return note(text, reason) }
        guard entry.size <= limits.fileBytes else {
            return note(text, "has \(entry.size) bytes; at most \(limits.fileBytes) are allowed")
        }
        let last = name.split(separator: "/").last.map(String.init) ?? ""
        var notebook: String?
        if entry.kind == .file, entry.size <= StoredContent.maximumBytes {
            notebook = ArchiveNames.notebookName(last, start: ArchiveNames.needsStart(last) ? try start() : [])
        }
        let whole = notebook.map { String(name.dropLast(last.count)) + $0 } ?? name
        do throws(HarbourError) {
            let path = try WorkspacePath(folder.prefix + whole)
            take(
                Item(
                    number: number, name: text, path: path, isFolder: entry.kind == .folder,
                    isNotebook: notebook != nil, size: entry.size))
        } catch {
            note(text, error.message)
        }
        // Folders that nothing but names of others names are made as well, up to thirty for each.
        guard taken.count <= limits.entries else { throw tooMany() }
    }

    private func tooMany() -> HarbourError {
        HarbourError(
            .tooLarge,
            "The archive has more than \(limits.entries) entries and folders, which is the limit. Import it in parts.")
    }

    /// The name below the folder; nil when it would be anywhere else, and empty for the folder itself.
    private mutating func relative(_ text: String, isFolder: Bool) -> String? {
        guard !text.utf8.contains(UInt8(ascii: "\\")) else {
            note(text, "its name has a backslash")
            return nil
        }
        guard !text.hasPrefix("/") else {
            note(text, "its name begins with a slash")
            return nil
        }
        var parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if isFolder, parts.last?.isEmpty == true { parts.removeLast() }
        // Some programs begin every name with the folder they were in.
        if parts.first == "." { parts.removeFirst() }
        guard !parts.contains("..") else {
            note(text, "its name leads out of the folder")
            return nil
        }
        return parts.joined(separator: "/")
    }

    private static func refusal(of entry: ZipReader.Entry) -> String? {
        if entry.kind == .other { return "is a link or a device" }
        if entry.isEncrypted { return "is encrypted" }
        if entry.kind == .file, !entry.isReadable { return "is packed by a method that is not supported; use deflate" }
        return nil
    }

    private mutating func count(_ entry: ZipReader.Entry, _ name: String) throws(HarbourError) {
        bytes = bytes.addingReportingOverflow(entry.size).overflow ? .max : bytes + entry.size
        let most = limits.unpacked(from: archiveSize)
        guard bytes <= most else {
            throw HarbourError(
                .tooLarge,
                "The archive would unpack to more than \(most) bytes, which is too much for its \(archiveSize). Upload "
                    + "what is large in it as files.")
        }
    }

    private mutating func take(_ item: Item) {
        if item.isFolder {
            if taken[item.path.text] == false { return note(item.name, "is a file and a folder") }
            // Folders may be named again.
            if taken.updateValue(true, forKey: item.path.text) == nil { items.append(item) }
        } else {
            if let isFolder = taken[item.path.text] {
                return note(item.name, isFolder ? "is a file and a folder" : "comes twice, as \(item.path.text)")
            }
            taken[item.path.text] = false
            items.append(item)
        }
        var above = item.path.folder
        while let next = above, next != folder, folder.contains(next) {
            if taken[next.text] == false { return note(item.name, "is in \(next.text), which is a file") }
            if taken.updateValue(true, forKey: next.text) == true { return }
            above = next.folder
        }
    }

    private mutating func note(_ name: String, _ reason: String) {
        problems.append("\(name.prefix(200)): \(reason)")
    }

    // MARK: What is there already

    /// Adds what stands in the way in the tree.
    mutating func meet(_ existing: [String: ObjectType], overwrites: Bool) {
        for item in items {
            guard let kind = existing[item.path.text] else { continue }
            let wanted: ObjectType = item.isFolder ? .directory : item.isNotebook ? .notebook : .file
            if kind != wanted {
                problems.append("\(item.path.text) is a \(kind.rawValue.lowercased()) already")
            } else if !item.isFolder, !overwrites {
                problems.append("\(item.path.text) is there already")
            }
        }
    }

    /// - Throws: all problems in one sentence, a line for each.
    func check(_ code: ErrorCode, _ what: String, advice: String) throws(HarbourError) {
        guard !problems.isEmpty else { return }
        var lines = problems.prefix(ArchivePlan.shownProblems).joined(separator: "\n")
        let rest = problems.count - ArchivePlan.shownProblems
        if rest > 0 { lines += "\nand \(rest) more" }
        throw HarbourError(code, "\(what) \(advice)\n\(lines)")
    }
}
