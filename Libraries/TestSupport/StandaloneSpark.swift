internal import Core
public import EventLoop
internal import Glibc

/// A real standalone master with workers, of the clusters' Python, in a folder of the test's own.
public final class StandaloneSpark: @unchecked Sendable {
    /// The clusters' Python.
    public static let python = TestDocker.python

    /// Everything it writes is in this folder.
    public let folder: String
    private let loop: EventLoop
    private var master: ChildProcess?
    /// The workers, in the order of their start.
    public private(set) var workers: [ChildProcess] = []
    /// What drivers connect to.
    public private(set) var url = ""
    /// Where the master's page is.
    public private(set) var page = ""
    private(set) var submission = ""

    init(loop: EventLoop) throws {
        var template = Array("/tmp/spark-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw HarbourError.system("A folder could not be made", errno) }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.loop = loop
    }

    /// What the backend is told, by the names of its settings.
    public var settings: [String: String] {
        ["master": url, "master_ui": page, "master_rest": submission, "python": StandaloneSpark.python ?? "python3"]
    }

    private static let missing = HarbourError(.unavailable, "There is no Spark: run deploy/setup.")

    /// Starts the master, then that many workers at once, and returns when they are registered.
    func start(workers count: Int) async throws {
        let log = "\(folder)/master.log"
        master = try await java(
            "master.Master", ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"], log: log)
        url = "spark://127.0.0.1:\(try await number(after: "Starting Spark master at spark://127.0.0.1:", in: log))"
        let pagePort = try await number(after: "Successfully started service 'MasterUI' on port ", in: log)
        page = "http://127.0.0.1:\(pagePort)"
        let restPort = try await number(after: "submitting applications on 127.0.0.1 with port ", in: log)
        submission = "http://127.0.0.1:\(restPort)"
        for _ in 0..<count { try await startWorker() }
        for number in 0..<count {
            try await wait("worker \(number) registers", in: "\(folder)/worker-\(number).log") {
                $0.contains("Successfully registered with master")
            }
        }
    }

    /// Starts a worker of one core and 1 GiB.
    public func startWorker() async throws {
        let number = workers.count
        workers.append(
            try await java(
                "worker.Worker",
                [
                    "--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir",
                    "\(folder)/work-\(number)", url,
                ], log: "\(folder)/worker-\(number).log"))
    }

    /// The names of the applications that the master has, asked without the backend.
    public func applications() async throws -> [String] {
        let text = try await BlockingPool.shared.run { [page] in try runCommand(["curl", "-sf", "\(page)/json/"]) }
        return try JSONValue(json: Array(text.utf8))["activeapps"]?.array?.compactMap { $0["name"]?.string } ?? []
    }

    /// Ends all of it and removes its folder.
    public func stop() async throws {
        for process in workers + [master].compactMap(\.self) {
            process.kill()
            _ = try await process.wait()
        }
        var arguments = ProcessSpecification("rm", ["-rf", folder])
        arguments.environment = .only(["PATH": "/usr/bin:/bin"])
        _ = try await ChildProcess.start(arguments, loop: loop).wait()
    }

    private func java(_ program: String, _ arguments: [String], log: String) async throws -> ChildProcess {
        guard let python = StandaloneSpark.python else { throw StandaloneSpark.missing }
        let library = python.split(separator: "/").dropLast(2).map { "/\($0)" }.joined() + "/lib"
        let homes: [String] = (11...14).map { "\(library)/python3.\($0)/site-packages/pyspark" }
        guard let home = homes.first(where: { access($0, R_OK) == 0 }) else { throw StandaloneSpark.missing }
        var specification = ProcessSpecification(
            "\(home)/bin/spark-class", ["org.apache.spark.deploy.\(program)"] + arguments)
        specification.environment = .inherited(adding: [
            "SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": python, "SPARK_SCALA_VERSION": "2.13",
            "SPARK_DAEMON_MEMORY": "512m", "SPARK_DAEMON_JAVA_OPTS": "-Djava.io.tmpdir=\(folder)",
            "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=true -Dspark.master.rest.host=127.0.0.1 "
                + "-Dspark.master.rest.port=0",
        ])
        specification.output = .file(log)
        specification.errors = .sameAsOutput
        // A test that is killed must not leave a master behind.
        specification.parentDeathSignal = SIGKILL
        return try await ChildProcess.start(specification, loop: loop)
    }

    /// The number that the log has after that text, waited for.
    private func number(after text: String, in log: String) async throws -> Int {
        var found: Int?
        try await wait(text, in: log) { lines in
            guard let range = lines.firstRange(of: text) else { return false }
            found = Int(lines[range.upperBound...].prefix { $0.isNumber })
            return found != nil
        }
        guard let found else { throw HarbourError(.invalidState, "\(log) has no number.") }
        return found
    }

    private func wait(_ what: String, in log: String, until isDone: (String) -> Bool) async throws {
        let end = MonotonicTime.now + .seconds(300)
        while true {
            // It may not be there yet.
            let lines = (try? runCommand(["cat", log])) ?? ""
            if isDone(lines) { return }
            guard MonotonicTime.now < end else {
                throw HarbourError(.deadlineExceeded, "\(what): \(lines.suffix(2000))")
            }
            try await loop.sleep(for: .milliseconds(50))
        }
    }
}

/// Runs the body with a master and workers of one core each.
public func withStandaloneSpark(
    workers: Int, _ loop: EventLoop, _ body: (StandaloneSpark) async throws -> Void
) async throws {
    let spark = try StandaloneSpark(loop: loop)
    do {
        try await spark.start(workers: workers)
        try await body(spark)
    } catch {
        try await spark.stop()
        throw error
    }
    try await spark.stop()
}
