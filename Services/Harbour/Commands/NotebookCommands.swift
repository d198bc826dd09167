internal import Core
internal import HarbourProtocol

/// `harbour notebooks`.
enum NotebookCommands {
    static let group = Command(
        name: "notebooks", summary: "Notebooks of the workspace.",
        subcommands: [
            Command(
                name: "import", summary: "Put files into the workspace: .ipynb, .py, .sql.",
                arguments: [
                    Argument(name: "folder", help: "the folder of the workspace to put them in, such as /Shared"),
                    Argument(name: "file", help: "the files", isRepeated: true),
                ], flags: [.toggle("overwrite", "Give notebooks that are there a new revision")], run: importFiles),
            Command(
                name: "export", summary: "Get a notebook as a file.",
                arguments: [Argument(name: "path", help: "where the notebook is in the workspace")],
                flags: [
                    .value("format", "FORMAT", "How to write it", choices: ["auto", "jupyter", "source"]),
                    .value("to", "FILE", "Write it there; standard output when absent"),
                ], run: export),
            Command(
                name: "list", summary: "List a folder of the workspace.",
                arguments: [Argument(name: "path", help: "the folder; / when absent", isOptional: true)], run: list),
            Command(
                name: "run", summary: "Run a notebook once and show what it prints.",
                arguments: [Argument(name: "path", help: "where the notebook is in the workspace")],
                flags: [
                    .value("cluster", "ID", "Run on this cluster, by id or name; on one of its own when absent"),
                    .value("workers", "N", "Workers of its own cluster; 0 when absent"),
                    .value("parameter", "NAME=VALUE", "A value for its widgets, as often as wanted", isRepeated: true),
                ], run: run),
        ])

    private static func importFiles(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        var folder = invocation.word("folder")
        while folder.count > 1 && folder.hasSuffix("/") { folder.removeLast() }
        _ = try await api.call(WorkspaceAPI.makeDirectories, .init(body: MakeDirectories(path: folder)))
        var imported: [ObjectInfo] = []
        for file in invocation.allWords("file") {
            let (name, language) = notebookName(ofFile: file)
            let body = ImportObject(
                path: folder == "/" ? "/\(name)" : "\(folder)/\(name)",
                content: Base64.encode(try Files.read(file)), format: .auto, language: language,
                overwrite: invocation.has("overwrite") ? true : nil)
            let object = try await api.call(WorkspaceAPI.importObject, .init(body: body))
            setting.terminal.say("\(object.path) (revision \(object.revisionID ?? 0))")
            imported.append(object)
        }
        setting.terminal.answer(ObjectList(objects: imported))
    }

    /// A notebook is called like its file without the ending; the ending of a source tells its language.
    private static func notebookName(ofFile file: String) -> (name: String, language: String?) {
        let name = file.split(separator: "/").last.map(String.init) ?? file
        for (ending, language) in [(".ipynb", nil), (".py", "python"), (".sql", "sql")] where name.hasSuffix(ending) {
            let base = String(name.dropLast(ending.utf8.count))
            if !base.isEmpty { return (base, language) }
        }
        return (name, nil)
    }

    private static func export(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let format = NotebookFormat(rawValue: (invocation.value("format") ?? "auto").uppercased()) ?? .auto
        let exported = try await PublicAPI(setting).call(
            WorkspaceAPI.exportObject, .init(path: invocation.word("path"), format: format))
        guard let bytes = Base64.decode(exported.content) else {
            throw HarbourError(.badGateway, "The workspace did not send a file.")
        }
        guard let file = invocation.value("to") else {
            if setting.terminal.isJSON { return setting.terminal.answer(exported) }
            return Terminal.write(String(decoding: bytes, as: UTF8.self), to: 1)
        }
        try Files.write(bytes, to: file)
        setting.terminal.say("\(exported.path) (revision \(exported.revisionID)) is in \(file).")
    }

    private static func list(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(
            WorkspaceAPI.listObjects, .init(pageSize: 500, path: invocation.optionalWord("path") ?? "/"))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["PATH", "TYPE", "LANGUAGE", "REVISION", "CHANGED (UTC)"],
            list.objects.map { object in
                [
                    object.path, object.objectType.rawValue.lowercased(), object.language ?? "-",
                    object.revisionID.map { "\($0)" } ?? "-", Show.time(object.modifiedTime),
                ]
            })
    }

    private static func run(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let path = invocation.word("path")
        var task = TaskSpec(
            taskKey: "notebook",
            notebookTask: NotebookTask(notebookPath: path, baseParameters: try invocation.parameters()))
        if let cluster = invocation.value("cluster") {
            task.existingClusterID = try await api.clusterID(cluster)
        } else {
            let workers = try invocation.integer("workers", in: 0...1000) ?? 0
            task.newCluster = ClusterSpec(clusterName: "run of \(path)", numWorkers: workers)
        }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let created = try await api.call(
            SchedulerAPI.submitRun, .init(body: SubmitRun(runName: name, tasks: [task])))
        setting.terminal.say("Run \(created.runID) is under way.")
        let run = try await RunFollower(api: api, terminal: setting.terminal).follow(created.runID)
        setting.terminal.answer(run)
        try RunFollower.check(run)
    }
}
