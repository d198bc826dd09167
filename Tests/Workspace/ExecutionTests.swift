import Core
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import Testing

@Suite("Running notebooks", .timeLimit(.minutes(15)))
struct ExecutionTests {
    @Test func runsAllAndKeepsTheOutputs() async throws {
        try await RunningWorkspace.run(["print one", "", "print two\nshow image/png 9", "exit done", "print never"]) {
            running in
            let begun = try await running.start()
            #expect(begun.commands.map(\.cellID) == ["c0", "c2", "c3", "c4"])
            let ended = try await running.settled()
            #expect(ended.session.kernel == .ready)
            #expect(running.cluster.started == begun.commands.dropLast().map(\.commandID))
            // What an exit leaves out has no outputs and is history.
            #expect(ended.commands.map(\.state) == [.finished, .finished, .finished])
            let outputs = try await running.outputs()
            #expect(outputs["c0"] == "one\n")
            #expect(outputs["c2"]?.hasPrefix("two\n{\"image/png\":\"xxxxxxxxx\"") == true)
            #expect(outputs["c3"]?.contains("done") == true)
            #expect(outputs["c4"] == "")
            // They are in the file as well, and go when another file takes its place.
            let file = try await running.workspace.export("/Shared/n")
            #expect(file.text.contains("one\\n"))
            try await running.workspace.save(
                "/Shared/n", RunningWorkspace.document(["print other"]).jsonText(), format: .jupyter, overwrite: true)
            #expect(try await running.outputs() == ["c0": ""])
        }
    }

    @Test func stopsAtTheFirstErrorAndGoesOnWhenAskedTo() async throws {
        try await RunningWorkspace.run(["print one", "fail broken", "print two"]) { running in
            try await running.start()
            let ended = try await running.settled()
            #expect(ended.commands.map(\.state) == [.finished, .error])
            #expect(ended.commands.last?.error?.message == "broken")
            #expect(try await running.outputs() == ["c0": "one\n", "c1": "broken", "c2": ""])
            try await running.start(RunCells(scope: .below, cellID: "c2"))
            _ = try await running.settled()
            #expect(try await running.outputs()["c2"] == "two\n")
            // One kernel for all of it.
            #expect(running.cluster.made.count == 1)
        }
    }

    @Test func askingTwiceRunsOnce() async throws {
        try await RunningWorkspace.run(["wait"]) { running in
            let body = RunCells(cellIds: ["c0"], idempotencyToken: "once")
            let first = try await running.start(body)
            let second = try await running.start(body)
            #expect(first.commands.map(\.commandID) == second.commands.map(\.commandID))
            _ = try await running.wait { _ in !running.cluster.started.isEmpty }
            running.cluster.finish(first.commands[0].commandID)
            _ = try await running.settled()
            #expect(running.cluster.started.count == 1)
        }
    }

    @Test func interruptsWhatRunsAndEmptiesTheQueue() async throws {
        try await RunningWorkspace.run(["wait", "print two", "print three"]) { running in
            let begun = try await running.start()
            _ = try await running.wait { _ in running.cluster.started.count == 1 }
            // One of those that wait is taken out alone.
            let without = try await running.user.call(
                WorkspaceAPI.interruptNotebook,
                .init(
                    notebookID: running.id, body: InterruptCommands(commandIds: [begun.commands[1].commandID])))
            #expect(without.commands.map(\.cellID) == ["c0", "c2"])
            _ = try await running.user.call(
                WorkspaceAPI.interruptNotebook, .init(notebookID: running.id, body: InterruptCommands()))
            let ended = try await running.settled()
            #expect(ended.commands.map(\.state) == [.cancelled])
            #expect(running.cluster.started.count == 1)
        }
    }

    @Test func restartsTheKernel() async throws {
        try await RunningWorkspace.run(["print one", "wait"]) { running in
            try await running.start()
            _ = try await running.wait { _ in running.cluster.started.count == 2 }
            _ = try await running.user.call(WorkspaceAPI.restartKernel, .init(notebookID: running.id))
            let ended = try await running.wait { now in
                now.session.kernel == .ready && now.commands.allSatisfy { $0.state != .running }
                    && now.session.contextID == "nb-\(running.id)-\(running.cluster.made.count)"
                    && running.cluster.made.count == 2
            }
            #expect(ended.commands.map(\.state) == [.finished, .cancelled])
        }
    }

