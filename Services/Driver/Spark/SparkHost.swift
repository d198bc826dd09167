internal import Core
internal import EventLoop
internal import Glibc
internal import ServiceKit

/// The process that keeps the cluster's one Spark application. It ends by itself when we die: its input ends then, and
/// it takes the time to end what kernels have left behind, which a parent-death signal would not give it.
///
/// Used on the driver's loop only.
final class SparkHost: @unchecked Sendable {
    private let configuration: DriverConfiguration
    private let scratch: ScratchFolder
    private let pages: SparkPageKey
    private let loop: EventLoop
    private let logs: LogBook
    private let receive: (SparkHostEvent) -> Void
    private let ended: (ProcessExit) -> Void
    private var process: ChildProcess?
    private var outgoing: [[UInt8]] = []
    private var isWriting = false
    private var questions: [Int64: CheckedContinuation<SparkStats?, Never>] = [:]
    private var jars: [Int64: CheckedContinuation<String?, Never>] = [:]
    private var looks: [Int64: CheckedContinuation<Void, Never>] = [:]
    private var nextQuestion: Int64 = 1
    private let logger = Logger("driver.spark")

    init(
        _ configuration: DriverConfiguration, _ scratch: ScratchFolder, pages: SparkPageKey, logs: LogBook,
        loop: EventLoop,
        receive: @escaping (SparkHostEvent) -> Void, ended: @escaping (ProcessExit) -> Void
    ) {
        self.configuration = configuration
        self.scratch = scratch
        self.pages = pages
        self.logs = logs
        self.loop = loop
        self.receive = receive
        self.ended = ended
    }

    var pid: Int32? { process?.pid }

    private var file: String { "\(scratch.path)/spark-host.json" }

    /// Writes down what Spark shall be.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the cluster's folder cannot be written.
    func prepare() throws(HarbourError) { try ScratchFolder.write(settings().encodedJSON(), to: file) }

    func start() async throws {
        var specification = ProcessSpecification(
            configuration.python, ["-m", "harbour_runtime.spark_host", "--config", file])
        specification.environment = .only(ChildEnvironment.base(configuration))
        specification.directory = scratch.path
        specification.input = .pipe
        specification.output = .pipe
        specification.errors = .pipe
        let child = try await ChildProcess.start(specification, loop: loop)
        process = child
        let reading = loop.spawn { [self] in await readEvents(child) }
        loop.spawn { [self] in await readLog(child) }
        child.whenEnded { [self] exit in
            process = nil
            for question in questions.values { question.resume(returning: nil) }
            questions = [:]
            for jar in jars.values { jar.resume(returning: "Spark ended.") }
            jars = [:]
            // Its last words may still be in the pipe.
            loop.spawn { [self] in
                await reading.value
                ended(exit)
                for look in looks.values { look.resume() }
                looks = [:]
            }
        }
    }

    private func settings() -> JSONObject {
        var settings: JSONObject = [
            "app_name": .string("dataharbour-\(configuration.clusterID)"), "master": .string(configuration.sparkMaster),
            "scratch_dir": .string(scratch.path), "driver_memory_mb": .integer(configuration.memoryMiB),
            "spark_conf": .object(
                JSONObject(
                    configuration.sparkConf.merging(pages.sparkConf) { $1 }.sorted { $0.key < $1.key }
                        .map { ($0.key, .string($0.value)) })),
        ]
        if let archive = configuration.archive { settings["archive"] = .string(archive) }
        if let javaHome = configuration.javaHome { settings["java_home"] = .string(javaHome) }
        return settings
    }

    private func readEvents(_ child: ChildProcess) async {
        guard let output = child.output else { return }
        do {
            for try await line in output.lines() {
                switch SparkHostEvent(line) {
                case .stats(let id, let stats): questions.removeValue(forKey: id)?.resume(returning: stats)
                case .alive(let id): looks.removeValue(forKey: id)?.resume()
                case .answered(let id, let problem):
                    if let look = looks.removeValue(forKey: id) {
                        look.resume()
                    } else if let jar = jars.removeValue(forKey: id) {
                        jar.resume(returning: problem)
                    } else if let problem {
                        logger.warning("Spark's host refused something.", ["reason": problem])
                    }
                case let event?: receive(event)
                case nil: logger.warning("Spark's host said something unknown.", ["bytes": line.utf8.count])
                }
            }
        } catch {
            logger.error("Spark's host cannot be heard any more.", ["error": HarbourError.describe(error)])
            child.kill()
        }
    }

    private func readLog(_ child: ChildProcess) async {
        guard let errors = child.errors else { return }
        do {
            for try await line in errors.lines(limit: 16_384) {
                logs.add(source: "spark", line)
                logger.debug("host", ["line": configuration.redactor(line)])
            }
        } catch {
            logger.warning("The log of Spark's host cannot be read.", ["error": HarbourError.describe(error)])
        }
    }

    // MARK: Asking

    /// Cancels the Spark jobs of a command.
    func cancel(_ commandID: String) { send(["op": "cancel", "command_id": .string(commandID)]) }

    /// Has Spark ask the master for that many executors, or let some go.
    func resize(_ executors: Int) { send(["op": "resize", "executors": .integer(executors)]) }

    /// What Spark is doing, or nil when it does not say so in time.
    func stats(within patience: Duration) async -> SparkStats? {
        guard process != nil else { return nil }
        let id = nextQuestion
        nextQuestion += 1
        let timer = loop.schedule(after: patience) { [self] in
            questions.removeValue(forKey: id)?.resume(returning: nil)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { continuation in
            questions[id] = continuation
            send(["op": "stats", "id": .integer(id)])
        }
    }

    /// Has Spark load a jar and send it to the executors; the answer is why not.
    func addJar(_ path: String) async -> String? {
        guard process != nil else { return "The cluster has no Spark." }
        let id = nextQuestion
        nextQuestion += 1
        return await withCheckedContinuation { continuation in
            jars[id] = continuation
            send(["op": "add_jar", "path": .string(path), "id": .integer(id)])
        }
    }

    /// Returns when Spark is known to run, or its end has been reported if it ends within the patience.
    func look(within patience: Duration) async {
        let id = nextQuestion
        nextQuestion += 1
        // A host that is too busy to answer is not one that has ended.
        let timer = loop.schedule(after: patience + .seconds(10)) { [self] in looks.removeValue(forKey: id)?.resume() }
        defer { timer.cancel() }
        await withCheckedContinuation { continuation in
            looks[id] = continuation
            send(["op": "alive", "within_ms": .integer(patience.milliseconds), "id": .integer(id)])
        }
    }

    private func send(_ message: JSONObject) {
        guard process != nil else { return }
        outgoing.append(message.encodedJSON() + [UInt8(ascii: "\n")])
        guard !isWriting else { return }
        isWriting = true
        loop.spawn { [self] in
            defer { isWriting = false }
            while !outgoing.isEmpty, let input = process?.input {
                do { try await input.write(outgoing.removeFirst()) } catch {
                    // It has ended, or is about to: the exit is reported by itself.
                    outgoing = []
                }
            }
        }
    }

    // MARK: The end

    /// Stops Spark in order, and by force after the grace.
    func stop(grace: Duration) async {
        guard let child = process else { return }
        send(["op": "stop"])
        let timer = loop.schedule(after: grace) { child.kill() }
        defer { timer.cancel() }
        do { _ = try await child.wait() } catch { child.kill() }
    }
}
