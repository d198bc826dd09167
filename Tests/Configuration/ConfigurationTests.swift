import Configuration
import Core
import Glibc
import Testing

private let listen = Option.hostPort("listen", default: "127.0.0.1:8080", help: "Where to listen.")
private let workers = Option.integer("workers", in: 1...64, default: "4", help: "How many.")
private let verbose = Option.boolean("verbose", help: "Says more.")
private let timeout = Option.duration("timeout", default: "30s", help: "How long to wait.")
private let limit = Option.size("body-limit", default: "64MiB", help: "The largest body.")
private let hosts = Option.list("hosts", help: "Where else.")
private let data = Option.path("data", default: "~/.harbour", help: "Where everything is kept.")
private let token = Option.string("token", aliases: ["SECRET_KEY"], secret: true, help: "The secret.").optional()
private let database = Option.string(
    "database-host", aliases: ["POSTGRES_HOST", "PGHOST"], default: "localhost", help: "The database.")
private let format = Option.choice("log-format", of: ["human", "json"], default: "human", help: "How lines look.")

private let schema = ConfigurationSchema(
    program: "sample", summary: "a program for tests.",
    options: [listen, workers, verbose, timeout, limit, hosts, data, token, database, format],
    foreignPrefixes: ["HARBOUR_OTHER_"])

private func load(_ arguments: [String] = [], _ environment: [String: String] = [:]) throws -> Configuration {
    var environment = environment
    environment["HOME"] = "/home/someone"
    guard case .run(let configuration) = try Configuration.load(schema, arguments: arguments, environment: environment)
    else { throw HarbourError(.internalError, "not a configuration") }
    return configuration
}

private func message(_ arguments: [String], _ environment: [String: String] = [:]) -> String {
    do {
        _ = try load(arguments, environment)
        return "no error"
    } catch let error as HarbourError {
        #expect(error.code == .invalidConfiguration)
        return error.message
    } catch {
        return "another error"
    }
}

private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
    var template = Array("/tmp/harbour-configuration-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    try #require(descriptor >= 0)
    let path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    defer { unlink(path) }
    #expect(Array(text.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == text.utf8.count)
    close(descriptor)
    return try body(path)
}

@Suite struct ConfigurationTests {
    @Test func defaultsAreTyped() throws {
        let configuration = try load()
        #expect(configuration[listen] == HostPort(host: "127.0.0.1", port: 8080))
        #expect(configuration[workers] == 4)
        #expect(!configuration[verbose])
        #expect(configuration[timeout] == .seconds(30))
        #expect(configuration[limit] == 64 << 20)
        #expect(configuration[hosts] == [])
        #expect(configuration[data] == "/home/someone/.harbour")
        #expect(configuration[token] == nil)
        #expect(configuration.source(of: token) == .absent)
        #expect(configuration.source(of: workers) == .fallback)
    }

    @Test func flagsWinOverEnvironmentOverFileOverDefault() throws {
        try withFile("HARBOUR_WORKERS=5\nHARBOUR_TIMEOUT=5s\nHARBOUR_BODY_LIMIT=5KiB\n") { path in
            let environment = ["HARBOUR_WORKERS": "6", "HARBOUR_TIMEOUT": "6s", "HARBOUR_CONFIG": path]
            let configuration = try load(["--workers", "7"], environment)
            #expect(configuration[workers] == 7)
            #expect(configuration.source(of: workers) == .flag)
            #expect(configuration[timeout] == .seconds(6))
            #expect(configuration.source(of: timeout) == .environment("HARBOUR_TIMEOUT"))
            #expect(configuration[limit] == 5120)
            #expect(configuration.source(of: limit) == .file(path))
        }
    }

    @Test func flagsComeInAllForms() throws {
        let configuration = try load(
            ["--workers=2", "--verbose", "--hosts=a,b", "--hosts", " c , ", "--timeout", "1h30m", "--listen=[::1]:0"])
        #expect(configuration[workers] == 2)
        #expect(configuration[verbose])
        #expect(configuration[hosts] == ["a", "b", "c"])
        #expect(configuration[timeout] == .seconds(5400))
        #expect(configuration[listen] == HostPort(host: "::1", port: 0))
        #expect(try !load(["--no-verbose"], ["HARBOUR_VERBOSE": "yes"])[verbose])
        #expect(try !load(["--verbose=off"])[verbose])
    }

    @Test func aliasesOfTheEnvironmentAreUnderstoodAfterTheOwnName() throws {
        #expect(try load([], ["POSTGRES_HOST": "db"])[database] == "db")
        #expect(try load([], ["PGHOST": "x", "POSTGRES_HOST": "db"])[database] == "db")
        #expect(try load([], ["HARBOUR_DATABASE_HOST": "own", "POSTGRES_HOST": "db"])[database] == "own")
        #expect(try load([], ["HARBOUR_DATABASE_HOST": "", "POSTGRES_HOST": "db"])[database] == "db")
    }

    @Test func everyProblemIsToldAtOnce() throws {
        let text = message(
            ["--wokers", "3", "stray", "--timeout=soon", "--workers=65", "--log-format=jsn", "--body-limit"],
            ["HARBOUR_LISTEN": "nowhere"])
        #expect(text.contains("--wokers is not a setting; did you mean --workers?"))
        #expect(text.contains("\"stray\" is not expected"))
        #expect(text.contains("--timeout: \"soon\" is not a duration"))
        #expect(text.contains("--workers: \"65\" is not between 1 and 64"))
        #expect(text.contains("did you mean json?"))
        #expect(text.contains("--body-limit needs a value"))
        #expect(text.contains("HARBOUR_LISTEN: \"nowhere\" is not host and port"))
        #expect(text.hasPrefix("7 settings of sample cannot be used:"))
        #expect(message(["--workers=1", "--workers=2"]).contains("--workers is given twice"))
    }