    /// Goal: a kernel that has gone is replaced, and the user is told that the variables are gone.
    @Test func saysWhenTheKernelWasLost() async throws {
        try await RunningWorkspace.run(["print one"]) { running in
            try await running.start()
            _ = try await running.settled()
            running.cluster.set(.terminated)
            try await running.start()
            let refused = try await running.settled()
            #expect(refused.commands.map(\.state) == [.error])
            #expect(refused.commands[0].error?.message.contains("does not run") == true)
            #expect(refused.session.kernel == .lost)
            running.cluster.set(.running)
            try await running.start()
            let again = try await running.settled()
            #expect(again.commands.map(\.state) == [.finished])
            #expect(again.session.message?.contains("variables") == true)
        }
    }

    @Test func refusesWhatCannotBeRun() async throws {
        try await RunningWorkspace.run(["wait"]) { running in
            let user = running.user
            func code(_ id: Int64, _ body: RunCells) async -> String {
                await errorCode { _ = try await user.call(WorkspaceAPI.runCells, .init(notebookID: id, body: body)) }
            }
            #expect(await code(1_000_000, RunCells(scope: .all)) == "RESOURCE_DOES_NOT_EXIST")
            #expect(await code(running.id, RunCells(scope: .all)) == "INVALID_STATE")
            #expect(await code(running.id, RunCells(clusterID: "lab", cellIds: ["none"])) == "RESOURCE_DOES_NOT_EXIST")
            try await running.start()
            _ = try await running.wait { _ in running.cluster.started.count == 1 }
            // Not on two clusters at a time.
            #expect(await code(running.id, RunCells(clusterID: "other", scope: .all)) == "INVALID_STATE")
            _ = try await user.call(
                WorkspaceAPI.interruptNotebook, .init(notebookID: running.id, body: InterruptCommands()))
            _ = try await running.settled()
        }
    }

    /// Goal: large outputs are told by name, and are there for whoever asks for them.
    @Test func keepsLargeOutputsApart() async throws {
        try await RunningWorkspace.run(["show text/html 300000\nwait"]) { running in
            let begun = try await running.start()
            let id = begun.commands[0].commandID
            let stream = try await running.user.stream(
                WorkspaceAPI.streamNotebookEvents, .init(notebookID: running.id, after: 0))
            for try await event in stream where event.omittedBytes != nil {
                #expect(event.omittedBytes ?? 0 > 300_000)
                #expect(event.output?.data?.keys == ["application/vnd.dataharbour.omitted+json"])
                break
            }
            stream.discard()
            for isOver in [false, true] {
                if isOver {
                    running.cluster.finish(id)
                    _ = try await running.settled()
                }
                let whole = try await running.user.call(
                    WorkspaceAPI.getCellOutputs, .init(notebookID: running.id, cellID: "c0"))
                let html = whole.outputs.first?["data"]?["text/html"]
                #expect((html?.string ?? html?[0]?.string)?.utf8.count == 300_000)
                let named = try await running.user.call(
                    WorkspaceAPI.getNotebook, .init(notebookID: running.id, outputLimit: 65_536))
                let output = named.document["cells"]?[0]?["outputs"]?[0]
                #expect(output?["data"]?["application/vnd.dataharbour.omitted+json"]?["bytes"]?.int ?? 0 > 300_000)
            }
        }
    }

    /// Goal: saving text and running cells do not get into each other's way, and two people's changes come together.
    @Test func savesMergeAndOutputsStay() async throws {
        try await RunningWorkspace.run(["print one", "print two"]) { running in
            let base = try #require(running.notebook.revisionID)
            try await running.start()
            _ = try await running.settled()
            let mine = try await running.save(["print mine", "print two"], base: base)
            #expect(!mine.isMerged)
            let theirs = try await running.save(["print one", "print theirs"], base: base)
            #expect(theirs.isMerged)
            let content = try await running.user.call(WorkspaceAPI.getNotebook, .init(notebookID: running.id))
            #expect(content.revisionID == theirs.revisionID)
            #expect(content.cells.map(\.source) == ["print mine", "print theirs"])
            #expect(try await running.outputs() == ["c0": "one\n", "c1": "two\n"])
            let code = await errorCode { _ = try await running.save(["print other", "print two"], base: base) }
            #expect(code == "RESOURCE_CONFLICT")
            // Saving the same again makes no revision, and outputs go when they are cleared.
            let again = try await running.save(
                ["print mine", "print theirs"], base: theirs.revisionID, cleared: ["c0"])
            #expect(again.revisionID == theirs.revisionID)
            #expect(try await running.outputs() == ["c0": "", "c1": "two\n"])
        }
    }
}
