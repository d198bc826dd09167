import Core
import EventLoop
import Glibc
import HarbourProtocol
import JupyterKernel
import TestSupport
import Testing

@testable import DriverService

@Suite struct RedactorTests {
    @Test func secretsAreTakenOutWhereverTheyStand() {
        let redactor = Redactor(["hunter2", "hunter2-longer", "abc", "line one of a key\nline two of a key", "q\"uote"])
        #expect(redactor("hunter2") == "[REDACTED]")
        #expect(redactor("a hunter2-longer z hunter2hunter2") == "a [REDACTED] z [REDACTED][REDACTED]")
        // Too short to be told from other text.
        #expect(redactor("abc") == "abc")
        #expect(redactor("> line two of a key") == "> [REDACTED]")
        #expect(redactor(#"{"x":"q\"uote"}"#) == #"{"x":"[REDACTED]"}"#)
        #expect(redactor("hunter") == "hunter")
        let marked = Redactor(["a<b> & 'c' \"d\""])
        #expect(marked("<td>a&lt;b&gt; &amp; 'c' \"d\"</td>") == "<td>[REDACTED]</td>")
        #expect(marked("<td>a&lt;b&gt; &amp; &#x27;c&#x27; &quot;d&quot;</td>") == "<td>[REDACTED]</td>")
        #expect(marked("<td>a&lt;b&gt; &amp; &#39;c&#39; &#34;d&#34;</td>") == "<td>[REDACTED]</td>")
        #expect(Redactor(["1234\n<line two>"])("&lt;line two&gt;") == "[REDACTED]")
        #expect(Redactor().isEmpty)
        let bundle = KernelBundle(data: ["text/plain": "is hunter2", "n": ["deep": ["hunter2", 1]]])
        guard case .display(let shown, _) = redactor.redact(.display(bundle, displayID: nil)) else {
            Issue.record("another output")
            return
        }
        #expect(!JSONValue.object(shown.data).jsonText().contains("hunter2"))
    }

    @Test func whatAnOutputIsStays() {
        // Whoever keeps such a secret would else take exits, tables and widgets from all who share the cluster.
        let redactor = Redactor(["harbour", "html"])
        let bundle = KernelBundle(
            data: ["application/vnd.dataharbour.exit+json": ["value": "harbour"], "text/html": "harbour"],
            metadata: ["text/html": ["title": "in the harbour"]])
        let shown = redactor.redact(bundle)
        #expect(shown.data.fields.map(\.key) == ["application/vnd.dataharbour.exit+json", "text/html"])
        #expect(shown.data["text/html"] == "[REDACTED]")
        #expect(shown.data["application/vnd.dataharbour.exit+json"]?["value"] == "[REDACTED]")
        #expect(shown.metadata["text/html"]?["title"] == "in the [REDACTED]")
    }

    @Test func noMoreAreLearnedThanOutputsCanBeHeldAgainst() {
        let redactor = Redactor()
        let lines = (0..<1_800).map { "line \($0) of a file" }.joined(separator: "\n")
        #expect(redactor.learn(lines))
        #expect(redactor.learn("hunter2"))
        #expect(!redactor.learn(lines.replacing("line", with: "another line")))
        // What is known is no more than before.
        #expect(redactor.learn(lines))
        #expect(redactor("hunter2, line 1799 of a file") == "[REDACTED], [REDACTED]")
    }
}

/// A driver of which the start file asks for something.
private func withDriver(
    _ start: @escaping @Sendable (String) async throws -> StartFile,
    _ body: @escaping @Sendable (Driver) async throws -> Void
) async throws {
    try await withScratch { scratch in
        try await withEventLoop { loop in
            var settings = try configuration(scratch)
            settings.sparkMaster = "local[1]"
            settings.start = try await start(scratch)
            let driver = try Driver(settings, loop: loop)
            await driver.start()
            do { try await body(driver) } catch {
                await driver.stop(grace: .zero)
                throw error
            }
            await driver.stop(grace: .seconds(10))
        }
    }
}

extension Driver {
    /// All lines of the log so far.
    fileprivate func logLines() async throws -> [LogLine] {
        let found = Lines()
        try await logs.read(after: 0, follow: false) { found.lines += $0 }
        return found.lines
    }
}

private final class Lines: @unchecked Sendable {
    var lines: [LogLine] = []
}

