internal import ClusterBackend
internal import Core
internal import DriverProcesses

/// What is written in a cluster's folder: enough to find it again and to serve its driver's contract. Beside it lies the
/// token that callers of the driver show, which must not be in here.
struct RemoteState: Sendable, Hashable {
    static let version = 1
    static let tokenFile = "token"

    var cluster: ClusterIdentifier
    var installation: String
    var digest: String
    var created: Timestamp
    /// Its name on the other platform; nil until it has been made there.
    var farID: String?

    func encoded() -> [UInt8] {
        var value: JSONObject = [
            "version": .integer(RemoteState.version), "cluster": .string(cluster.text),
            "installation": .string(installation), "digest": .string(digest),
            "created": .integer(created.milliseconds),
        ]
        if let farID { value["far_id"] = .string(farID) }
        return JSONValue.object(value).encodedJSON()
    }

    init(_ cluster: ClusterIdentifier, installation: String, digest: String, created: Timestamp) {
        self.cluster = cluster
        self.installation = installation
        self.digest = digest
        self.created = created
    }

    /// Reads a state back; nil when it is not one of this version.
    init?(_ bytes: [UInt8]) {
        guard let value = try? JSONValue(json: bytes), value["version"]?.int == RemoteState.version,
            let cluster = value["cluster"]?.string.flatMap(ClusterIdentifier.init),
            let installation = value["installation"]?.string, let digest = value["digest"]?.string,
            let created = value["created"]?.int64
        else { return nil }
        self.init(
            cluster, installation: installation, digest: digest, created: Timestamp(milliseconds: created))
        farID = value["far_id"]?.string
    }

    /// The state in a folder; nil when there is none. It blocks: call it on a pool.
    static func read(_ place: ProcessPlace) -> RemoteState? { Files.read(place.stateFile).flatMap { RemoteState($0) } }
}
