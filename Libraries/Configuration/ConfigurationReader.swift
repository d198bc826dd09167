internal import Core

/// One reading of all sources. It goes on after a problem, so that the user sees all of them at once.
struct ConfigurationReader {
    private let schema: ConfigurationSchema
    private let environment: [String: String]
    private var problems: [String] = []
    private var file: EnvironmentFile?

    init(schema: ConfigurationSchema, environment: [String: String]) {
        self.schema = schema
        self.environment = environment
    }

    mutating func read(_ arguments: [String]) throws(HarbourError) -> ConfigurationOutcome {
        let flags = CommandLineFlags.parse(arguments, schema: schema)
        if flags.wantsHelp { return .help(schema.helpText()) }
        if flags.wantsExample { return .environmentExample(schema.environmentExample()) }
        problems = flags.problems
        readFile(flags.config ?? environment["HARBOUR_CONFIG"].flatMap { $0.isEmpty ? nil : $0 })
        let context = OptionContext(home: environment["HOME"])
        var entries: [String: Configuration.Entry] = [:]
        for option in schema.options {
            let declaration = option.declaration
            let (text, source) = value(of: declaration, flags)
            do throws(InvalidOptionValue) {
                entries[declaration.name] = Configuration.Entry(
                    declaration: declaration, text: text, source: source,
                    box: try option.parseBoxed(text, context))
            } catch {
                report(declaration, text, source, error)
            }
        }
        guard problems.isEmpty else {
            let count = problems.count == 1 ? "One setting" : "\(problems.count) settings"
            throw HarbourError(
                .invalidConfiguration,
                "\(count) of \(schema.program) cannot be used:\n"
                    + problems.map { "  \($0)" }.joined(separator: "\n")
                    + "\nSee \(schema.program) --help for all settings.")
        }
        return .run(Configuration(entries: entries, order: schema.options.map(\.declaration.name)))
    }

    // MARK: Sources

    private mutating func value(
        of declaration: OptionDeclaration, _ flags: CommandLineFlags
    ) -> (text: String?, source: Configuration.Source) {
        if let text = flags.values[declaration.name] { return (text, .flag) }
        if let path = flags.secretFiles[declaration.name] { return (secret(at: path, declaration), .flag) }
        for key in declaration.keys {
            if let text = lookUp(key, in: environment, declaration) { return (text, .environment(key)) }
        }
        if let file {
            for key in declaration.keys {
                if let text = lookUp(key, in: file.values, declaration) { return (text, .file(file.path)) }
            }
        }
        return declaration.fallback.map { ($0, .fallback) } ?? (nil, .absent)
    }

    /// An empty value counts as not given: compose files pass unset variables on as empty ones.
    private mutating func lookUp(
        _ key: String, in values: [String: String], _ declaration: OptionDeclaration
    ) -> String? {
        let direct = values[key].flatMap { $0.isEmpty ? nil : $0 }
        guard declaration.isSecret, let path = values[key + "_FILE"], !path.isEmpty else { return direct }
        if direct != nil {
            problems.append("\(key) and \(key)_FILE are both set; keep one of them")
            return direct
        }
        return secret(at: path, declaration)
    }

    private mutating func secret(at path: String, _ declaration: OptionDeclaration) -> String? {
        do throws(HarbourError) {
            var text = try TextFile.read(path, limit: 65_536)
            if text.utf8.last == UInt8(ascii: "\n") { text.removeLast() }
            return text
        } catch {
            problems.append("--\(declaration.name) is read from a file: \(error.message)")
            return nil
        }
    }

    private mutating func readFile(_ path: String?) {
        guard let path else { return }
        do throws(HarbourError) {
            let read = EnvironmentFile.parse(try TextFile.read(path, limit: 1 << 20), path: path)
            problems += read.problems
            file = read
        } catch {
            problems.append("the configuration file: \(error.message)")
            return
        }
        let keys = schema.options.flatMap(\.declaration.keys)
        let files = schema.options.filter(\.declaration.isSecret).flatMap { $0.declaration.keys.map { $0 + "_FILE" } }
        let known = Set(keys + files)
        for (key, line) in file?.lines ?? [] where key.hasPrefix("HARBOUR_") && !known.contains(key) {
            if key == "HARBOUR_CONFIG" || schema.letsThrough(key) { continue }
            let hint = Spelling.nearest(to: key, in: keys).map { "; did you mean \($0)?" } ?? ""
            problems.append("\(path):\(line): \(key) is not a setting of \(schema.program)\(hint)")
        }
    }

