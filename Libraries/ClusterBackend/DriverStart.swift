internal import Core

/// How a backend tells the driver's process what it is to be: by environment variables and files, the same for every
/// backend, so that the driver never asks which one started it.
///
/// A driver writes its log to standard output and standard error, ends on SIGTERM after ending all its children, and
/// refuses requests without the token.
public enum DriverStart {
    /// The cluster's id. Also the mark by which a process is known as ours.
    public static let clusterID = "HARBOUR_CLUSTER_ID"
    /// The installation the cluster belongs to.
    public static let installation = "HARBOUR_INSTALLATION"
    /// Where to listen: `unix:/path` or `http://host:port`.
    public static let listen = "HARBOUR_DRIVER_LISTEN"
    /// A file, readable by the driver's user only, whose whole content is the token.
    public static let tokenFile = "HARBOUR_DRIVER_TOKEN_FILE"
    /// An existing folder of this cluster alone, for everything the driver writes.
    public static let scratch = "HARBOUR_DRIVER_SCRATCH"
    /// Spark's master URL, such as `local[2]` or `local-cluster[2,1,1024]`.
    public static let sparkMaster = "HARBOUR_DRIVER_SPARK_MASTER"
    /// The heap of the driver's JVM in MiB.
    public static let memoryMiB = "HARBOUR_DRIVER_MEMORY_MB"
    /// A file that holds one JSON object of strings: the Spark properties.
    public static let sparkConfFile = "HARBOUR_DRIVER_SPARK_CONF_FILE"

    /// What a backend has decided about one driver.
    public struct Place: Sendable, Hashable {
        /// As the driver sees its own address.
        public var listen: DriverAddress
        /// The scratch folder as the driver sees it.
        public var scratch: String
        /// Spark's master URL.
        public var sparkMaster: String
        /// The heap of the driver's JVM in MiB.
        public var memoryMiB: Int

        /// Makes a place.
        public init(listen: DriverAddress, scratch: String, sparkMaster: String, memoryMiB: Int) {
            self.listen = listen
            self.scratch = scratch
            self.sparkMaster = sparkMaster
            self.memoryMiB = memoryMiB
        }
    }

    /// The file in the scratch folder that holds the token.
    public static let tokenFileName = "token"
    /// The file in the scratch folder that holds the Spark properties.
    public static let sparkConfFileName = "spark-conf.json"

    /// A file in the scratch folder to which a backend that can change the number of executors appends it, a line for each
    /// change. The newest line is what Spark shall have; where there is no such file, that never changes.
    public static let executorsFileName = "executors"

    /// A file in the scratch folder to which the driver appends what becomes of executors on its own machine, a JSON object
    /// a line: `{"running":1,"leaving":0,"lost":[{"id":"0","status":137,"out_of_memory":false,"reason":"..."}]}`. A backend
    /// that wants to know makes it, empty; where there is no such file, nothing is told.
    public static let executorsSeenFileName = "executors-seen"

    /// The environment of the driver, without secrets: the user's, over it the platform's, over it the start's own.
    public static func environment(
        for request: ProvisionRequest, at place: Place, installation: String
    ) -> [String: String] {
        var variables = request.spec.environment
        variables.merge(request.launch.environment) { _, ours in ours }
        variables[clusterID] = request.id.text
        variables[DriverStart.installation] = installation
        variables[listen] = place.listen.url
        variables[tokenFile] = "\(place.scratch)/\(tokenFileName)"
        variables[scratch] = place.scratch
        variables[sparkMaster] = place.sparkMaster
        variables[memoryMiB] = String(place.memoryMiB)
        variables[sparkConfFile] = "\(place.scratch)/\(sparkConfFileName)"
        return variables
    }

    /// The files to write into the scratch folder, readable by the driver's user only, before it starts.
    public static func files(for request: ProvisionRequest) -> [LaunchFile] {
        request.launch.files + [
            LaunchFile(name: tokenFileName, content: Array(request.launch.token.reveal().utf8)),
            LaunchFile(name: sparkConfFileName, content: jsonObject(request.spec.sparkConf)),
        ]
    }

    /// Whether a user may not set the variable: it belongs to the start protocol, or to how programs are loaded.
    public static func isReserved(_ name: String) -> Bool {
        name.hasPrefix("HARBOUR_") || name == "LD_PRELOAD" || name == "LD_LIBRARY_PATH"
    }

    /// Whether a variable can have that name: a letter or underscore, then letters, digits and underscores.
    public static func isEnvironmentName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.count <= 256
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    private static func jsonObject(_ values: [String: String]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            writer.key(name)
            writer.value(value)
        }
        writer.endObject()
        return writer.finish()
    }
}
