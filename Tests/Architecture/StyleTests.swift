import Testing

@Suite struct StyleTests {
    @Test func theTopLevelIsTheLayout() {
        let layout: Set<String> = [
            "Package.swift", "Services", "Libraries", "Plugins", "Tests", "deploy", "schemas", "README.md", "LICENSE",
        ]
        let extra = SourceTree.topLevelEntries.filter { !$0.hasPrefix(".") && !layout.contains($0) }
        #expect(extra.isEmpty, "the layout has no place for \(extra.sorted())")
    }

    @Test func filesAndFunctionsHaveOneJob() {
        for file in SourceTree.shared.files where !file.isGenerated {
            let count = file.lines.count - 1
            #expect(count <= 400, "\(file.path) has \(count) lines: which second job is in there?")
            for function in file.functions where function.length > 70 {
                Issue.record("\(file.path):\(function.line) \(function.name) has \(function.length) lines")
            }
        }
    }

    /// What may not stand in the sources, and what to write instead.
    @Test func nothingBannedIsUsed() {
        let marks = ["TO" + "DO", "FIX" + "ME"]
        let bans: [(text: String, instead: String)] =
            [
                ("try" + "!", "handle the error or pass it on"), ("as" + "!", "use `as?` and say what is wrong"),
                ("fatal" + "Error(", "throw a HarbourError; a broken promise of ours is a precondition"),
                ("u" + "sleep(", "wait for the condition"), ("Task." + "sleep(", "use the event loop's timers"),
            ] + marks.map { ($0, "do it, or write an issue") }
        for file in SourceTree.shared.files {
            let isService = file.path.hasPrefix("Services/") || file.path.hasPrefix("Plugins/")
            for (number, line) in file.lines.enumerated() {
                // A test that looks again until a condition holds may sleep between two looks.
                for ban in bans where line.contains(ban.text) && (isService || !ban.text.hasPrefix("Task.")) {
                    Issue.record("\(file.path):\(number + 1) has \(ban.text): \(ban.instead)")
                }
            }
        }
    }

    @Test func theFormatterHasNothingToSay() {
        let said = SourceTree.run(
            "cd '\(SourceTree.top)' && git ls-files '*.swift' | grep -v /Generated/ | "
                + "xargs swift format lint --strict --parallel 2>&1")
        #expect(said.isEmpty, "run swift format -i: \(said.prefix(2000))")
    }
}
