import Core
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// Questions about code that is being written: passed on to the notebook's kernel, where there is one.
@Suite struct QuestionTests {
    private static let code = "'😀'; hoi"

    private static func complete(
        _ running: RunningWorkspace, _ code: String = code, by client: ServiceClient? = nil
    ) async throws -> Completion {
        try await (client ?? running.user).call(
            WorkspaceAPI.completeInNotebook,
            .init(
                notebookID: running.id,
                body: CompleteCode(code: code, cursorPos: code.unicodeScalars.count, language: "python")))
    }

    private static func inspect(_ running: RunningWorkspace) async throws -> Inspection {
        try await running.user.call(
            WorkspaceAPI.inspectInNotebook,
            .init(notebookID: running.id, body: InspectCode(code: "hoist", cursorPos: 2, detailLevel: 1)))
    }

    @Test func theNotebooksKernelIsAsked() async throws {
        try await RunningWorkspace.run(["print one"]) { running in
            try await running.start()
            _ = try await running.settled()
            let found = try await QuestionTests.complete(running)
            let match = CompletionMatch(text: QuestionTests.code, type: "python", signature: "lab")
            #expect(found == Completion(matches: [match], cursorStart: 0, cursorEnd: 8, busy: false))
            #expect(try await QuestionTests.inspect(running).text == "hoist 1")
            #expect(running.cluster.asked == Array(repeating: "nb-\(running.id)-1", count: 2))
            #expect(try await QuestionTests.complete(running, "run").busy)
        }
    }

    /// Goal: whoever only writes starts nothing, and learns nothing, which is no error.
    @Test func withoutAKernelNothingIsKnownAndNothingIsStarted() async throws {
        try await RunningWorkspace.run(["print one"]) { running in
            let nothing = Completion(matches: [], cursorStart: 8, cursorEnd: 8, busy: false)
            #expect(try await QuestionTests.complete(running) == nothing)
            _ = try await running.user.call(
                WorkspaceAPI.attachNotebook, .init(notebookID: running.id, body: AttachNotebook(clusterID: "lab")))
            #expect(try await QuestionTests.complete(running) == nothing)
            #expect(try await QuestionTests.inspect(running) == Inspection(found: false, busy: false))
            #expect(running.cluster.asked.isEmpty)
            #expect(running.cluster.made.isEmpty)
            // One that is gone without anybody having noticed.
            try await running.start()
            _ = try await running.settled()
            running.cluster.set(.terminated)
            #expect(try await QuestionTests.complete(running) == nothing)
            #expect(try await QuestionTests.inspect(running) == Inspection(found: false, busy: false))
            #expect(running.cluster.made.count == 1)
        }
    }

    @Test func whatIsTooLargeOrOfNobodysIsRefused() async throws {
        try await RunningWorkspace.run(["print one"]) { running in
            func code(_ id: Int64, _ body: CompleteCode, _ client: ServiceClient? = nil) async -> String {
                await errorCode {
                    _ = try await (client ?? running.user).call(
                        WorkspaceAPI.completeInNotebook, .init(notebookID: id, body: body))
                }
            }
            let small = CompleteCode(code: "x", cursorPos: 1)
            #expect(await code(1_000_000, small) == "RESOURCE_DOES_NOT_EXIST")
            let large = CompleteCode(code: String(repeating: "x", count: 262_145), cursorPos: 1)
            #expect(await code(running.id, large) == "MALFORMED_REQUEST")
            #expect(await code(running.id, CompleteCode(code: "x", cursorPos: -1)) == "MALFORMED_REQUEST")
            // To run cells of the notebook is not enough: the kernel is on a cluster, and has what others left there.
            let guest = try await running.workspace.makeUser("guest")
            try await running.workspace.give(.canRun, on: "notebooks", "\(running.id)", to: "guest")
            try await running.start()
            _ = try await running.settled()
            #expect(await code(running.id, small, guest.client) == "PERMISSION_DENIED")
            try await running.workspace.give(.canAttachTo, on: "clusters", "lab", to: "guest")
            #expect(try await QuestionTests.complete(running, by: guest.client).matches.count == 1)
        }
    }
}