    private mutating func report(
        _ declaration: OptionDeclaration, _ text: String?, _ source: Configuration.Source, _ error: InvalidOptionValue
    ) {
        guard let text else {
            // A secret file that could not be read has been reported already.
            if problems.contains(where: { $0.hasPrefix("--\(declaration.name) is read from a file") }) { return }
            problems.append("--\(declaration.name) (or \(declaration.environment)) must be given: \(declaration.help)")
            return
        }
        let origin =
            switch source {
            case .flag: "--\(declaration.name)"
            case .environment(let key): key
            case .file(let path): "\(declaration.environment) in \(path)"
            case .fallback, .absent: "the default of --\(declaration.name)"
            }
        let shown = declaration.isSecret ? "its value" : "\"\(text)\""
        problems.append("\(origin): \(shown) is \(error.reason)")
    }
}

/// The command line, taken apart.
struct CommandLineFlags {
    var values: [String: String] = [:]
    var secretFiles: [String: String] = [:]
    var config: String?
    var wantsHelp = false
    var wantsExample = false
    var problems: [String] = []

    static func parse(_ arguments: [String], schema: ConfigurationSchema) -> CommandLineFlags {
        var flags = CommandLineFlags()
        let declarations = schema.options.map(\.declaration)
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--"), argument != "--" else {
                if argument == "-h" {
                    flags.wantsHelp = true
                } else {
                    flags.problems.append("\"\(argument)\" is not expected; settings begin with two dashes")
                }
                continue
            }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts.first.map(String.init) ?? ""
            let inline = parts.count > 1 ? String(parts[1]) : nil
            switch name {
            case "help": flags.wantsHelp = true
            case "env-example": flags.wantsExample = true
            case "config": flags.config = flags.take(name, inline, &rest)
            default: flags.set(name, inline, &rest, declarations)
            }
        }
        return flags
    }

    private mutating func set(
        _ name: String, _ inline: String?, _ rest: inout ArraySlice<String>, _ declarations: [OptionDeclaration]
    ) {
        if let declaration = declarations.first(where: { $0.name == name }) {
            let text: String? = declaration.isSwitch ? inline ?? "true" : take(name, inline, &rest)
            guard let text else { return }
            if let earlier = values[name] {
                if declaration.isList {
                    values[name] = earlier + "," + text
                } else {
                    problems.append("--\(name) is given twice")
                }
                return
            }
            values[name] = text
        } else if name.hasPrefix("no-"), inline == nil,
            let declaration = declarations.first(where: { $0.isSwitch && "no-" + $0.name == name })
        {
            if values.updateValue("false", forKey: declaration.name) != nil {
                problems.append("--\(declaration.name) is given twice")
            }
        } else if let declaration = declarations.first(where: { $0.isSecret && $0.name + "-file" == name }) {
            secretFiles[declaration.name] = take(name, inline, &rest)
        } else {
            let names = declarations.map(\.name) + ["help", "config", "env-example"]
            let hint = Spelling.nearest(to: name, in: names).map { "; did you mean --\($0)?" } ?? ""
            problems.append("--\(name) is not a setting\(hint)")
            // What follows an unknown setting is most likely its value, not a problem of its own.
            if inline == nil, let next = rest.first, !next.hasPrefix("-") { rest.removeFirst() }
        }
    }

    private mutating func take(_ name: String, _ inline: String?, _ rest: inout ArraySlice<String>) -> String? {
        if let inline { return inline }
        guard let next = rest.first, !next.hasPrefix("--") else {
            problems.append("--\(name) needs a value")
            return nil
        }
        rest.removeFirst()
        return next
    }
}
