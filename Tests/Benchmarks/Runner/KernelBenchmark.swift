import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import JupyterKernel
import ServiceClients

/// The cell `1+1`, one after the other: `benchmarks kernel --python PYTHON --count 300` straight to a plain Python kernel
/// through JupyterKernel; with `--url unix:/path --token TOKEN` through a driver that runs. Prints the median and the
/// 95th percentile in microseconds.
func kernelBenchmark(_ arguments: [String]) async throws {
    var options = ["count": "300", "python": "python3"]
    var rest = arguments[...]
    while let name = rest.popFirst(), let value = rest.popFirst() { options[String(name.dropFirst(2))] = value }
    let count = options["count"].flatMap(Int.init) ?? 300
    let loop = try EventLoop()
    let thread = loop.start()
    let times = try await withTaskExecutorPreference(loop) { [options] in
        if let url = options["url"] {
            return try await throughDriver(url, token: options["token"] ?? "", count: count, loop: loop)
        }
        return try await direct(options["python"] ?? "python3", count: count, loop: loop)
    }
    thread.stopAndJoin()
    let sorted = times.map { $0.nanoseconds / 1000 }.sorted()
    print("\(sorted[sorted.count / 2]) \(sorted[sorted.count * 95 / 100])")
}

private func direct(_ python: String, count: Int, loop: EventLoop) async throws -> [Duration] {
    let folder = "/tmp/kernel-benchmark-\(getpid())"
    mkdir(folder, 0o700)
    defer { rmdir(folder) }
    let spec = KernelSpec(
        name: "python3", displayName: "Python", language: "python",
        arguments: [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    let kernel = try await JupyterKernel.launch(.init(spec: spec, runtimeFolder: folder), loop: loop)
    _ = try await kernel.ready()
    var times: [Duration] = []
    for number in 0..<count + 20 {
        let begin = MonotonicTime.now
        let (outputs, result) = await kernel.execute(KernelRequest("1+1"))
        let time = MonotonicTime.now - begin
        guard result.status == .ok, outputs.count == 1 else {
            throw HarbourError(.internalError, "The kernel answered \(result) with \(outputs.count) outputs.")
        }
        if number >= 20 { times.append(time) }
    }
    await kernel.shutdown()
    return times
}

private func throughDriver(_ url: String, token: String, count: Int, loop: EventLoop) async throws -> [Duration] {
    let http = HTTPClient(loop: loop)
    let client = try ServiceClient(http: http, baseURL: url, token: token, service: "driver")
    let context = try await client.call(
        DriverAPI.createContext, .init(body: ContextSpec(contextID: Identifier.make(), kernel: "python3")))
    var times: [Duration] = []
    for number in 0..<count + 20 {
        let begin = MonotonicTime.now
        let input = DriverAPI.RunCommandInput(
            contextID: context.contextID, commandID: Identifier.make(), body: CommandRun(source: "1+1"))
        var values = 0
        for try await event in try await client.stream(DriverAPI.runCommand, input) where event.type == .result {
            values += 1
        }
        let time = MonotonicTime.now - begin
        guard values == 1 else { throw HarbourError(.internalError, "The driver sent \(values) values.") }
        if number >= 20 { times.append(time) }
    }
    _ = try await client.call(DriverAPI.deleteContext, .init(contextID: context.contextID))
    await http.close()
    return times
}
