internal import ClusterBackend
internal import Configuration
internal import Core
internal import EventLoop

/// Settings of the drivers, which this service hands on to each of them. Their variables are the driver's own.
struct DriverOptions: Sendable {
    private let data = Option<String>.path(
        "data", environment: "HARBOUR_DATA",
        help: "The platform's folder; its Python environment is used when it has one."
    ).optional()
    private let python = Option<String>.string(
        "driver-python", environment: "HARBOUR_DRIVER_PYTHON",
        help: "The interpreter of Spark and of Python notebooks; runtime/current/bin/python of the platform's folder."
    ).optional()
    private let runtimeFolder = Option<String>.path(
        "driver-runtime-folder", environment: "HARBOUR_DRIVER_RUNTIME_FOLDER",
        help: "The folder that has the package harbour_runtime, where the interpreter does not find it by itself."
    ).optional()
    private let archive = Option<String>.path(
        "driver-spark-archive", environment: "HARBOUR_DRIVER_SPARK_ARCHIVE",
        help: "Spark's AppCDS archive; spark.jsa of the interpreter's environment when absent."
    ).optional()
    private let javaHome = Option<String>.path(
        "driver-java-home", environment: "HARBOUR_DRIVER_JAVA_HOME", help: "Where Java is; looked for when absent."
    ).optional()
    var all: [any AnyOption] { [data, python, runtimeFolder, archive, javaHome] }

    /// The platform's folder.
    func dataFolder(_ settings: Configuration) -> String? { settings[data] }

    /// How the history of Spark is shown.
    func history(_ settings: Configuration) -> SparkHistorySettings {
        SparkHistorySettings(
            python: interpreter(settings), runtimeFolder: settings[runtimeFolder], javaHome: settings[javaHome])
    }

    /// The interpreter that clusters use.
    private func interpreter(_ settings: Configuration) -> String {
        settings[python] ?? settings[data].map { "\($0)/runtime/current/bin/python" } ?? "python3"
    }

    /// What each driver finds in its environment.
    func environment(_ settings: Configuration) -> [String: String] {
        // Settings of the driver that this service does not know of are the operator's, and meant for it.
        var variables = ProcessSpecification.Environment.ours.filter { $0.key.hasPrefix("HARBOUR_DRIVER_") }
        variables["HARBOUR_DRIVER_PYTHON"] = interpreter(settings)
        variables["HARBOUR_DRIVER_RUNTIME_FOLDER"] = settings[runtimeFolder]
        variables["HARBOUR_DRIVER_SPARK_ARCHIVE"] = settings[archive]
        variables["HARBOUR_DRIVER_JAVA_HOME"] = settings[javaHome]
        return variables
    }

    /// What backends look at before a start.
    func forBackends(_ settings: Configuration) -> [String: String] {
        var values = ["python": interpreter(settings)]
        values["java_home"] = settings[javaHome]
        return values
    }
}

extension BackendFactory {
    /// The backend's settings as options of the service.
    var options: [any AnyOption] { settings.map(option) }

    /// What the operator has set, by name.
    func values(_ configuration: Configuration) -> [String: String] {
        settings.reduce(into: [:]) { values, setting in values[setting.name] = configuration[option(setting)] }
    }

    private func option(_ setting: BackendSetting) -> Option<String?> {
        func joined(by separator: String) -> String {
            ["backend", name, setting.name].joined(separator: "-").split { $0 == "-" || $0 == "_" }
                .joined(separator: separator)
        }
        let variable = "HARBOUR_\(joined(by: "_").uppercased())"
        let text = Option<String>.string(
            joined(by: "-"), environment: variable,
            aliases: setting.aliases, default: setting.fallback, secret: setting.isSecret, help: setting.help)
        return text.optional()
    }
}
