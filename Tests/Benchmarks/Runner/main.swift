import CAllocator  // Linked as in the services, for its malloc.
import Glibc

// One executable for all measurements, so that they are built once: `benchmarks NAME [arguments]`. Each measurement has
// a file of its own here, and a script beside this folder where it needs a peer that is not Swift.
let benchmarks: [String: ([String]) async throws -> Void] = [
    "http-server": httpServerBenchmark,
    "kernel": kernelBenchmark,
    "postgres": postgresBenchmark,
    "scheduler": schedulerBenchmark,
]
/// Those that want the main thread for themselves. The status is 0 when the threshold is reached.
let synchronousBenchmarks: [String: ([String]) -> Int32] = [
    "json": JSONBenchmark.run,
    "service": ServiceBenchmark.run,
]

let name = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : ""
if let benchmark = synchronousBenchmarks[name] { exit(benchmark(Array(CommandLine.arguments.dropFirst(2)))) }
guard let benchmark = benchmarks[name] else {
    let names = Array(benchmarks.keys) + Array(synchronousBenchmarks.keys)
    print("usage: benchmarks \(names.sorted().joined(separator: "|")) [arguments]")
    exit(2)
}
try await benchmark(Array(CommandLine.arguments.dropFirst(2)))