    @Test func unknownKeysOfAFileAreErrorsWithTheirLine() throws {
        try withFile("# a comment\nHARBOUR_WOKERS=3\nHARBOUR_OTHER_LISTEN=x\nAWS_REGION=eu\nnonsense\nA-B=1\n") {
            path in
            let text = message(["--config", path])
            #expect(
                text.contains("\(path):2: HARBOUR_WOKERS is not a setting of sample; did you mean HARBOUR_WORKERS?"))
            #expect(text.contains("\(path):5: not KEY=value"))
            #expect(text.contains("\(path):6: \"A-B\" is not a name"))
            #expect(!text.contains("HARBOUR_OTHER_LISTEN"))
            #expect(!text.contains("AWS_REGION"))
        }
        #expect(message(["--config=/nonexistent/file"]).contains("/nonexistent/file cannot be opened: No such file"))
    }

    @Test func quotesAndCommentsOfAFile() throws {
        let text = """
            export POSTGRES_HOST='it is # not a comment'
            SECRET_KEY="a\\"b\\\\c\\n$HOME"   # a comment
            HARBOUR_DATA = /a path # with a comment
            """
        try withFile(text) { path in
            let configuration = try load(["--config", path])
            #expect(configuration[database] == "it is # not a comment")
            #expect(configuration[token] == "a\"b\\c\n$HOME")
            #expect(configuration[data] == "/a path")
        }
        try withFile("SECRET_KEY=\"open\n") { path in
            #expect(message(["--config", path]).contains("the quotes of SECRET_KEY do not match"))
        }
    }

    @Test func secretsComeFromFilesAndAreNeverPrinted() throws {
        try withFile("very secret\n") { path in
            for (arguments, environment) in [
                (["--token-file", path], [:]), ([], ["HARBOUR_TOKEN_FILE": path]), ([], ["SECRET_KEY_FILE": path]),
            ] {
                let configuration = try load(arguments, environment)
                #expect(configuration[token] == "very secret")
                let shown = configuration.redacted().first { $0.name == "token" }
                #expect(shown?.value == "(secret)")
            }
            let both = message([], ["HARBOUR_TOKEN": "x", "HARBOUR_TOKEN_FILE": path])
            #expect(both.contains("HARBOUR_TOKEN and HARBOUR_TOKEN_FILE are both set"))
        }
        #expect(message([], ["HARBOUR_TOKEN_FILE": "/nonexistent"]).contains("--token is read from a file"))
    }

    @Test func aRequiredOptionMustBeGiven() throws {
        let required = Option.string("name", help: "Its name.")
        let schema = ConfigurationSchema(program: "sample", summary: "x", options: [required])
        #expect(throws: HarbourError.self) { try Configuration.load(schema, arguments: [], environment: [:]) }
        guard
            case .run(let configuration) = try Configuration.load(
                schema, arguments: ["--name=x"], environment: [:])
        else {
            Issue.record("no configuration")
            return
        }
        #expect(configuration[required] == "x")
    }

    @Test func helpAndExampleAreGenerated() throws {
        guard case .help(let help) = try Configuration.load(schema, arguments: ["--help", "--bad"], environment: [:])
        else {
            Issue.record("no help")
            return
        }
        for option in schema.options {
            #expect(help.contains("--\(option.declaration.isSwitch ? "[no-]" : "")\(option.declaration.name)"))
            #expect(help.contains(option.declaration.environment))
        }
        #expect(help.contains("POSTGRES_HOST"))
        #expect(help.utf8.split(separator: UInt8(ascii: "\n")).allSatisfy { $0.count <= 100 })
        guard
            case .environmentExample(let example) = try Configuration.load(
                schema, arguments: ["--env-example"], environment: [:])
        else {
            Issue.record("no example")
            return
        }
        // The example says the defaults, so with its comment marks taken away it must load and change nothing.
        let live = example.split(separator: "\n").map { $0.hasPrefix("#HARBOUR") ? String($0.dropFirst()) : String($0) }
        try withFile(live.joined(separator: "\n")) { path in
            let loaded = try load(["--config", path])
            let plain = try load()
            #expect(loaded[limit] == plain[limit])
        }
    }

    @Test(arguments: [
        ("0", 0), ("500ms", 500), ("30s", 30_000), ("1m30s", 90_000), ("2h", 7_200_000), ("1d1h", 90_000_000),
    ])
    func durations(_ text: String, _ milliseconds: Int) throws {
        #expect(try load(["--timeout", text])[timeout] == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "5", "s", "-5s", "1s1s", "1s1m", "1.5s", "99999999999999999999s", "9999999999999999d", "5 s"])
    func badDurations(_ text: String) { #expect(message(["--timeout=\(text)"]).contains("is not a duration")) }

    @Test(arguments: ["", "-1", "1X", "99999999999TiB", "1.5MiB", "MiB"])
    func badSizes(_ text: String) { #expect(message(["--body-limit=\(text)"]).contains("is not a size")) }

    @Test(arguments: ["", ":80", "a:", "a:65536", "::1:80", "a b:1", "a:-1", "a:+1", "[::1]"])
    func badHostsAndPorts(_ text: String) { #expect(message(["--listen=\(text)"]).contains("is not host and port")) }

    @Test func theProcessHasAnEnvironment() { #expect(ProcessEnvironment.current["PATH"] != nil) }
}
