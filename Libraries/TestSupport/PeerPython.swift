internal import Glibc

/// Python with other people's implementations, to test ours against: the one `HARBOUR_PEER_PYTHON` names, or `python3`.
public enum PeerPython {
    /// Its path or name.
    public static let executable = getenv("HARBOUR_PEER_PYTHON").map { String(cString: $0) } ?? "python3"

    /// Whether it has that module; tests that need one are skipped without it.
    public static func has(_ module: String) -> Bool {
        (try? runCommand([executable, "-c", "import \(module)"])) != nil
    }

    /// The path of a script that lies beside the test's own file.
    public static func script(_ name: String, file: String = #filePath) -> String {
        "\(file.prefix(upTo: file.lastIndex(of: "/") ?? file.startIndex))/\(name)"
    }
}
