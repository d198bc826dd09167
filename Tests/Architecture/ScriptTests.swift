import Testing

/// The programs in deploy/ on the ground that they share.
@Suite struct ScriptTests {
    /// `deploy/test` once passed every test and then failed: what it did last, in its trap, had nothing to do.
    @Test(arguments: [0, 3])
    func aProgramEndsWithItsOwnStatusWhateverFailsAtItsEnd(status: Int) {
        let said = SourceTree.run(
            """
            HARBOUR_DATA=/nowhere bash -c 'set -euo pipefail
            source "\(SourceTree.top)/deploy/lib/steps.sh"
            first() { printf "first "; }
            last() { kill; printf "last "; false; }
            harbour_at_end first
            harbour_at_end last
            (exit \(status))' 2>/dev/null; printf %s $?
            """)
        #expect(said == "last first \(status)")
    }

    /// A trap of its own would take the place of the one that ends what steps have started.
    @Test func programsSayWhatToEndInOneWay() {
        let said = SourceTree.run("cd '\(SourceTree.top)' && grep -rnE 'trap .* EXIT' deploy .ci")
        let traps = said.split(separator: "\n").filter { !$0.hasPrefix("deploy/lib/steps.sh:") }
        #expect(traps.isEmpty, "use harbour_at_end: \(traps)")
    }
}
