internal import Core
internal import EventLoop

/// Runs the cluster's own scripts one after the other before Spark starts.
struct InitScripts {
    let configuration: DriverConfiguration
    let scratch: ScratchFolder
    let logs: LogBook
    let loop: EventLoop
    private let logger = Logger("driver.init")

    init(_ configuration: DriverConfiguration, _ scratch: ScratchFolder, logs: LogBook, loop: EventLoop) {
        self.configuration = configuration
        self.scratch = scratch
        self.logs = logs
        self.loop = loop
    }

    /// Runs them all; the first one that fails ends it, and is the answer.
    func run() async -> SparkFailure? {
        for (index, script) in configuration.start.scripts.enumerated() {
            let begin = MonotonicTime.now
            if let failure = await run(script, index + 1) { return failure }
            let time = (MonotonicTime.now - begin).milliseconds
            logger.info("An init script has ended.", ["script": script.name, "milliseconds": time])
        }
        return nil
    }

    private func run(_ script: StartFile.Script, _ number: Int) async -> SparkFailure? {
        do {
            var path = script.file ?? ""
            if let content = script.content {
                path = "\(scratch.path)/init-\(number).sh"
                try ScratchFolder.write(Array(content.utf8), to: path)
            }
            var variables = ChildEnvironment.base(configuration)
            variables["HARBOUR_SCRATCH"] = scratch.path
            let process = SetupProcess(loop: loop, limit: configuration.initScriptTimeout) { [logs, logger] line in
                logs.add(source: "init-script", "\(script.name): \(line)")
                logger.info(configuration.redactor(line), ["script": script.name])
            }
            let outcome = try await process.run("bash", [path], variables, in: scratch.path)
            if outcome.isSuccess { return nil }
            let end =
                outcome.isLate
                ? "took longer than \(configuration.initScriptTimeout.milliseconds / 1000) seconds" : "\(outcome.exit)"
            return failure(script, end, outcome.lines)
        } catch {
            return failure(script, "could not be run: \(HarbourError.wrap(error).message)", [])
        }
    }

    private func failure(_ script: StartFile.Script, _ end: String, _ lines: [String]) -> SparkFailure {
        let last = configuration.redactor(lines.joined(separator: "\n"))
        let tail = last.isEmpty ? "It wrote nothing." : "Its last lines:\n\(last.suffix(2000))"
        return SparkFailure(
            code: "INIT_SCRIPT_FAILURE", message: "The init script \(script.name) \(end). \(tail)", detail: "")
    }
}
