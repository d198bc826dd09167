internal import Core
internal import Glibc
internal import HarbourProtocol

/// `harbour files`.
enum FileCommands {
    static let group = Command(
        name: "files", summary: "Data files of the workspace.",
        subcommands: [
            Command(
                name: "upload",
                summary: "Put files of any size into a folder. What was broken off goes on where it was.",
                arguments: [
                    Argument(name: "folder", help: "the folder of the workspace to put them in, such as /Shared/in"),
                    Argument(name: "file", help: "the files", isRepeated: true),
                ], flags: [.toggle("overwrite", "Give files that are there a new revision")], run: upload),
            Command(
                name: "uploads", summary: "List uploads that were broken off.", run: list),
            Command(
                name: "download", summary: "Get a file. What was broken off goes on where it was.",
                arguments: [Argument(name: "path", help: "where the file is in the workspace")],
                flags: [
                    .value(
                        "to", "FILE", "Write it there; under its own name in this folder when absent, - for the output")
                ], run: download),
            Command(
                name: "preview", summary: "Show the first rows of a data file and what its columns hold.",
                arguments: [Argument(name: "path", help: "where the file is in the workspace")],
                flags: [.value("rows", "N", "How many rows; 10 when absent")], run: preview),
        ])

    private static func upload(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        var folder = invocation.word("folder")
        while folder.hasSuffix("/") { folder.removeLast() }
        var uploaded: [ObjectInfo] = []
        for file in invocation.allWords("file") {
            let name = file.split(separator: "/").last.map(String.init) ?? file
            let uploader = FileUploader(
                api: api, source: try UserFile(reading: file), progress: ProgressLine(name, setting.terminal))
            let object = try await uploader.run(to: "\(folder)/\(name)", overwrite: invocation.has("overwrite"))
            setting.terminal.say("\(object.path) (revision \(object.revisionID ?? 0))")
            uploaded.append(object)
        }
        setting.terminal.answer(ObjectList(objects: uploaded))
    }

    private static func list(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(WorkspaceAPI.listUploads, .init())
        setting.terminal.table(
            ["PATH", "DONE", "SIZE", "UNTIL"],
            list.uploads.map { upload in
                [
                    upload.path, "\(upload.offset * 100 / max(1, upload.size)) %", ProgressLine.size(upload.size),
                    Show.time(upload.expiresTime),
                ]
            })
        setting.terminal.answer(list)
    }

    private static func download(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let path = invocation.word("path")
        let name = path.split(separator: "/").last.map(String.init) ?? "file"
        let target = invocation.value("to") ?? name
        let downloader = FileDownloader(
            api: try PublicAPI(setting), path: path, progress: ProgressLine(name, setting.terminal))
        guard target != "-" else { return try await downloader.run(to: nil) }
        try await downloader.run(to: target)
        setting.terminal.say("\(path) is in \(target).")
        setting.terminal.answer(["path": .string(path), "file": .string(target)] as JSONValue)
    }

    private static func preview(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        guard let rows = Int(invocation.value("rows") ?? "10"), (0...1000).contains(rows) else {
            throw HarbourError.usage("--rows has to be a number up to 1000.")
        }
        let preview = try await PublicAPI(setting).call(
            WorkspaceAPI.previewFile, .init(path: invocation.word("path"), rows: rows))
        setting.terminal.answer(preview)
        if let problem = preview.problem { setting.terminal.say(problem) }
        if let text = preview.text { setting.terminal.show(text.hasSuffix("\n") ? text : text + "\n") }
        if preview.kind == .binary { setting.terminal.say("This is no text. Download it: harbour files download.") }
        guard !preview.columns.isEmpty else { return }
        setting.terminal.table(
            preview.columns.map(\.name),
            preview.rows.map { row in preview.columns.indices.map { cell(row.array ?? [], $0) } })
        setting.terminal.say("")
        setting.terminal.table(
            ["COLUMN", "TYPE", "VALUES", "MISSING", "DISTINCT", "MIN", "MAX"],
            preview.columns.map { column in
                [
                    column.name, column.type.rawValue, "\(column.count)", "\(column.missing)",
                    column.distinct.map { "\($0)" } ?? "many", column.minimum ?? "-", column.maximum ?? "-",
                ]
            })
        let part = preview.isWhole ? "" : ", the first \(ProgressLine.size(preview.bytesRead)) of it"
        setting.terminal.say("\(preview.rowsRead) rows of \(ProgressLine.size(preview.size))\(part)")
    }

    /// On one line, and not wider than a column of a table may be.
    private static func cell(_ row: [JSONValue], _ index: Int) -> String {
        guard index < row.count else { return "" }
        let text = row[index].string ?? (row[index].isNull ? "" : row[index].jsonText())
        let line = String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
        return line.count <= 40 ? line : line.prefix(39) + "…"
    }
}
