extension ConfigurationSchema {
    /// What `--help` prints: each flag with its meaning, its environment names and its default.
    public func helpText() -> String {
        var text = "\(program): \(summary)\n\nUsage: \(program) [settings]\n\nSettings:\n"
        for option in options {
            let item = option.declaration
            text += item.isSwitch ? "  --[no-]\(item.name)\n" : "  --\(item.name) \(item.placeholder)\n"
            text += HelpText.wrap(item.help, indent: "      ")
            var notes = ["environment \(item.keys.joined(separator: ", "))"]
            if item.isSecret { notes.append("or the file named by \(item.environment)_FILE") }
            if let fallback = item.fallback {
                if !fallback.isEmpty { notes.append("default \(fallback)") }
            } else {
                notes.append(item.isOptional ? "may be left out" : "required")
            }
            text += HelpText.wrap("(" + notes.joined(separator: "; ") + ")", indent: "      ")
        }
        text +=
            "  --config PATH\n"
            + HelpText.wrap("A file of KEY=value lines. (environment HARBOUR_CONFIG)", indent: "      ")
        text += "  --env-example\n      Prints such a file with every setting and its default.\n"
        text += "  --help\n      Prints this.\n\n"
        text += "A flag wins over the environment, the environment over the file, the file over the default.\n"
        return text
    }

    /// A configuration file with every option: defaults commented out, required ones left to fill in.
    public func environmentExample() -> String {
        var text = "# Settings of \(program): \(summary)\n"
        for option in options {
            let item = option.declaration
            text += "\n" + HelpText.wrap(item.help, indent: "# ")
            if !item.aliases.isEmpty { text += "# Also understood: \(item.aliases.joined(separator: ", "))\n" }
            let isRequired = item.fallback == nil && !item.isOptional
            let value = item.isSecret ? "" : item.fallback ?? ""
            let needsQuotes = value.contains { $0 == " " || $0 == "#" || $0 == "'" || $0 == "\"" }
            text += "\(isRequired ? "" : "#")\(item.environment)=\(needsQuotes ? "'\(value)'" : value)\n"
        }
        return text
    }
}

enum HelpText {
    /// Breaks a text into lines of at most 100 columns.
    static func wrap(_ text: String, indent: String) -> String {
        var lines = ""
        var line = indent
        for word in text.split(separator: " ") {
            if line.count + word.count + 1 > 100 && line.count > indent.count {
                lines += line + "\n"
                line = indent
            }
            line += line.count > indent.count ? " \(word)" : word
        }
        return lines + line + "\n"
    }
}
