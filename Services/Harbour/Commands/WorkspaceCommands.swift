internal import Core
internal import EventLoop
internal import Glibc
internal import HTTPClient
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceClients

/// `harbour workspace`: whole folders of it.
enum WorkspaceCommands {
    static let group = Command(
        name: "workspace", summary: "Folders of the workspace, as zip archives.",
        subcommands: [
            Command(
                name: "export", summary: "Get a folder with all that is in it as a zip archive.",
                arguments: [Argument(name: "folder", help: "the folder of the workspace, such as /Shared/project")],
                flags: [
                    .value(
                        "to", "FILE",
                        "Write it there; under the folder's name in this one when absent, - for the output"
                    ),
                    .value("format", "FORMAT", "How to write notebooks", choices: ["auto", "jupyter", "source"]),
                ], run: export),
            Command(
                name: "import", summary: "Unpack a zip archive into a folder, all of it or nothing.",
                arguments: [
                    Argument(name: "file", help: "the archive"),
                    Argument(name: "folder", help: "the folder of the workspace to unpack it into"),
                ], flags: [.toggle("overwrite", "Give what is there already a new revision")], run: unpack),
        ])

    private static func export(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let folder = invocation.word("folder")
        let format = NotebookFormat(rawValue: (invocation.value("format") ?? "auto").uppercased()) ?? .auto
        let name = folder.split(separator: "/").last.map(String.init) ?? "workspace"
        let target = invocation.value("to") ?? "\(name).zip"
        let response = try await PublicAPI(setting).client.send(
            WorkspaceAPI.exportFolder, .init(path: folder, format: format))
        guard target != "-" else {
            let output = UserFile(descriptor: 1)
            for try await bytes in response.body { try output.write(bytes) }
            return
        }
        // What broke off must not look like an archive.
        let part = "\(target).part"
        do {
            let file = try UserFile(writing: part)
            for try await bytes in response.body { try file.write(bytes) }
            try file.truncate()
            guard rename(part, target) == 0 else { throw HarbourError.system("\(target) cannot be written", errno) }
        } catch {
            unlink(part)
            throw error
        }
        setting.terminal.say("\(folder) is in \(target).")
        setting.terminal.answer(["path": .string(folder), "file": .string(target)] as JSONValue)
    }

    private static func unpack(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let (file, folder) = (invocation.word("file"), invocation.word("folder"))
        let name = file.split(separator: "/").last.map(String.init) ?? file
        let api = try PublicAPI(setting)
        let uploader = FileUploader(
            api: api, source: try UserFile(reading: file), progress: ProgressLine(name, setting.terminal))
        var parent = folder
        while parent.hasSuffix("/") { parent.removeLast() }
        // It comes to no path; the one that is named is for the permission and for going on with it.
        let upload = try await uploader.send(to: "\(parent)/\(name)", overwrite: true)
        let done: ImportedFolder
        do throws(HarbourError) {
            done = try await api.client.callPatiently(
                WorkspaceAPI.importFolder,
                .init(
                    body: ImportFolder(
                        uploadID: upload.uploadID, path: folder, overwrite: invocation.has("overwrite") ? true : nil)),
                context: .within(.seconds(3600)))
        } catch {
            await end(upload, after: error, api, setting.terminal)
            throw error
        }
        for note in done.notes ?? [] { setting.terminal.say(note) }
        let counts = "\(done.notebooks ?? 0) notebooks and \(done.files ?? 0) files"
        let same = done.unchanged.map { $0 > 0 ? ", \($0) of them unchanged" : "" } ?? ""
        setting.terminal.say("\(done.folder.path) has \(counts) of \(name)\(same).")
        setting.terminal.answer(done)
    }

    /// Whether an archive cannot be taken, however often it is tried. All else passes, or can be put right.
    static func isFinal(_ error: HarbourError) -> Bool { [400, 413, 422].contains(error.code.status) }

    /// Removes the upload of an archive that cannot be taken, and keeps any other: it may have taken hours.
    private static func end(
        _ upload: FileUpload, after error: HarbourError, _ api: PublicAPI, _ terminal: Terminal
    ) async {
        guard isFinal(error) else {
            return terminal.progress(
                "The archive was sent and is kept until \(Show.time(upload.expiresTime)). The same command, also with --overwrite, "
                    + "does not send it again.")
        }
        do {
            _ = try await api.call(WorkspaceAPI.abortUpload, .init(uploadID: upload.uploadID))
        } catch {
            terminal.progress(
                "What was sent could not be removed and goes by itself at \(Show.time(upload.expiresTime)): "
                    + HarbourError.describe(error))
        }
    }
}
