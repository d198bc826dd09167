import CAllocator  // Linked as in the services, for its malloc.
import Glibc

// One executable for all measurements, so that they are built once: `benchmarks NAME [arguments]`. Each measurement has
// a file of its own here and a script beside this folder that runs it against its peer.
let benchmarks: [String: ([String]) async throws -> Void] = [
    "http-server": httpServerBenchmark,
    "postgres": postgresBenchmark,
]

guard CommandLine.arguments.count > 1, let benchmark = benchmarks[CommandLine.arguments[1]] else {
    print("usage: benchmarks \(benchmarks.keys.sorted().joined(separator: "|")) [arguments]")
    exit(2)
}
try await benchmark(Array(CommandLine.arguments.dropFirst(2)))
