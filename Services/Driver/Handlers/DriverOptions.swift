internal import Configuration
internal import Core
internal import Glibc

/// The driver's own settings. Backends give them as environment variables (see `DriverStart` in ClusterBackend).
struct DriverOptions: Sendable {
    let clusterID = Option<String>.string(
        "cluster-id", environment: "HARBOUR_CLUSTER_ID", help: "The cluster this driver serves.")
    let installation = Option<String>.string(
        "installation", environment: "HARBOUR_INSTALLATION", default: "",
        help: "The installation the cluster belongs to; only a mark by which backends find processes.")
    let scratch = Option<String>.path(
        "scratch", environment: "HARBOUR_DRIVER_SCRATCH", help: "A folder of this cluster alone.")
    let sparkMaster = Option<String>.string(
        "spark-master", environment: "HARBOUR_DRIVER_SPARK_MASTER", default: "local[2]", help: "Spark's master URL.")
    let memory = Option<Int>.integer(
        "memory-mb", in: 256...1_048_576, environment: "HARBOUR_DRIVER_MEMORY_MB", default: "1024",
        help: "The heap of Spark's driver in MiB.")
    let sparkConf = Option<String>.path(
        "spark-conf-file", environment: "HARBOUR_DRIVER_SPARK_CONF_FILE",
        help: "A file that holds one JSON object of strings: Spark properties."
    ).optional()
    let python = Option<String>.string(
        "python", environment: "HARBOUR_DRIVER_PYTHON", default: "python3",
        help: "The interpreter of Spark and of Python notebooks.")
    let runtimeFolder = Option<String>.path(
        "runtime-folder", environment: "HARBOUR_DRIVER_RUNTIME_FOLDER",
        help: "The folder that has the package harbour_runtime, where the interpreter does not find it by itself."
    ).optional()
    let archive = Option<String>.path(
        "spark-archive", environment: "HARBOUR_DRIVER_SPARK_ARCHIVE",
        help: "Spark's AppCDS archive; spark.jsa of the interpreter's environment when absent."
    ).optional()
    let javaHome = Option<String>.path(
        "java-home", environment: "HARBOUR_DRIVER_JAVA_HOME", help: "Where Java is; looked for when absent."
    ).optional()
    let spares = Option<Int>.integer(
        "spare-kernels", in: 0...16, environment: "HARBOUR_DRIVER_SPARE_KERNELS", default: "1",
        help: "Warm Python kernels that wait for a context.")
    let outputLimit = Option<Int>.size(
        "output-limit", environment: "HARBOUR_DRIVER_OUTPUT_LIMIT", default: "16MiB",
        help: "How much output of one command is kept as events; the rest goes to a file.")
    let cancelGrace = Option<Duration>.duration(
        "cancel-grace", environment: "HARBOUR_DRIVER_CANCEL_GRACE", default: "10s",
        help: "How long a cancelled command may go on before its kernel is restarted.")

    var all: [any AnyOption] {
        [
            clusterID, installation, scratch, sparkMaster, memory, sparkConf, python, runtimeFolder, archive, javaHome,
            spares, outputLimit, cancelGrace,
        ]
    }

    /// - Throws: `INVALID_CONFIGURATION` when the file of Spark properties cannot be used.
    func configuration(_ settings: Configuration) throws(HarbourError) -> DriverConfiguration {
        var configuration = DriverConfiguration(
            clusterID: settings[clusterID], scratch: settings[scratch], python: settings[python])
        configuration.sparkMaster = settings[sparkMaster]
        configuration.memoryMiB = settings[memory]
        configuration.sparkConf = try DriverOptions.sparkConf(settings[sparkConf])
        configuration.runtimeFolder = settings[runtimeFolder]
        configuration.archive = settings[archive] ?? DriverOptions.archive(of: configuration.python)
        configuration.javaHome = settings[javaHome]
        configuration.spareKernels = settings[spares]
        configuration.outputLimit = settings[outputLimit]
        configuration.cancelGrace = settings[cancelGrace]
        configuration.start = try StartFile(in: configuration.scratch)
        return configuration
    }

    private static func sparkConf(_ file: String?) throws(HarbourError) -> [String: String] {
        guard let file else { return [:] }
        guard let json = ScratchFolder.contents(of: file) else {
            throw HarbourError(.invalidConfiguration, "The file of Spark properties, \(file), cannot be read.")
        }
        return try [String: String](json: json, subject: file, code: .invalidConfiguration)
    }

    /// `spark.jsa` beside the folder of the interpreter's programs, where set-up puts it.
    private static func archive(of python: String) -> String? {
        let parts = python.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count > 2 else { return nil }
        let file = parts.dropLast(2).joined(separator: "/") + "/spark.jsa"
        return access(file, R_OK) == 0 ? file : nil
    }
}
