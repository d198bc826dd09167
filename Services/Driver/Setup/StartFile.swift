internal import Configuration
internal import Core
internal import HarbourProtocol

/// What the cluster service has a driver do at its start, besides Spark: a file in its scratch folder.
struct StartFile: Sendable {
    static let name = "start.json"

    /// A script, ready to be run.
    struct Script: Sendable {
        var name: String
        /// Its text; nil for one that is a file of this machine.
        var content: String?
        var file: String?
    }

    var scripts: [Script] = []
    var libraries: [Library] = []
    /// Texts that must not be shown.
    var secrets: [String] = []

    init() {}

    /// Reads the file; nothing is asked for where there is none.
    /// - Throws: `INVALID_CONFIGURATION` for a file that is not one of these.
    init(in scratch: String) throws(HarbourError) {
        guard let json = ScratchFolder.contents(of: "\(scratch)/\(StartFile.name)", limit: 32 << 20) else { return }
        let object = try JSONObject(json: json, subject: StartFile.name, code: .invalidConfiguration)
        secrets = (object["secrets"]?.array ?? []).compactMap(\.string)
        scripts = (object["init_scripts"]?.array ?? []).map { script in
            Script(
                name: script["name"]?.string ?? "init script", content: script["content"]?.string,
                file: script["file"]?.string)
        }
        for library in object["libraries"]?.array ?? [] {
            libraries.append(
                try Library(json: library.encodedJSON(), subject: StartFile.name, code: .invalidConfiguration))
        }
    }
}
