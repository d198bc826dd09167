internal import Core
internal import HarbourProtocol

/// What an attempt on a cluster runs: cells, made of a frozen revision, of the task's own text, or of both.
struct TaskProgram: Sendable {
    /// The task with its references resolved.
    let task: TaskSpec
    /// The frozen revision of the file it names.
    let revisionID: Int64?

    /// Values for widgets, and so for `:name` in SQL.
    var parameters: [String: String] { task.notebookTask?.baseParameters ?? task.sqlTask?.parameters ?? [:] }

    /// The cells, given the revision when there is one.
    func content(_ revision: NotebookContent?) throws(HarbourError) -> NotebookContent {
        if let script = task.sparkPythonTask, let revision {
            let source = revision.cells.filter { $0.kind == .code }.map(\.source).joined(separator: "\n\n")
            return single(
                script.pythonFile, "python",
                Self.script(source, path: script.pythonFile, arguments: script.parameters ?? []))
        }
        if let revision { return revision }
        if let statement = task.sqlTask?.statement { return single(task.taskKey, "sql", statement) }
        if let shell = task.shellTask { return single(task.taskKey, "python", try Self.shell(shell)) }
        if let wheel = task.pythonWheelTask { return single(task.taskKey, "python", Self.wheel(wheel)) }
        if let submit = task.sparkSubmitTask { return single(task.taskKey, "python", Self.submit(submit)) }
        throw HarbourError(.internalError, "The task \(task.taskKey) has nothing to run.")
    }

    private func single(_ path: String, _ language: String, _ source: String) -> NotebookContent {
        let document: JSONValue = [
            "nbformat": 4, "nbformat_minor": 5, "metadata": [:],
            "cells": [
                [
                    "cell_type": "code", "id": "task", "metadata": [:], "source": .string(source), "outputs": [],
                    "execution_count": nil,
                ]
            ],
        ]
        return NotebookContent(
            notebookID: 0, revisionID: revisionID ?? 0, path: path, language: "python",
            cells: [NotebookCell(cellID: "task", kind: .code, language: language, source: source)],
            document: document)
    }

    /// JSON's strings and lists are Python's too.
    private static func literal(_ value: JSONValue) -> String { value.jsonText() }

    /// A cell that runs the text as Python runs a script: as `__main__`, with arguments, ended by `sys.exit`.
    private static func script(_ source: String, path: String, arguments: [String]) -> String {
        let argv: JSONValue = .array(([path] + arguments).map { .string($0) })
        return """
            import sys
            sys.argv = \(literal(argv))
            _names = {name: globals()[name] for name in ("spark", "dbutils", "display") if name in globals()}
            try:
                exec(compile(\(literal(.string(source))), sys.argv[0], "exec"), {"__name__": "__main__", **_names})
            except SystemExit as _end:
                if _end.code not in (None, 0):
                    raise RuntimeError(f"The script ended itself with {_end.code!r}.") from None
            """
    }

    /// The longest variable that the kernel hands to a program, with its name, in bytes.
    private static let variableLimit = (128 << 10) - 2

    /// A cell that runs a script by bash. Values reach it as environment, which bash never reads as part of the script.
    private static func shell(_ task: ShellTask) throws(HarbourError) -> String {
        guard let environment = task.environment, !environment.isEmpty else { return "%sh\n\(task.command)" }
        for (name, value) in environment {
            guard name.utf8.count + value.utf8.count <= variableLimit, !value.utf8.contains(0) else {
                throw HarbourError(
                    .invalidParameter,
                    "The value of \(name) cannot be in an environment: it is longer than 128 KiB or has a zero character. "
                        + "Leave it in a file, and hand its path on.")
            }
        }
        let values = JSONObject(environment.mapValues { .string($0) })
        return """
            from harbour_runtime.shell import run as _run
            _run(["bash", "-c", \(literal(.string(task.command)))], "The shell script", \(literal(.object(values))))
            """
    }

    /// A cell that runs spark-submit beside the cluster's own Spark, and shows what it prints as it comes. Without a
    /// master of its own the program runs on the cores of the driver's machine that the cluster has.
    private static func submit(_ task: SparkSubmitTask) -> String {
        let arguments: JSONValue = .array(task.parameters.map { .string($0) })
        return """
            import os, sys
            import pyspark
            from harbour_runtime.shell import run as _run
            _arguments = \(literal(arguments))
            _home, _next, _named = pyspark.__path__[0], 0, False
            # Its own options end with what is run; those of the program are its own business.
            while _next < len(_arguments) and _arguments[_next].startswith("-"):
                _option = _arguments[_next]
                _value = _arguments[_next + 1] if _next + 1 < len(_arguments) else ""
                _named |= _option.split("=")[0] in ("--master", "--properties-file") or (
                    _option in ("--conf", "-c") and _value.startswith("spark.master=")) or "spark.master=" in _option
                _alone = _option in ("--verbose", "-v", "--supervise", "--version", "--help", "-h") or "=" in _option
                _next += 1 if _alone else 2
            _defaults = ["--conf", "spark.ui.enabled=false"]
            if not _named:
                _defaults += ["--master", f"local[{spark.sparkContext.defaultParallelism}]"]
            _run(
                [os.path.join(_home, "bin", "spark-submit"), *_defaults, *_arguments], "spark-submit",
                {
                    "SPARK_HOME": _home, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable,
                    # The Java that the cluster runs on, wherever it was found.
                    "JAVA_HOME": spark._jvm.java.lang.System.getProperty("java.home"),
                })
            """
    }

    /// A cell that calls an entry point of an installed package, or else a function of the package itself.
    private static func wheel(_ task: PythonWheelTask) -> String {
        let named = (task.namedParameters ?? [:]).sorted { $0.key < $1.key }.map { "--\($0.key)=\($0.value)" }
        let argv: JSONValue = .array(([task.packageName] + (task.parameters ?? []) + named).map { .string($0) })
        return """
            import sys, importlib, importlib.metadata
            sys.argv = \(literal(argv))
            _name = \(literal(.string(task.entryPoint)))
            try:
                _points = importlib.metadata.distribution(sys.argv[0]).entry_points
                _found = [point for point in _points if point.name == _name]
            except importlib.metadata.PackageNotFoundError:
                _found = []
            _call = _found[0].load() if _found else getattr(importlib.import_module(sys.argv[0]), _name)
            try:
                _call()
            except SystemExit as _end:
                if _end.code not in (None, 0):
                    raise RuntimeError(f"The entry point ended itself with {_end.code!r}.") from None
            """
    }
}
