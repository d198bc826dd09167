import Core
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import ServiceKit
import ServiceTestKit
import Testing

@testable import WorkspaceService

/// Routes that do with one plain request what takes several of the full API.
@Suite("Short ways", .timeLimit(.minutes(15)))
struct ShortcutTests {
    // MARK: Notebooks

    @Test func makesAndListsNotebooks() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let made = try await ada.client.call(
                WorkspaceAPI.createNotebook,
                .init(body: CreateNotebook(name: "first", description: "What it is for")))
            #expect(made.path == "/Users/ada/first")
            let content = try await ada.client.call(
                WorkspaceAPI.getNotebook, .init(notebookID: made.objectID))
            #expect(content.cells.map(\.kind) == [.markdown, .code])
            #expect(content.cells.first?.source == "What it is for")
            let again = await errorCode {
                _ = try await ada.client.call(
                    WorkspaceAPI.createNotebook, .init(body: CreateNotebook(name: "first")))
            }
            #expect(again == "RESOURCE_ALREADY_EXISTS")
            // The same with a slash at its end, as another server of this kind documents it.
            let slash = try await workspace.send(
                .post, "/api/v1/notebooks/",
                fields: ["authorization": "Bearer \(ada.token)", "content-type": "application/json"],
                body: .bytes(Array(#"{"name":"second","language":"sql"}"#.utf8)))
            #expect(slash.status == 200)
            _ = try await slash.collect()
            try await workspace.save("/Users/admin/hidden", "print(1)\n", format: .source, language: "PYTHON")
            try await workspace.save("/Shared/open", "print(1)\n", format: .source, language: "PYTHON")
            // Two pages, and nothing of others'.
            var paths: [String] = []
            var token: String?
            repeat {
                let page = try await ada.client.call(
                    WorkspaceAPI.listNotebooks, .init(pageSize: 2, pageToken: token))
                paths += page.notebooks.map(\.path)
                token = page.nextPageToken
            } while token != nil
            #expect(paths == ["/Shared/open", "/Users/ada/first", "/Users/ada/second"])
            let all = try await workspace.user.call(WorkspaceAPI.listNotebooks, .init()).notebooks.map(\.path)
            #expect(all.contains("/Users/admin/hidden") && all.count == 4)
            _ = try await ada.client.call(WorkspaceAPI.deleteNotebook, .init(notebookID: made.objectID))
            let gone = await errorCode {
                _ = try await ada.client.call(WorkspaceAPI.exportNotebook, .init(notebookID: made.objectID))
            }
            #expect(gone == "RESOURCE_DOES_NOT_EXIST")
        }
    }

    @Test func addsAndDeletesCells() async throws {
        try await Workspace.run { workspace in
            let made = try await workspace.user.call(
                WorkspaceAPI.createNotebook, .init(body: CreateNotebook(name: "cells", folder: "/Shared")))
            let last = try await workspace.user.call(
                WorkspaceAPI.addCell, .init(notebookID: made.objectID, body: AddCell(source: "print(2)")))
            let first = try await workspace.user.call(
                WorkspaceAPI.addCell,
                .init(notebookID: made.objectID, body: AddCell(source: "# Title", kind: .markdown, index: 0)))
            #expect(first.revisionID > last.revisionID)
            var cells = try await workspace.user.call(
                WorkspaceAPI.getNotebook, .init(notebookID: made.objectID)
            ).cells
            #expect(cells.map(\.source) == ["# Title", "", "print(2)"])
            #expect(cells.first?.cellID == first.cellID && cells.last?.cellID == last.cellID)
            _ = try await workspace.user.call(
                WorkspaceAPI.deleteCell, .init(notebookID: made.objectID, cellID: first.cellID))
            cells = try await workspace.user.call(WorkspaceAPI.getNotebook, .init(notebookID: made.objectID)).cells
            #expect(cells.map(\.source) == ["", "print(2)"])
            let beyond = await errorCode {
                _ = try await workspace.user.call(
                    WorkspaceAPI.addCell, .init(notebookID: made.objectID, body: AddCell(source: "x", index: 9)))
            }
            #expect(beyond == "INVALID_PARAMETER_VALUE")
            let exported = try await workspace.user.call(
                WorkspaceAPI.exportNotebook, .init(notebookID: made.objectID, format: .source))
            #expect(String(decoding: try #require(Base64.decode(exported.content)), as: UTF8.self).contains("print(2)"))
        }
    }

    @Test func executesACell() async throws {
        try await RunningWorkspace.run(["print one"]) { running in
            let begun = try await running.workspace.user.call(
                WorkspaceAPI.executeCell, .init(notebookID: running.id, cellID: "c0", clusterID: "lab"))
            #expect(begun.commands.map(\.cellID) == ["c0"])
            _ = try await running.settled()
        }
    }

    // MARK: Jobs

    @Test func submitsKillsAndRestartsJobs() async throws {
        let scheduler = SampleScheduler()
        try await scheduler.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let submitted = try await ada.client.call(
                WorkspaceAPI.submitJob, .init(body: SubmitJob(name: "Word Count Job", code: "print(1)")))
            #expect(submitted.jobID == 7 && submitted.runID == 70)
            #expect(submitted.notebookPath == "/Users/ada/Jobs/Word Count Job")
            #expect(scheduler.took == ["createJob ada Word Count Job", "runNow ada 7"])
            let code = try await ada.read(submitted.notebookPath)
            #expect(String(decoding: try #require(Base64.decode(code.content)), as: UTF8.self).contains("print(1)"))
            // Another job of that name has a notebook of its own, and the first one runs what it was given.
            let other = try await ada.client.call(
                WorkspaceAPI.submitJob, .init(body: SubmitJob(name: "Word Count Job", code: "print(2)")))
            #expect(other.notebookPath.hasPrefix("/Users/ada/Jobs/Word Count Job 20"))
            #expect(try await ada.read(submitted.notebookPath).content == code.content)
            let killed = try await ada.client.call(WorkspaceAPI.killJob, .init(jobID: 7))
            #expect(killed.runIds == [71, 72])
            let restarted = try await ada.client.call(WorkspaceAPI.restartJob, .init(jobID: 7))
            #expect(restarted.killedRunIds == [71, 72] && restarted.runID == 70)
            let logs = try await ada.client.call(WorkspaceAPI.getJobLogs, .init(jobID: 7))
            #expect(logs.logs.map(\.text) == ["hello\n42\nZeroDivisionError: by zero\n"])
            let foreign = await errorCode {
                _ = try await ada.client.call(WorkspaceAPI.getJobLogs, .init(jobID: 7, runID: 99))
            }
            #expect(foreign == "RESOURCE_DOES_NOT_EXIST")
            let page = try await ada.client.call(WorkspaceAPI.getJobSparkPage, .init(jobID: 7))
            #expect(page.url == "/api/v1/clusters/run-71/spark-ui/")
        }
    }

    @Test func countsOnlyWhatOneMaySee() async throws {
        let neighbours = Neighbours()
        try await neighbours.run { workspace in
            let owner = try await workspace.makeUser("owner")
            _ = try await owner.save("/Users/owner/n")
            let admin = try await workspace.user.call(WorkspaceAPI.listNotebooks, .init()).notebooks
            #expect(admin.count == 1)
        }
        let scheduler = SampleScheduler()
        try await scheduler.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let mine = try await ada.client.call(WorkspaceAPI.getDashboard, .init())
            #expect(mine.stats.runs == 1 && mine.stats.activeRuns == 1)
            #expect(mine.recentRuns.map(\.runID) == [71])
            #expect(mine.trends.days.count == 7 && mine.trends.days.last?.active == 1)
            let all = try await workspace.user.call(WorkspaceAPI.getDashboardStats, .init(days: 1))
            #expect(all.runs == 4001 && all.succeededRuns == 4000 && all.successRate == 1 && all.isComplete)
            // From midnight on, so that the first day is a whole one.
            #expect(Set(scheduler.took) == ["countRuns 0"])
        }
    }
}
