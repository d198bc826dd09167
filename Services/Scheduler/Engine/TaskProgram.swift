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
        if let command = task.shellTask?.command { return single(task.taskKey, "python", "%sh\n\(command)") }
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

    /// A cell that runs spark-submit beside the cluster's own Spark, and shows what it prints as it comes. Without a
    /// master of its own the program runs on the cores of the driver's machine that the cluster has.
    private static func submit(_ task: SparkSubmitTask) -> String {
        let arguments: JSONValue = .array(task.parameters.map { .string($0) })
        return """
            import os, subprocess, sys
            _arguments = \(literal(arguments))
            _context = spark.sparkContext
            _home = os.environ.get("SPARK_HOME") or __import__("pyspark").__path__[0]
            _program = os.path.join(_home, "bin", "spark-submit")
            if not os.path.exists(_program):
                _home = __import__("pyspark").__path__[0]
                _program = os.path.join(_home, "bin", "spark-submit")
            _defaults = [] if "--master" in _arguments else ["--master", f"local[{_context.defaultParallelism}]"]
            if not any(text.startswith("spark.ui.enabled=") for text in _arguments):
                _defaults += ["--conf", "spark.ui.enabled=false"]
            _left = ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "PYSPARK_SUBMIT_ARGS", "SPARK_ENV_LOADED")
            _environment = {key: value for key, value in os.environ.items() if key not in _left}
            # The Java that the cluster runs on, wherever it was found.
            _environment["JAVA_HOME"] = spark._jvm.java.lang.System.getProperty("java.home")
            _environment.update(SPARK_HOME=_home, PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable)
            _process = subprocess.Popen(
                [_program, *_defaults, *_arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace", env=_environment, start_new_session=True)
            try:
                for _line in _process.stdout:
                    print(_line, end="", flush=True)
                _status = _process.wait()
            except BaseException:
                os.killpg(_process.pid, 9)
                _process.wait()
                raise
            if _status != 0:
                raise RuntimeError(f"spark-submit ended with the status {_status}.")
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
