internal import Core
internal import Glibc

extension ProcessSpecification.Environment {
    /// The variables of our own process.
    public static var ours: [String: String] { ProcessEnvironment.current() }
}

/// Variables and the search for programs.
enum ProcessEnvironment {
    /// The variables of our own process.
    static func current() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return variables
    }

    static func resolve(_ environment: ProcessSpecification.Environment) throws(HarbourError) -> [String: String] {
        let variables =
            switch environment {
            case .inherited(let adding): current().merging(adding) { $1 }
            case .only(let variables): variables
            }
        guard !variables.keys.contains(where: { $0.isEmpty || $0.contains("=") }) else {
            throw HarbourError(.invalidParameter, "The name of a variable must not be empty nor hold an equals sign.")
        }
        return variables
    }

    /// The program's absolute path. It is looked up here and not by exec, so that a relative path means the same
    /// whatever folder the child starts in.
    static func find(_ name: String, path: String?) throws(HarbourError) -> String {
        if name.hasPrefix("/") { return name }
        if name.contains("/") { return "\(workingDirectory())/\(name)" }
        for folder in (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":") {
            let candidate = "\(folder)/\(name)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw HarbourError(
            .notFound, "The program \(name) is not installed: no folder of PATH has it.", detail: path)
    }

    private static func workingDirectory() -> String {
        guard let text = getcwd(nil, 0) else { return "." }
        defer { free(text) }
        return String(cString: text)
    }
}
