/// What a driver is told at its start.
public struct DriverConfiguration: Sendable {
    /// The cluster it serves.
    public var clusterID: String
    /// An existing folder of this cluster alone.
    public var scratch: String
    /// The interpreter of Spark's host and of Python kernels.
    public var python: String
    /// The folder that has the package `harbour_runtime`, where the interpreter does not find it by itself.
    public var runtimeFolder: String?
    /// Spark's master URL.
    public var sparkMaster = "local[2]"
    /// The heap of Spark's driver in MiB.
    public var memoryMiB = 1024
    /// Spark properties.
    public var sparkConf: [String: String] = [:]
    /// Spark's AppCDS archive.
    public var archive: String?
    /// Where Java is; nil looks for it.
    public var javaHome: String?
    /// Warm Python kernels that wait for a context.
    public var spareKernels = 1
    /// Bytes of output that a command's journal takes; the rest goes to a file.
    public var outputLimit = 16 * 1_048_576
    /// Events that a command's journal takes.
    public var eventLimit = 50_000
    /// Bytes of that file; what follows is lost.
    public var overflowLimit = 256 * 1_048_576
    /// Commands that may wait in one context.
    public var queueLimit = 10_000
    /// Ended commands of a context that can still be read; the oldest are forgotten, with their output.
    public var endedCommands = 5_000
    /// Contexts at a time.
    public var contextLimit = 64
    /// Ended contexts whose commands can still be read.
    public var endedContexts = 64
    /// How long a cancelled command may go on before its kernel is restarted.
    public var cancelGrace: Duration = .seconds(10)
    /// How long a kernel may take to answer for the first time.
    public var kernelStartTimeout: Duration = .seconds(120)

    /// How long each init script may take.
    public var initScriptTimeout: Duration = .seconds(600)
    /// How long the installation of one library may take.
    public var libraryTimeout: Duration = .seconds(900)
    /// What is to be done at its start besides Spark.
    var start = StartFile() { didSet { redactor = Redactor(start.secrets) } }
    /// Takes the start's secrets out of texts.
    private(set) var redactor = Redactor()

    /// Makes a configuration with everything else at its default.
    public init(clusterID: String, scratch: String, python: String) {
        self.clusterID = clusterID
        self.scratch = scratch
        self.python = python
    }
}
