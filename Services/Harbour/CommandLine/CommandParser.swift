internal import Core

/// Reads a command line against the tree of commands.
struct CommandParser {
    enum Outcome {
        case run(Invocation)
        /// `--help` was asked for, or a group was named without one of its commands.
        case help([String], Command)
    }

    let root: Command
    /// Options that every command takes.
    let common: [Flag]

    /// - Throws: `USAGE` with a sentence that names the word that is not understood, and what may have been meant.
    func parse(_ arguments: [String]) throws(HarbourError) -> Outcome {
        var invocation = Invocation(path: [root.name], command: root)
        var rest = arguments[...]
        while let word = rest.first, !invocation.command.subcommands.isEmpty {
            if isCommon(word) {
                rest.removeFirst()
                try read(word, &rest, into: &invocation)
                continue
            }
            if word.hasPrefix("-") { break }
            guard let next = invocation.command.subcommands.first(where: { $0.name == word }) else {
                throw .usage(unknown(word, of: invocation.command, invocation.path))
            }
            invocation.command = next
            invocation.path.append(word)
            rest.removeFirst()
        }
        let (path, command) = (invocation.path, invocation.command)
        if rest.contains("--help") || rest.contains("-h") { return .help(path, command) }
        guard command.run != nil else {
            guard let stray = rest.first else { return .help(path, command) }
            throw .usage("\(path.joined(separator: " ")) has no option \(stray). See \(path[0]) --help.")
        }
        try readAll(rest, into: &invocation)
        return .run(invocation)
    }

    /// Whether the word is an option that every command takes; such a one may also stand before the command.
    private func isCommon(_ word: String) -> Bool {
        guard word.hasPrefix("--") else { return false }
        let name = word.dropFirst(2).prefix { $0 != "=" }
        return common.contains { $0.name == name }
    }

    private func readAll(_ words: ArraySlice<String>, into invocation: inout Invocation) throws(HarbourError) {
        var positional: [String] = []
        var rest = words
        var optionsEnded = false
        while let word = rest.popFirst() {
            if optionsEnded || !word.hasPrefix("--") {
                positional.append(word)
            } else if word == "--" {
                optionsEnded = true
            } else {
                try read(word, &rest, into: &invocation)
            }
        }
        try assign(positional, to: &invocation)
    }

    private func read(_ word: String, _ rest: inout ArraySlice<String>, into invocation: inout Invocation)
        throws(HarbourError)
    {
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let flag = (invocation.command.flags + common).first(where: { $0.name == name }) else {
            throw .usage(
                "\(invocation.path.joined(separator: " ")) has no option --\(name). "
                    + "See \(invocation.path.joined(separator: " ")) --help.")
        }
        guard let placeholder = flag.placeholder else {
            guard parts.count == 1 else { throw .usage("--\(name) takes no value.") }
            invocation.switches.insert(name)
            return
        }
        guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
            throw .usage("--\(name) needs a value: --\(name) \(placeholder).")
        }
        guard flag.choices.isEmpty || flag.choices.contains(value) else {
            throw .usage("--\(name) takes \(flag.choices.joined(separator: ", ")), not \(value).")
        }
        guard flag.isRepeated || invocation.values[name] == nil else {
            throw .usage("--\(name) is given more than once.")
        }
        invocation.values[name, default: []].append(value)
    }

    private func assign(_ words: [String], to invocation: inout Invocation) throws(HarbourError) {
        var rest = words[...]
        for argument in invocation.command.arguments {
            if argument.isRepeated {
                invocation.words[argument.name] = Array(rest)
                if rest.isEmpty && !argument.isOptional { throw missing(argument, invocation.path) }
                rest = []
            } else if let word = rest.popFirst() {
                invocation.words[argument.name] = [word]
            } else if !argument.isOptional {
                throw missing(argument, invocation.path)
            }
        }
        if let stray = rest.first {
            let path = invocation.path.joined(separator: " ")
            throw .usage("\(path) does not know what to do with \(stray). See \(path) --help.")
        }
    }

    private func missing(_ argument: Argument, _ path: [String]) -> HarbourError {
        let line = path.joined(separator: " ")
        return .usage("\(line) needs \(argument.name.uppercased()): \(argument.help). See \(line) --help.")
    }

    private func unknown(_ word: String, of command: Command, _ path: [String]) -> String {
        let names = command.subcommands.filter { !$0.isHidden }.map(\.name)
        let hint =
            CommandParser.nearest(word, of: names).map { "Did you mean \($0)?" }
            ?? "It knows \(names.joined(separator: ", "))."
        return "\(path.joined(separator: " ")) has no command \(word). \(hint)"
    }

    /// The name that was probably meant; nil when none is like the word.
    static func nearest(_ word: String, of names: [String]) -> String? {
        names.map { ($0, distance($0, word)) }.filter { $0.1 <= 2 }.min { $0.1 < $1.1 }?.0
    }

    /// How many letters have to be put in, left out or changed to make one word of the other (Levenshtein 1966).
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in 1..<max(1, right.count + 1) {
                let change = diagonal + (letter == right[column - 1] ? 0 : 1)
                diagonal = row[column]
                row[column] = min(row[column] + 1, row[column - 1] + 1, change)
            }
        }
        return row[right.count]
    }
}
