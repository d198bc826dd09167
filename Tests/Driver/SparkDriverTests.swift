import Core
import EventLoop
import Glibc
import HarbourProtocol
import TestSupport
import Testing

@testable import DriverService

/// Whether the test Python has Spark.
let hasSpark: Bool = {
    guard let python = TestRuntime.python else { return false }
    let parts = python.split(separator: "/").dropLast(2).map { "/\($0)" }.joined()
    return ScratchFolder.names(in: "\(parts)/lib").contains { name in
        access("\(parts)/lib/\(name)/site-packages/pyspark", R_OK) == 0
    }
}()

/// A driver with Spark, started, and ended in order.
private func withSparkDriver(_ body: @escaping @Sendable (Driver) async throws -> Void) async throws {
    try await withScratch { scratch in
        try await withEventLoop { loop in
            let driver = try Driver(try configuration(scratch), loop: loop)
            await driver.start()
            do { try await body(driver) } catch {
                await driver.stop(grace: .zero)
                throw error
            }
            await driver.stop(grace: .seconds(20))
            #expect(driver.sparkHostPID == nil)
        }
    }
}

extension Driver {
    /// Waits for a phase, and says how long it took.
    func reach(_ phase: DriverPhase) async throws -> DriverStatus {
        let found = Found()
        do {
            try await followStatus { status in
                if status.phase == phase { found.status = status }
                if status.phase == phase || status.phase == .failed { throw CancellationError() }
            }
        } catch is CancellationError {
            // Found, or failed instead.
        }
        return try #require(found.status, "\(status.errorCode ?? "") \(status.message ?? "")")
    }
}

private final class Found: @unchecked Sendable {
    var status: DriverStatus?
}

