public import Core
internal import Glibc

/// How an installed kernel is started (Jupyter's `kernel.json`).
public struct KernelSpec: Sendable, Hashable {
    /// How a kernel is asked to stop what it runs.
    public enum InterruptMode: String, Sendable {
        /// SIGINT.
        case signal
        /// An `interrupt_request` on the control channel.
        case message
    }

    /// The name of its folder, in lower case.
    public var name: String
    /// Its folder.
    public var directory: String
    /// What people call it.
    public var displayName: String
    /// Its language, in lower case.
    public var language: String
    /// The program and its arguments, with `{connection_file}` and `{resource_dir}` to be filled in.
    public var arguments: [String]
    /// Variables it wants, with `${NAME}` to be filled in.
    public var environment: [String: String]
    /// How it is asked to stop what it runs.
    public var interruptMode: InterruptMode

    /// Makes a specification by hand.
    public init(
        name: String, displayName: String, language: String, arguments: [String], environment: [String: String] = [:],
        interruptMode: InterruptMode = .signal, directory: String = ""
    ) {
        self.name = name
        self.displayName = displayName
        self.language = language.lowercased()
        self.arguments = arguments
        self.environment = environment
        self.interruptMode = interruptMode
        self.directory = directory
    }

    /// Reads a `kernel.json`.
    /// - Throws: `INVALID_PARAMETER_VALUE` when it is not one.
    public init(name: String, directory: String, json: [UInt8]) throws(HarbourError) {
        let file = try JSONObject(json: json, subject: "kernel.json", code: .invalidParameter)
        let arguments = (file["argv"]?.array ?? []).compactMap(\.string)
        guard !arguments.isEmpty, arguments.contains(where: { $0.contains("{connection_file}") }) else {
            throw HarbourError(
                .invalidParameter, "The kernel \(name) has no argv with {connection_file} in its kernel.json.",
                detail: directory)
        }
        self.init(
            name: name, displayName: file["display_name"]?.string ?? name, language: file["language"]?.string ?? "",
            arguments: arguments,
            environment: (file["env"]?.object ?? [:]).reduce(into: [:]) { $0[$1.key] = $1.value.string },
            interruptMode: file["interrupt_mode"]?.string.flatMap(InterruptMode.init) ?? .signal,
            directory: directory)
    }

    /// The command line for a connection file. A plain `python` means the given interpreter, as in jupyter_client.
    func commandLine(connectionFile: String, python: String?) -> [String] {
        var line = arguments.map { argument in
            argument.replacingText("{connection_file}", with: connectionFile)
                .replacingText("{resource_dir}", with: directory)
        }
        if let python, ["python", "python3"].contains(line[0]) { line[0] = python }
        return line
    }

    /// Its variables, with those of `base` filled in.
    func variables(over base: [String: String]) -> [String: String] {
        environment.mapValues { value in
            base.reduce(value) { $0.replacingText("${\($1.key)}", with: $1.value) }
        }
    }
}

extension String {
    func replacingText(_ old: String, with new: String) -> String {
        guard let range = utf8Range(of: old) else { return self }
        return String(self[..<range.lowerBound]) + new
            + String(self[range.upperBound...]).replacingText(old, with: new)
    }

    private func utf8Range(of text: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
