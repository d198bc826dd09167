import Core

/// The targets as the manifest declares them.
struct PackageGraph: Sendable {
    struct Target: Sendable {
        var name: String
        var type: String
        var path: String
        var dependencies: Set<String>
    }

    static let shared = PackageGraph()

    let targets: [String: Target]

    init() {
        // A scratch folder of its own, because the running test holds the lock of the usual one.
        let scratch = "/tmp/harbour-architecture-\(Identifier.make())"
        let text = SourceTree.run(
            "env -u HARBOUR_TARGETS swift package --package-path '\(SourceTree.top)' --scratch-path '\(scratch)'"
                + " dump-package 2>/dev/null; rm -rf '\(scratch)'")
        var targets: [String: Target] = [:]
        if let manifest = try? JSONValue(json: Array(text.utf8)) {
            for target in manifest["targets"]?.array ?? [] {
                guard let name = target["name"]?.string, let type = target["type"]?.string,
                    let path = target["path"]?.string
                else { continue }
                let dependencies = (target["dependencies"]?.array ?? []).compactMap {
                    $0["byName"]?.array?.first?.string
                }
                targets[name] = Target(name: name, type: type, path: path, dependencies: Set(dependencies))
            }
        }
        self.targets = targets
    }

    /// The Swift files of a target: below its path, but not below that of a target inside it.
    func files(of target: Target) -> [SourceTree.File] {
        let nested = targets.values.map(\.path).filter { $0.hasPrefix(target.path + "/") }
        return SourceTree.shared.files.filter { file in
            file.path.hasPrefix(target.path + "/") && !nested.contains { file.path.hasPrefix($0 + "/") }
        }
    }
}