@Suite(.enabled(if: hasSpark), .serialized, .timeLimit(.minutes(10))) struct SparkDriverTests {
    @Test func notebooksRunOnOneSpark() async throws {
        try await withSparkDriver { driver in
            // Asked before Spark is up: they wait for it.
            _ = try driver.createContext(ContextSpec(contextID: "a", parameters: ["day": "monday"]))
            let early = try await driver.transcript("spark.range(10).count()", in: "a")
            #expect(early.value == "10")
            let status = try await driver.reach(.running)
            #expect(status.spark?.version.hasPrefix("4.") == true)
            #expect(status.phases?.contains { $0.name == "total" } == true)
            #expect(try await driver.transcript("dbutils.widgets.get('day')", in: "a").value == "'monday'")

            try await widgetsTravel(driver)
            try await aSecondContextIsApart(driver)
            let table = try await driver.transcript("SELECT 1 AS one, 'x' AS letter", in: "b", language: "sql")
            let type = "application/vnd.dataharbour.table+json"
            let data = table.events.compactMap { $0.data?[type] }.first
            #expect(data?["columns"]?[0]?["name"] == "one")
            #expect(data?["rows"]?[0]?[1] == "x")
            #expect(try await driver.transcript("echo $((6 * 7))", in: "b", language: "sh").text.contains("42"))
            let wrong = try await driver.transcript("SELECT nonsense", in: "b", language: "sql")
            #expect(wrong.last?.state == .error)
            #expect(wrong.events.first { $0.type == .error }?.metadata?["error_class"] != nil)
            let exit = try await driver.transcript("dbutils.notebook.exit('done')", id: "exit", in: "b")
            #expect(exit.count(.exit) == 1)
            #expect(try driver.command("exit", in: "b").exitValue == "done")
            #expect(await driver.freshStatus().contexts == 2)
            #expect(driver.stats.heapMaximum > 100 << 20)
            #expect(driver.stats.completedTasks > 0)
            try await secretsAreReadAndNotShown(driver)
            try await cancelReachesSpark(driver)
        }
    }

    /// What a command has changed is an event and no output; what people chose comes with the next one, and with SQL.
    private func widgetsTravel(_ driver: Driver) async throws {
        let source = "dbutils.widgets.dropdown('city', 'Rome', ['Oslo', 'Rome'])\n1 / 0"
        let declared = try await driver.transcript(source, id: "declared", in: "a")
        #expect(declared.last?.state == .error)
        #expect(declared.count(.display) == 0)
        let event = try #require(declared.events.first { $0.type == .widgets })
        let changes = try WidgetChanges(json: JSONValue.object(event.data ?? [:]).encodedJSON())
        var city = NotebookWidget(kind: .dropdown, name: "city", defaultValue: "Rome", choices: ["Oslo", "Rome"])
        #expect(changes == WidgetChanges(removed: [], declared: [city]))
        city.value = "Oslo"
        let day = NotebookWidget(kind: .text, name: "day", defaultValue: "", label: "Day", value: "friday")
        let given = try await driver.transcript("SELECT :city AS city", in: "a", language: "sql", widgets: [city, day])
        let type = "application/vnd.dataharbour.table+json"
        #expect(given.events.compactMap { $0.data?[type] }.first?["rows"]?[0]?[0] == "Oslo")
        // The run's own parameter comes first; without word of them widgets stay.
        let all = try await driver.transcript("dbutils.widgets.getAll()", in: "a")
        #expect(all.value == "{'city': 'Oslo', 'day': 'monday'}")
        // The same command, though its widgets are others by now.
        let again = try await driver.transcript(source, id: "declared", in: "a", widgets: [day])
        #expect(again.events == declared.events)
    }

    /// What the cluster service answers is what the cell gets, and nothing shows it from then on.
    private func secretsAreReadAndNotShown(_ driver: Driver) async throws {
        let service = Task(executorPreference: driver.loop) {
            try await driver.secrets.follow { wanted in
                var answer = SecretAnswer(questionID: wanted.questionID)
                switch (wanted.operation, wanted.key) {
                case (.get, "never"): return
                case (.get, "password"): answer.value = "sesame \"open\""
                case (.get, _): answer.error = CommandError(code: "X", name: "SecretError", message: "There is none.")
                default: answer.names = ["one", "two"]
                }
                driver.secrets.take(answer)
            }
        }
        defer { service.cancel() }
        let read = try await driver.transcript(
            """
            password = dbutils.secrets.get("db", key="password")
            print(password, [len(password), dbutils.secrets.getBytes("db", "password")[:6] == b"sesame"])
            print([each.key for each in dbutils.secrets.list("db")], dbutils.secrets.listScopes()[1].name)
            """, in: "b")
        #expect(read.text == "[REDACTED] [13, True]\n['one', 'two'] two\n")
        #expect(try await driver.transcript("password", in: "b").value?.contains("sesame") == false)
        // Another context of the same driver shows it neither.
        #expect(try await driver.transcript("print('sesame \"open\"')", in: "a").text == "[REDACTED]\n")
        let refused = try await driver.transcript("dbutils.secrets.get('db', 'absent')", in: "b")
        #expect(refused.last?.error?.name == "SecretError")
        #expect(refused.last?.error?.message == "There is none.")
        let wrong = try await driver.transcript("dbutils.secrets.get('', 'x' * 200)", in: "b")
        #expect(wrong.last?.error?.message.contains("1 to 128 characters") == true)
        let thread = try await driver.transcript(
            """
            from concurrent.futures import ThreadPoolExecutor
            ThreadPoolExecutor(1).submit(dbutils.secrets.listScopes).result()
            """, in: "b")
        #expect(thread.last?.error?.message.contains("thread") == true)
        // One that waits is interrupted like any other, and the answer to the next is not taken for the first's.
        let stopped = try await driver.transcript(
            "print('go', flush=True)\ndbutils.secrets.get('db', 'never')", id: "never", in: "b"
        ) { event in
            if event.text?.hasPrefix("go") == true { _ = try driver.cancel("never", in: "b") }
        }
        #expect(stopped.last?.state == .cancelled)
        #expect(try await driver.transcript("dbutils.secrets.listScopes()[0].name", in: "b").value == "'one'")
    }

    /// A context gets the warm kernel, where Spark has started long ago, and a session of its own.
    private func aSecondContextIsApart(_ driver: Driver) async throws {
        try await eventually("a kernel is warm") { driver.pool.spareCount > 0 }
        _ = try driver.createContext(ContextSpec(contextID: "b", language: "python"))
        #expect(try await driver.transcript("spark.range(3).count()", in: "b").value == "3")
        try await driver.transcript("spark.range(1).createTempView('mine')", in: "b")
        // Spark may still be reading its catalog for the first time.
        var names = Completion(matches: [], cursorStart: 0, cursorEnd: 0, busy: true)
        while names.busy {
            names = try await driver.complete(
                CompleteCode(code: "SELECT * FROM mi", cursorPos: 16, language: "sql"), in: "b")
        }
        #expect(names.matches == [CompletionMatch(text: "mine", type: "table")])
        let other = try await driver.transcript("spark.table('mine')", in: "a")
        #expect(other.last?.state == .error)
    }

    private func cancelReachesSpark(_ driver: Driver) async throws {
        let source = """
            import time
            print('go', flush=True)
            spark.range(0, 4, 1, 4).rdd.map(lambda n: time.sleep(1000)).collect()
            """
        let stopped = try await driver.transcript(source, id: "slow", in: "a") { event in
            if event.text?.hasPrefix("go") == true { _ = try driver.cancel("slow", in: "a") }
        }
        #expect(stopped.last?.state == .cancelled)
        #expect(stopped.last?.error == nil)
        #expect(try await driver.transcript("spark.range(5).count()", in: "a").value == "5")
    }

    @Test func aDeadSparkIsSaidAndNothingIsLeft() async throws {
        try await withSparkDriver { driver in
            _ = try await driver.reach(.running)
            _ = try driver.createContext(ContextSpec(contextID: "a"))
            try await driver.transcript("1", in: "a")
            let host = try #require(driver.sparkHostPID)
            let running = try await driver.transcript("print('go', flush=True)\nimport time; time.sleep(1000)", in: "a")
            {
                if $0.text?.hasPrefix("go") == true { Glibc.kill(host, SIGKILL) }
            }
            #expect(running.last?.error?.code == "SPARK_LOST")
            #expect(driver.status.phase == .failed)
            #expect(driver.status.errorCode == "SPARK_LOST")
            let after = try await driver.transcript("1", in: "a")
            #expect(after.last?.error?.code == "SPARK_UNAVAILABLE")
        }
    }

    /// The command says what the cluster says, whether its kernel, its connection or Spark is seen to end first.
    @Test(arguments: [
        "time.sleep(1000)", "spark.range(4).rdd.map(lambda n: time.sleep(1000)).collect()",
    ])
    func aKilledSparkIsTheEndOfTheCommand(waiting: String) async throws {
        try await withSparkDriver { driver in
            _ = try driver.createContext(ContextSpec(contextID: "a"))
            let source = """
                import time
                print(spark._jvm.java.lang.ProcessHandle.current().pid(), flush=True)
                \(waiting)
                """
            let killed = try await driver.transcript(source, in: "a") { event in
                if let pid = event.text.flatMap({ Int32($0.prefix { $0.isNumber }) }) { Glibc.kill(pid, SIGKILL) }
            }
            #expect(killed.last?.state == .error)
            #expect(killed.last?.error?.code == "KILLED")
            #expect(killed.last?.error?.message.contains("SIGKILL") == true)
            #expect(driver.status.errorCode == "KILLED")
        }
    }

    /// A kernel that dies alone is still that, and what py4j says of itself is not taken for the end of Spark.
    @Test func aSparkThatRunsIsNotBlamed() async throws {
        try await withSparkDriver { driver in
            _ = try driver.createContext(ContextSpec(contextID: "a"))
            _ = try await driver.reach(.running)
            let refused = try await driver.transcript(
                "import socket; socket.create_connection(('127.0.0.1', 1))", in: "a")
            #expect(refused.last?.error?.name == "ConnectionRefusedError")
            let dead = try await driver.transcript("import os; os.kill(os.getpid(), 9)", in: "a")
            #expect(dead.last?.error?.code == "KERNEL_DIED")
            #expect(driver.status.phase == .running)
        }
    }

    @Test func aSparkThatCannotStartSaysWhy() async throws {
        try await withScratch { scratch in
            try await withEventLoop { loop in
                var settings = try configuration(scratch)
                settings.javaHome = "/no/such/folder"
                let driver = try Driver(settings, loop: loop)
                await driver.start()
                _ = try driver.createContext(ContextSpec(contextID: "a"))
                let answer = try await driver.transcript("1", in: "a")
                #expect(answer.last?.error?.code == "SPARK_UNAVAILABLE")
                #expect(driver.status.phase == .failed)
                #expect(driver.status.errorCode == "JAVA_MISSING")
                await driver.stop(grace: .zero)
            }
        }
    }
}
