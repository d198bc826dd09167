internal import Core
internal import Glibc

/// A real Prometheus, to test our metrics with: the programs that `HARBOUR_PROMETHEUS` and `HARBOUR_PROMTOOL` name, or
/// those on the path.
public enum PeerPrometheus {
    /// The server.
    public static let server = getenv("HARBOUR_PROMETHEUS").map { String(cString: $0) } ?? "prometheus"
    /// What checks its inputs.
    public static let tool = getenv("HARBOUR_PROMTOOL").map { String(cString: $0) } ?? "promtool"

    /// Whether both can be run; tests that need them are skipped without.
    public static let isThere =
        (try? runCommand([server, "--version"])) != nil && (try? runCommand([tool, "--version"])) != nil

    /// Why a test was skipped.
    public static let reason = "Prometheus is not installed: deploy/test fetches it, or set HARBOUR_PROMETHEUS"

    /// Lets `promtool` judge an exposition.
    /// - Throws: with its words when something is wrong or unusual.
    public static func check(metrics: [UInt8]) throws {
        let folder = try TemporaryDirectory()
        let path = try folder.write("metrics", metrics)
        try runCommand(["sh", "-c", "exec \"$0\" check metrics < \"$1\"", tool, path])
    }
}
