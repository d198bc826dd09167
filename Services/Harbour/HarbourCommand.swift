internal import Core
internal import EventLoop
internal import Glibc
internal import Lifecycle
internal import Synchronization

/// The command line `harbour`.
public enum HarbourCommand {
    static let common: [Flag] = [
        .value("output", "FORMAT", "How to print", choices: ["text", "json"]),
        .value("data", "FOLDER", "The data folder of this machine's platform; HARBOUR_DATA or ~/.harbour when absent"),
        .value("url", "URL", "The front door of another platform; HARBOUR_URL when set"),
    ]

    static let root = Command(
        name: "harbour", summary: "DataHarbour: notebooks, Spark clusters and scheduled workflows.",
        subcommands: PlatformCommands.all + [
            WorkspaceCommands.group, NotebookCommands.group, FileCommands.group, JobCommands.jobs, RunCommands.runs,
            ClusterCommands.group,
            SecretCommands.group,
            PeopleCommands.users, PeopleCommands.groups, TokenCommands.tokens, TokenCommands.permissions,
            TokenCommands.audit,
            DoctorCommand.command,
            SampleCommand.command,
            Command(
                name: "completion", summary: "Print a completion script: eval \"$(harbour completion bash)\".",
                arguments: [Argument(name: "shell", help: "bash or zsh")], run: completion),
        ])

    private static func completion(_ invocation: Invocation) async throws {
        let shell = invocation.word("shell")
        guard ["bash", "zsh"].contains(shell) else { throw HarbourError.usage("There is completion for bash and zsh.") }
        Terminal.write(CommandHelp(common: common).completion(for: root, shell: shell), to: 1)
    }

    /// Runs the command line and ends the process: 0 when done, 1 after a failure, 2 when it is not understood.
    public static func main() -> Never {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do throws(HarbourError) {
            switch try CommandParser(root: root, common: common).parse(arguments) {
            case .help(let path, let command):
                Terminal.write(CommandHelp(common: common).text(path, command), to: 1)
                exit(0)
            case .run(let invocation): exit(try run(invocation))
            }
        } catch {
            Terminal.write("\(error.message)\n", to: 2)
            exit(error.code == .usage ? 2 : 1)
        }
    }

    private static func run(_ invocation: Invocation) throws(HarbourError) -> Int32 {
        // The supervisor ends in order on a signal; other commands just end.
        if invocation.command.name == "supervise" { ServiceGroup.blockSignals() }
        let loop = try EventLoop()
        let status = Mutex<Int32>(0)
        loop.submit {
            loop.spawn {
                do { try await invocation.command.run?(invocation) } catch {
                    status.withLock { $0 = report(HarbourError.wrap(error), invocation) }
                }
                loop.stop()
            }
        }
        loop.run()
        return status.withLock { $0 }
    }

    private static func report(_ error: HarbourError, _ invocation: Invocation) -> Int32 {
        if invocation.value("output") == "json" {
            let body: JSONValue = ["error_code": .string(error.code.name), "message": .string(error.message)]
            Terminal.write(body.jsonText() + "\n", to: 1)
        } else {
            Terminal.write("\(error.message)\n", to: 2)
        }
        if error.code == .internalError { Terminal.write("\(error.describeChain())\n", to: 2) }
        return error.code == .usage ? 2 : invocation.command.failureStatus(invocation, error)
    }
}