@Suite(.enabled(if: hasSpark), .serialized, .timeLimit(.minutes(10))) struct SetupTests {
    @Test func aFailingInitScriptEndsTheStartAndSaysWhy() async throws {
        try await withDriver({ _ in
            var start = StartFile()
            start.secrets = ["sesame-open"]
            start.scripts = [
                .init(name: "first", content: "echo one"),
                .init(name: "second", content: "echo with sesame-open\necho it broke >&2\nexit 7"),
                .init(name: "third", content: "echo never"),
            ]
            return start
        }) { driver in
            let status = driver.status
            #expect(status.phase == .failed)
            #expect(status.errorCode == "INIT_SCRIPT_FAILURE")
            let message = status.message ?? ""
            #expect(message.contains("second") && message.contains("it broke") && message.contains("7"), "\(message)")
            #expect(message.contains("[REDACTED]") && !message.contains("sesame"))
            let lines = try await driver.logLines().filter { $0.source == "init-script" }
            #expect(lines.map(\.text) == ["first: one", "second: with [REDACTED]", "second: it broke"])
            #expect(driver.sparkHostPID == nil)
        }
    }

    @Test func librariesAreInstalledForTheClusterAloneAndSecretsStayInside() async throws {
        let python = try #require(TestRuntime.python)
        try await withDriver({ scratch in
            // A wheel and a jar, made here so that no index is asked.
            let make = """
                import sys, zipfile
                folder = sys.argv[1]
                with zipfile.ZipFile(folder + "/quay-1.0-py3-none-any.whl", "w") as wheel:
                    wheel.writestr("quay.py", "depth = 12\\n")
                    wheel.writestr("quay-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: quay\\nVersion: 1.0\\n")
                    wheel.writestr("quay-1.0.dist-info/WHEEL",
                        "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
                    wheel.writestr("quay-1.0.dist-info/RECORD", "")
                with zipfile.ZipFile(folder + "/crane.jar", "w") as jar:
                    jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\\n")
                """
            let loop = try #require(EventLoop.current)
            let made = try await SetupProcess(loop: loop, limit: .seconds(60)) { _ in }.run(
                python, ["-c", make, scratch], ["PATH": "/usr/bin:/bin"], in: scratch)
            try #require(made.isSuccess, "\(made.lines)")
            var start = StartFile()
            start.secrets = ["sesame-open"]
            start.scripts = [.init(name: "mark", content: "echo ready > \"$HARBOUR_SCRATCH/mark\"")]
            start.libraries = [
                Library(whl: "\(scratch)/quay-1.0-py3-none-any.whl"),
                Library(whl: "\(scratch)/absent-1.0-py3-none-any.whl"),
                Library(jar: "\(scratch)/crane.jar"), Library(jar: "/nowhere/x.jar"),
            ]
            return start
        }) { driver in
            _ = try driver.createContext(ContextSpec(contextID: "c"))
            let source = """
                import quay, os
                print(quay.depth, quay.__file__.startswith(os.environ["HARBOUR_OVERLAY"]), "sesame-open")
                display({"text/html": "<b>sesame-open</b>"}, raw=True)
                print(open(os.environ["HARBOUR_OVERLAY"] + "/../mark").read())
                """
            let ran = try await driver.transcript(source, in: "c")
            #expect(ran.text.contains("12 True [REDACTED]"), "\(ran.events)")
            #expect(ran.text.contains("ready"))
            #expect(
                !ran.events.contains {
                    $0.encodedJSON().split(separator: UInt8(ascii: "-")).contains(Array("sesame".utf8)[...])
                })
            let failed = try await driver.transcript("raise ValueError('sesame-open')", in: "c")
            #expect(failed.last?.error?.message == "[REDACTED]")
            let jars = try await driver.transcript("LIST JARS", in: "c", language: "sql")
            #expect(jars.events.contains { String(decoding: $0.encodedJSON(), as: UTF8.self).contains("crane.jar") })
            let statuses = driver.libraries.statuses
            #expect(statuses.map(\.status) == [.installed, .failed, .installed, .failed])
            #expect(statuses[1].messages?.isEmpty == false)
            #expect(statuses[3].messages?.first?.contains("/nowhere/x.jar") == true)
            #expect(driver.status.phases?.first?.name == "init_scripts")
            // Later ones are installed while contexts run.
            driver.libraries.add([Library(requirements: "/nowhere/requirements.txt")])
            try await driver.libraries.settled()
            #expect(driver.libraries.statuses.last?.status == .failed)
            try await kernelsAndShell(driver)
            try await outOfMemory(driver)
        }
    }

    /// The last thing that a driver does.
    private func outOfMemory(_ driver: Driver) async throws {
        let source = """
            kept = spark._jvm.java.util.ArrayList()
            while True:
                kept.add(spark.sparkContext._gateway.new_array(spark._jvm.long, 20_000_000))
            """
        let ended = try await driver.transcript(source, in: "c")
        #expect(ended.last?.state == .error)
        let status = try await driver.reach(.failed)
        #expect(status.errorCode == "OUT_OF_MEMORY")
        #expect(status.message?.contains("more memory") == true, "\(status.message ?? "")")
    }

    /// A file system of 64 KiB; only root can make one.
    @Test(.enabled(if: getuid() == 0)) func aFullDiskIsSaidWithWhatToDo() async throws {
        try await withScratch { scratch in
            try await withEventLoop { loop in
                let program = SetupProcess(loop: loop, limit: .seconds(20)) { _ in }
                let variables = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
                let small = "\(scratch)/small"
                try #require(mkdir(small, 0o700) == 0)
                let mounted = try await program.run(
                    "mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", small], variables, in: "/")
                // A container may forbid it.
                guard mounted.isSuccess else { return }
                let driver = try Driver(try configuration(small), loop: loop)
                _ = try await program.run("dd", ["if=/dev/zero", "of=\(small)/fill", "bs=4k"], variables, in: "/")
                await driver.start()
                let status = driver.status
                await driver.stop(grace: .zero)
                _ = try await program.run("umount", [small], variables, in: "/")
                #expect(status.phase == .failed)
                #expect(status.errorCode == "SCRATCH_UNUSABLE")
                #expect(status.message?.contains("Make room") == true, "\(status.message ?? "")")
            }
        }
    }

    private func kernelsAndShell(_ driver: Driver) async throws {
        _ = try driver.createContext(ContextSpec(contextID: "s", language: "shell"))
        #expect(try driver.context("s").language == "sh")
        let shell = try await driver.transcript("echo $((6 * 7)); echo bad >&2; exit 3", in: "s")
        #expect(shell.text.contains("42"))
        #expect(shell.last?.error?.message.contains("3") == true)
        #expect(try await driver.transcript("1 + 1", in: "s", language: "python").value == "2")
        _ = try driver.createContext(ContextSpec(contextID: "k", kernel: "python3"))
        #expect(try await driver.transcript("2 + 2", in: "k").value == "4")
        let unknown = #expect(throws: HarbourError.self) {
            try driver.createContext(ContextSpec(contextID: "x", language: "cobol"))
        }
        #expect(unknown?.code == .notFound)
    }
}
