import Testing

/// The page is no Swift, and keeps to the same rules.
@Suite struct PageTests {
    private struct File {
        let path: String
        let lines: [Substring]
    }

    private let files: [File] = {
        let listing = SourceTree.run(
            "git -C '\(SourceTree.top)' ls-files --cached --others --exclude-standard Services/Workspace/Page")
        return listing.split(separator: "\n").compactMap { line in
            let path = String(line)
            guard [".ts", ".tsx", ".css", ".mjs", ".html"].contains(where: path.hasSuffix),
                let text = SourceTree.read(path)
            else { return nil }
            return File(path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false))
        }
    }()

    @Test func filesHaveOneJob() {
        #expect(files.count > 10)
        for file in files {
            let count = file.lines.count - 1
            #expect(count <= 400, "\(file.path) has \(count) lines: which second job is in there?")
        }
    }

    /// What would let a notebook's content become part of the page, or something from elsewhere into it.
    @Test func nothingGetsIntoThePage() {
        let bans = [
            ("dangerouslySetInner" + "HTML", "make elements"), (".inner" + "HTML", "make elements"),
            (".outer" + "HTML", "make elements"), ("document." + "write", "make elements"),
            (" ev" + "al(", "say it in code"), ("new Func" + "tion(", "say it in code"),
            ("//cdn", "nothing is loaded from elsewhere"), ("@import \"http", "nothing is loaded from elsewhere"),
            ("src=\"http", "nothing is loaded from elsewhere"),
        ]
        for file in files {
            for (number, line) in file.lines.enumerated() {
                for (text, instead) in bans where line.contains(text) {
                    Issue.record("\(file.path):\(number + 1) has \(text): \(instead)")
                }
            }
        }
    }
}
