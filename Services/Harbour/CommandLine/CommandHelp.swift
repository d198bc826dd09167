/// The text of `--help`, and completion scripts, from the same tree the parser reads.
struct CommandHelp {
    let common: [Flag]

    func text(_ path: [String], _ command: Command) -> String {
        let line = path.joined(separator: " ")
        var text = "\(command.summary)\n\nUsage: \(line)\(usage(command))\n"
        let commands = command.subcommands.filter { !$0.isHidden }
        if !commands.isEmpty { text += section("Commands", commands.map { ($0.name, $0.summary) }) }
        if !command.arguments.isEmpty {
            text += section("Arguments", command.arguments.map { ($0.name.uppercased(), $0.help) })
        }
        if command.run != nil && !command.flags.isEmpty { text += section("Options", command.flags.map(row)) }
        text += section(
            "Options of every command, before or after it", (common + [.toggle("help", "Show this text")]).map(row))
        return text
    }

    private func usage(_ command: Command) -> String {
        if command.run == nil { return " COMMAND" }
        var text = command.flags.isEmpty ? "" : " [OPTIONS]"
        for argument in command.arguments {
            let name = argument.name.uppercased() + (argument.isRepeated ? "..." : "")
            text += argument.isOptional ? " [\(name)]" : " \(name)"
        }
        return text
    }

    private func row(_ flag: Flag) -> (String, String) {
        let choices = flag.choices.isEmpty ? "" : " (\(flag.choices.joined(separator: ", ")))"
        return ("--\(flag.name)\(flag.placeholder.map { " \($0)" } ?? "")", flag.help + choices)
    }

    private func section(_ title: String, _ rows: [(String, String)]) -> String {
        let width = rows.map(\.0.count).max() ?? 0
        let lines = rows.map { name, help in
            "  \(name)\(String(repeating: " ", count: width - name.count))  \(help)\n"
        }
        return "\n\(title):\n\(lines.joined())"
    }

    /// A completion script for bash or zsh. zsh reads the bash one through its own compatibility layer.
    func completion(for root: Command, shell: String) -> String {
        var cases = ""
        func visit(_ command: Command, _ path: [String]) {
            let commands = command.subcommands.filter { !$0.isHidden }.map(\.name)
            let flags = (command.run == nil ? [] : command.flags) + common
            let words = commands + flags.map { "--\($0.name)" } + ["--help"]
            cases += "        \"\(path.joined(separator: " "))\") words=\"\(words.joined(separator: " "))\" ;;\n"
            for next in command.subcommands where !next.isHidden { visit(next, path + [next.name]) }
        }
        visit(root, [root.name])
        let valued = common.filter { $0.placeholder != nil }.map { "--\($0.name)" }.joined(separator: " | ")
        let header = shell == "zsh" ? "#compdef \(root.name)\nautoload -U +X bashcompinit && bashcompinit\n" : ""
        return """
            \(header)_\(root.name)() {
                local path="\(root.name)" word words skip=
                for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                    if [ -n "$skip" ]; then skip=; continue; fi
                    case "$word" in \(valued)) skip=1 ;; -*) ;; *) path="$path $word" ;; esac
                done
                while :; do
                    case "$path" in
            \(cases)            *" "*) path="${path% *}"; continue ;;
                    esac
                    break
                done
                COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
                if [ ${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")); fi
            }
            complete -F _\(root.name) \(root.name)

            """
    }
}
