internal import Core
internal import HarbourProtocol
internal import JupyterKernel

/// Which kernel a context gets, and which languages it then has.
enum KernelChoice {
    /// The languages of our own kernel.
    static let own: Set<String> = ["python", "sql", "sh", "md"]

    /// One name for a language that goes by several.
    static func canonical(_ language: String) -> String {
        switch language.lowercased() {
        case "shell", "bash": "sh"
        case "markdown": "md"
        case let other: other
        }
    }

    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when no such kernel is installed.
    static func choose(_ spec: ContextSpec, _ pool: KernelPool) throws(HarbourError) -> (
        language: String, kernel: String
    ) {
        let wanted = (spec.language ?? "").lowercased()
        // A kernel that was asked for by name has its language by its own name.
        let language = spec.kernel == nil ? canonical(wanted) : wanted
        if let name = spec.kernel?.lowercased(), name != KernelPool.ownName {
            let installed = pool.installed()
            guard let found = installed[name] else { throw unknown("kernel \(name)", installed.keys.sorted()) }
            return (language.isEmpty ? found.language : language, name)
        }
        if language.isEmpty { return ("python", KernelPool.ownName) }
        if own.contains(language) { return (language, KernelPool.ownName) }
        let installed = pool.installed()
        let found = installed.values.filter { $0.language == language }.min { $0.name < $1.name }
        guard let found else { throw unknown("kernel for \(language)", installed.keys.sorted()) }
        return (language, found.name)
    }

    /// - Throws: `NOT_SUPPORTED` when the context's kernel does not have the language.
    static func check(_ language: String, _ context: DriverContext) throws(HarbourError) {
        if context.kernelName == KernelPool.ownName ? own.contains(language) : language == context.language { return }
        throw HarbourError(
            .unsupported,
            "The context runs \(context.language) and cannot run \(language). Make a context of that language.")
    }

    private static func unknown(_ what: String, _ names: [String]) -> HarbourError {
        HarbourError(
            .notFound, "The cluster has no \(what). Installed are: \(names.joined(separator: ", ")).")
    }
}
