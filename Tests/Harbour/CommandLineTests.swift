import Core
import TestSupport
import Testing

@testable import HarbourService

@Suite struct CommandLineTests {
    private let parser = CommandParser(
        root: Command(
            name: "harbour", summary: "Root.",
            subcommands: [
                Command(
                    name: "jobs", summary: "Jobs.",
                    subcommands: [
                        Command(
                            name: "run", summary: "Run one.",
                            arguments: [Argument(name: "job", help: "which job")],
                            flags: [
                                .value("parameter", "NAME=VALUE", "A parameter", isRepeated: true),
                                .toggle("wait", "Wait for its end"),
                            ], run: { _ in })
                    ])
            ]),
        common: [.value("output", "FORMAT", "How to print", choices: ["text", "json"])])

    private func parse(_ line: String) throws -> Invocation? {
        if case .run(let invocation) = try parser.parse(line.split(separator: " ").map(String.init)) {
            invocation
        } else {
            nil
        }
    }

    @Test func optionsAndArgumentsMix() throws {
        let invocation = try #require(try parse("jobs run --parameter a=1 7 --wait --parameter=b=2 --output json"))
        #expect(invocation.word("job") == "7")
        #expect(invocation.all("parameter") == ["a=1", "b=2"])
        #expect(invocation.has("wait"))
        #expect(invocation.value("output") == "json")
    }

    @Test(arguments: [
        "--output json jobs run 7 --wait", "jobs --output=json run 7 --wait", "jobs run --wait 7 --output json",
    ])
    func optionsOfEveryCommandStandAnywhere(line: String) throws {
        let invocation = try #require(try parse(line))
        #expect(invocation.path == ["harbour", "jobs", "run"])
        #expect(invocation.word("job") == "7")
        #expect(invocation.has("wait"))
        #expect(invocation.value("output") == "json")
    }

    @Test(arguments: [
        ("job run 7", "Did you mean jobs?"), ("jobs run", "needs JOB"), ("jobs run 7 8", "8"),
        ("jobs run 7 --speed 3", "--speed"), ("jobs run 7 --output yaml", "text, json"),
        ("jobs run 7 --parameter", "needs a value"), ("jobs run 7 --wait=yes", "takes no value"),
        ("jobs run 7 --output json --output json", "more than once"), ("jobs --fast", "--fast"),
        ("--wait jobs run 7", "--wait"), ("--output", "needs a value"), ("--output yaml jobs run 7", "text, json"),
        ("--output json jobs run 7 --output json", "more than once"),
    ])
    func whatIsNotUnderstoodIsNamed(line: String, expected: String) {
        do {
            _ = try parse(line)
            Issue.record("it was understood")
        } catch {
            let message = HarbourError.wrap(error).message
            #expect(message.contains(expected), "\(message)")
        }
    }

    /// What was sent is thrown away only when no other try can take it.
    @Test func uploadsAreKeptForAnotherTry() {
        for status in [400, 413, 422] {
            #expect(WorkspaceCommands.isFinal(HarbourError(ErrorCode("SOME", status: status), "No.")), "\(status)")
        }
        let passing: [ErrorCode] = [
            .alreadyExists, .resourceExhausted, .unavailable, .deadlineExceeded, .cancelled, .badGateway,
            .internalError, .permissionDenied, .notFound, .conflict,
        ]
        for code in passing { #expect(!WorkspaceCommands.isFinal(HarbourError(code, "Later.")), "\(code.name)") }
    }

    @Test func helpIsThereForEveryCommandAndGroup() throws {
        for line in [
            ["--help"], ["jobs"], ["jobs", "run", "7", "--help"], ["--output", "json", "jobs", "--help"],
        ] {
            guard case .help(let path, let command) = try parser.parse(line) else {
                Issue.record("no help for \(line)")
                continue
            }
            #expect(CommandHelp(common: parser.common).text(path, command).contains("Usage: harbour"))
        }
    }

    @Test func completionNamesEveryCommand() {
        for shell in ["bash", "zsh"] {
            let script = CommandHelp(common: parser.common).completion(for: parser.root, shell: shell)
            #expect(script.contains("\"harbour jobs\") words=\"run"))
        }
    }

    /// The script in a real bash: what it offers after each line.
    @Test(arguments: [
        (["harbour", ""], "jobs"), (["harbour", "jobs", ""], "run"),
        (["harbour", "--output", "json", "jobs", ""], "run"),
        (["harbour", "jobs", "run", "--w"], "--wait"),
    ])
    func completionOffersWhatComesNext(words: [String], offered: String) throws {
        let script = CommandHelp(common: parser.common).completion(for: parser.root, shell: "bash")
        let line = words.map { "'\($0)'" }.joined(separator: " ")
        let commands =
            "\(script)\nCOMP_WORDS=(\(line)); COMP_CWORD=\(words.count - 1); _harbour; echo \"${COMPREPLY[@]}\""
        let answer = try runCommand(["bash", "-c", commands])
        #expect(answer.split(whereSeparator: { $0 == " " || $0 == "\n" }).contains(Substring(offered)))
    }

    @Test(arguments: [(5, "5 ms"), (4_230, "4.2 s"), (192_000, "3 min 12 s"), (7_500_000, "2 h 5 min")])
    func durationsAreWrittenAsPeopleSayThem(milliseconds: Int64, text: String) {
        #expect(Terminal.duration(milliseconds: milliseconds) == text)
    }
}
