internal import ClusterBackend
internal import Core
internal import Cryptography

/// What is put into each node's container before it is started: nothing of it shows in the engine's lists.
enum NodeFiles {
    /// Everything we put into a container is below this.
    static let root = "/harbour"
    static let scratch = "/harbour/scratch"
    /// Where a driver's socket is, in the folder that is mounted there.
    static let socketFolder = "/harbour/socket"

    /// The archive for a driver, to be put at `/`. It also holds all that its workers need.
    static func driver(
        _ request: ProvisionRequest, _ variables: [String: String], secret: String, user: NodeUser
    ) -> [UInt8] {
        var archive = TarArchive(user: user.user, group: user.group)
        addFolders(to: &archive)
        archive.addFolder("harbour/node", mode: 0o700)
        archive.addFile("harbour/node/run", mode: 0o500, Array(NodeScript.text.utf8))
        archive.addFile("harbour/node/environment", mode: 0o400, environment(variables))
        archive.addFile("harbour/node/spark.properties", mode: 0o400, properties(secret))
        for file in DriverStart.files(for: request) {
            archive.addFile("harbour/scratch/\(file.name)", mode: 0o600, file.content)
        }
        return archive.finished()
    }

    /// The archive for a worker: folders only, for its files are the driver's.
    static func worker(user: NodeUser) -> [UInt8] {
        var archive = TarArchive(user: user.user, group: user.group)
        addFolders(to: &archive)
        return archive.finished()
    }

    private static func addFolders(to archive: inout TarArchive) {
        archive.addFolder("harbour", mode: 0o755)
        archive.addFolder("harbour/scratch", mode: 0o700)
    }

    /// Variables as a shell reads them, each value in single quotes.
    static func environment(_ variables: [String: String]) -> [UInt8] {
        var text = ""
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) where DriverStart.isEnvironmentName(name) {
            text += "\(name)='"
            for character in value.unicodeScalars where character != "\0" {
                if character == "'" { text += "'\\''" } else { text.unicodeScalars.append(character) }
            }
            text += "'\n"
        }
        return Array(text.utf8)
    }

    /// What Spark's master and workers are told: only who knows the secret takes part.
    private static func properties(_ secret: String) -> [UInt8] {
        Array(
            """
            spark.authenticate=true
            spark.authenticate.secret=\(secret)
            spark.master.rest.enabled=false
            spark.ui.killEnabled=false

            """.utf8)
    }

    /// The secret that the parts of a cluster's Spark share. It follows from the token, so that a start that is gone on
    /// with finds it again.
    static func secret(_ request: ProvisionRequest) -> String {
        hexadecimal(
            HMAC.sha256(
                key: Array(request.launch.token.reveal().utf8), Array("spark.authenticate \(request.id)".utf8)))
    }
}

/// As whom the processes of the nodes run.
struct NodeUser: Sendable, Hashable {
    var user: UInt32
    var group: UInt32

    init(_ user: UInt32, _ group: UInt32) {
        self.user = user
        self.group = group
    }

    /// Reads `uid` or `uid:gid`; nil for names, which mean something inside the image only.
    init?(_ text: String) {
        let numbers = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
        // What a tar archive can hold.
        guard (1...2).contains(numbers.count), let user = numbers[0], let group = numbers.count == 2 ? numbers[1] : 0,
            user < 1 << 21, group < 1 << 21
        else { return nil }
        self.init(user, group)
    }

    var text: String { "\(user):\(group)" }
}

/// What one node's container shall be.
struct NodeSpecification: Sendable {
    var id: ClusterIdentifier
    /// nil for the driver.
    var worker: Int?
    var plan: DockerPlan
    var image: String
    var user: NodeUser
    var labels: [String: String]
    var network: String
    /// `from:to:mode`
    var binds: [String]
    /// What `run` is told.
    var command: [String]

    private var host: String { worker.map { "worker-\($0)" } ?? DockerNames.driverHost }
    private var cores: Int { worker == nil ? plan.driverCores : plan.workerCores }
    private var memoryBytes: Int { (worker == nil ? plan.driverMemoryMiB : plan.workerMemoryMiB) << 20 }

    /// As the engine takes it. There is no port in it, and no secret.
    var json: JSONValue {
        let marks = [
            "\(DriverStart.clusterID)=\(id)", "\(DriverStart.installation)=\(labels[DockerNames.installation] ?? "")",
        ]
        return [
            "Image": .string(image), "Hostname": .string(host), "User": .string(user.text),
            "Entrypoint": strings(["/bin/bash", "\(NodeFiles.root)/node/run"]), "Cmd": strings(command),
            "Env": strings(marks), "WorkingDir": .string(NodeFiles.scratch),
            "Labels": .object(JSONObject(labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
            "Healthcheck": ["Test": ["NONE"]],
            "HostConfig": .object(limits),
            "NetworkingConfig": [
                "EndpointsConfig": .object(JSONObject([(network, JSONValue.object(["Aliases": strings([host])]))]))
            ],
        ]
    }

    private var limits: JSONObject {
        [
            "NetworkMode": .string(network), "Memory": .integer(memoryBytes),
            // The same number: no swap beside it.
            "MemorySwap": .integer(memoryBytes), "NanoCpus": .integer(cores * 1_000_000_000),
            "PidsLimit": 8192, "Binds": strings(binds), "RestartPolicy": ["Name": "no"],
            "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "ShmSize": .integer(64 << 20),
            "LogConfig": ["Type": "json-file", "Config": ["max-size": "64m", "max-file": "3"]],
        ]
    }

    private func strings(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
}

/// The first process of each node.
enum NodeScript {
    static let text = """
        #!/bin/bash
        # The first process of a cluster's node: sets the variables, starts the driver or a worker, passes on the wish to
        # end, ends as the driver or worker does, and buries what others leave behind.
        set -u
        umask 077
        set -a
        . /harbour/node/environment
        set +a
        cd /harbour/scratch || exit 70
        # Java and Python need a name for the user, and an image cannot know every user's number.
        if ! id -un >/dev/null 2>&1 && [[ -w /etc/passwd ]]; then
            echo "harbour:x:$(id -u):$(id -g)::/harbour/scratch:/bin/bash" >>/etc/passwd
        fi
        node() {
            local path=${HARBOUR_DRIVER_RUNTIME_FOLDER:+$HARBOUR_DRIVER_RUNTIME_FOLDER${PYTHONPATH:+:}}${PYTHONPATH:-}
            PYTHONPATH=$path exec "$HARBOUR_DRIVER_PYTHON" -m harbour_runtime.node "$@" \\
                --properties /harbour/node/spark.properties
        }
        role=$1
        shift
        if [[ $role == worker ]]; then
            node worker --host "$HOSTNAME" --work-dir /harbour/scratch/work "$@" &
        else
            if [[ ${HARBOUR_DRIVER_SPARK_MASTER:-} == spark://* ]]; then
                while :; do (node master --url "$HARBOUR_DRIVER_SPARK_MASTER"); sleep 1; done &
            fi
            "$@" &
        fi
        child=$!
        trap 'kill -TERM "$child" 2>/dev/null' TERM INT
        while :; do
            wait "$child"
            status=$?
            kill -0 "$child" 2>/dev/null || exit "$status"
        done

        """
}
