import Core
import HarbourProtocol
import NotebookFormats
import ServiceClients
import TestSupport
import Testing

@testable import WorkspaceService

extension Workspace {
    /// A page of what is found.
    func find(
        _ query: String, as client: ServiceClient? = nil, path: String? = nil, kind: ObjectType? = nil,
        size: Int? = nil, token: String? = nil
    ) async throws -> SearchResults {
        try await (client ?? user).call(
            WorkspaceAPI.searchWorkspace,
            .init(pageSize: size, pageToken: token, query: query, path: path, kind: kind))
    }

    /// What is found, as `NAME path` and `CONTENT path#number`.
    func found(
        _ query: String, as client: ServiceClient? = nil, path: String? = nil, kind: ObjectType? = nil
    ) async throws -> [String] {
        try await find(query, as: client, path: path, kind: kind).results.map(Workspace.line)
    }

    static func line(_ result: SearchResult) -> String {
        let cell = result.cellNumber.map { "#\($0)" } ?? ""
        return "\(result.place.rawValue) \(result.path)\(cell)"
    }

    /// Saves a notebook of these cells.
    @discardableResult
    func saveCells(_ path: String, _ sources: [String], overwrite: Bool? = nil) async throws -> ObjectInfo {
        let cells = sources.enumerated().map { Cell(id: "c\($0.offset)", source: $0.element) }
        let text = NotebookFormats.NotebookFormat.ipynb.serialize(Notebook(cells: cells))
        return try await save(path, String(decoding: text, as: UTF8.self), format: .jupyter, overwrite: overwrite)
    }
}

@Suite("The search of the workspace")
struct SearchTests {
    @Test func namesComeFirstThenContentsTheNewestFirst() async throws {
        try await Workspace.run { workspace in
            try await workspace.saveCells("/Shared/old", ["x = 1", "revenue = 2\n", "print(Revenue)"])
            try await workspace.saveCells("/Shared/new", ["# all the REVENUE of a year"])
            try await workspace.makeFolder("/Shared/Revenue 2026")
            try await workspace.save("/Shared/notes.txt", "first\nsecond: revenue\n", format: .auto)
            let found = try await workspace.find("revenue")
            #expect(
                found.results.map(Workspace.line) == [
                    "NAME /Shared/Revenue 2026", "CONTENT /Shared/notes.txt", "CONTENT /Shared/new#1",
                    "CONTENT /Shared/old#2",
                ])
            #expect(found.nextPageToken == nil)
            #expect(found.isReading == nil)
            let name = try #require(found.results.first)
            #expect(name.excerpt == "Revenue 2026")
            #expect(name.marks == [TextMark(start: 0, length: 7)])
            let file = found.results[1]
            #expect((file.line, file.excerpt, file.cellID) == (2, "second: revenue", nil))
            #expect(file.marks == [TextMark(start: 8, length: 7)])
            let cell = found.results[3]
            #expect((cell.cellID, cell.cellNumber, cell.cellCount, cell.line) == ("c1", 2, 2, 1))
            #expect(cell.excerpt == "revenue = 2")
            #expect(cell.language == "python")
        }
    }

    @Test func allWordsMustBeThereAndEachIsMarked() async throws {
        try await Workspace.run { workspace in
            try await workspace.saveCells("/Shared/n", ["alpha = 1", "beta = 1", "x\nbeta + ALPHA"])
            try await workspace.saveCells("/Shared/m", ["alpha"])
            let found = try await workspace.find(" alpha  beta alpha ")
            #expect(found.results.map(Workspace.line) == ["CONTENT /Shared/n#3"])
            #expect(found.results.first?.excerpt == "beta + ALPHA")
            #expect(found.results.first?.line == 2)
            #expect(found.results.first?.marks == [TextMark(start: 0, length: 4), TextMark(start: 7, length: 5)])
            #expect(try await workspace.found("pha") == ["CONTENT /Shared/m#1", "CONTENT /Shared/n#1"])
        }
    }

    @Test func whatLikeTakesForPatternsIsLiteral() async throws {
        try await Workspace.run { workspace in
            try await workspace.saveCells("/Shared/percent", ["rate = '100%'"])
            try await workspace.saveCells("/Shared/hundred", ["rate = '1000'"])
            try await workspace.saveCells("/Shared/score", ["my_value, C:\\temp"])
            try await workspace.saveCells("/Shared/dash", ["my-value, C:/temp"])
            #expect(try await workspace.found("100%") == ["CONTENT /Shared/percent#1"])
            #expect(try await workspace.found("my_value") == ["CONTENT /Shared/score#1"])
            #expect(try await workspace.found("C:\\temp") == ["CONTENT /Shared/score#1"])
            #expect(try await workspace.found("%") == ["CONTENT /Shared/percent#1"])
            #expect(try await workspace.found("'; DROP TABLE objects; --") == [])
        }
    }

    @Test func allScriptsAreFoundInAnyCase() async throws {
        try await Workspace.run { workspace in
            try await workspace.saveCells("/Shared/a", ["# Выручка по ГОРОДАМ", "# 東京の売上 😀 Ärger", "# İstanbul"])
            try await workspace.makeFolder("/Shared/Ökologie")
            #expect(try await workspace.found("выручка городам") == ["CONTENT /Shared/a#1"])
            let found = try await workspace.find("ärger")
            #expect(found.results.first?.excerpt == "# 東京の売上 😀 Ärger")
            // Code points, not bytes and not UTF-16.
            #expect(found.results.first?.marks == [TextMark(start: 10, length: 5)])
            #expect(try await workspace.found("売上") == ["CONTENT /Shared/a#2"])
            #expect(try await workspace.found("istanbul") == ["CONTENT /Shared/a#3"])
            #expect(try await workspace.found("öko") == ["NAME /Shared/Ökologie"])
        }
    }

    @Test func editsMovesAndTheTrashAreSeenAtOnce() async throws {
        try await Workspace.run { workspace in
            let info = try await workspace.saveCells("/Shared/f/n", ["kept", "before", "last"])
            try await workspace.saveCells("/Shared/f/n", ["new first", "kept", "after"], overwrite: true)
            #expect(try await workspace.found("before") == [])
            #expect(try await workspace.found("last") == [])
            #expect(try await workspace.found("after") == ["CONTENT /Shared/f/n#3"])
            #expect(try await workspace.found("kept") == ["CONTENT /Shared/f/n#2"])
            // Cells by themselves are saved another way.
            _ = try await workspace.user.call(
                WorkspaceAPI.addCell, .init(notebookID: info.objectID, body: AddCell(source: "added = 1")))
            #expect(try await workspace.found("added") == ["CONTENT /Shared/f/n#4"])
            _ = try await workspace.user.call(
                WorkspaceAPI.deleteCell, .init(notebookID: info.objectID, cellID: "c0"))
            #expect(try await workspace.found("first") == [])
            #expect(try await workspace.found("added") == ["CONTENT /Shared/f/n#3"])
            try await workspace.move("/Shared/f", "/Shared/g")
            #expect(try await workspace.found("kept") == ["CONTENT /Shared/g/n#1"])
            try await workspace.move("/Shared/g/n", "/Shared/g/renamed")
            #expect(try await workspace.found("renamed") == ["NAME /Shared/g/renamed"])
            try await workspace.delete("/Shared/g", recursive: true)
            #expect(try await workspace.found("kept") == [])
            #expect(try await workspace.found("renamed") == [])
        }
    }

    @Test func onlySourcesOfSmallTextsAreSearched() async throws {
        try await Workspace.run { workspace in
            let document = #"""
                {"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[{"id":"a","cell_type":"code","metadata":{},
                 "execution_count":1,"source":"print(1)","outputs":[{"output_type":"stream","name":"stdout",
                 "text":"shown-only"}]}]}
                """#
            try await workspace.save("/Shared/out", document, format: .jupyter)
            #expect(try await workspace.found("shown-only") == [])
            #expect(try await workspace.found("print(1)") == ["CONTENT /Shared/out#1"])
            try await workspace.save("/Shared/binary.dat", "needle\0", format: .auto)
            try await workspace.save(
                "/Shared/long.txt",
                "needle " + String(repeating: "x", count: SearchText.maximumTextOfFile) + " beyond", format: .auto)
            try await workspace.save(
                "/Shared/large.txt", String(repeating: "needle ", count: 200_000), format: .auto)
            #expect(try await workspace.found("needle") == ["CONTENT /Shared/long.txt"])
            #expect(try await workspace.found("beyond") == [])
            #expect(try await workspace.found("large") == ["NAME /Shared/large.txt"])
        }
    }

    @Test func foldersAndKindsNarrowIt() async throws {
        try await Workspace.run { workspace in
            try await workspace.saveCells("/Shared/a/needle", ["needle"])
            try await workspace.saveCells("/Shared/ab/n", ["needle"])
            try await workspace.save("/Shared/a/needle.txt", "needle", format: .auto)
            try await workspace.makeFolder("/Shared/a/needles")
            #expect(
                try await workspace.found("needle", path: "/Shared/a", kind: .notebook) == [
                    "NAME /Shared/a/needle", "CONTENT /Shared/a/needle#1",
                ])
            #expect(try await workspace.found("needle", kind: .directory) == ["NAME /Shared/a/needles"])
            #expect(try await workspace.found("needle", path: "/Shared/ab") == ["CONTENT /Shared/ab/n#1"])
            #expect(
                await errorCode { _ = try await workspace.find("x", path: "/nowhere") } == "RESOURCE_DOES_NOT_EXIST")
            #expect(await errorCode { _ = try await workspace.find("  ") } == "INVALID_PARAMETER_VALUE")
            let many = (0...SearchQuery.maximumWords).map { "w\($0)" }.joined(separator: " ")
            #expect(await errorCode { _ = try await workspace.find(many) } == "INVALID_PARAMETER_VALUE")
            #expect(await errorCode { _ = try await workspace.find("x", token: "eA==") } == "INVALID_PARAMETER_VALUE")
            for place in [(Int64.max, Int64(1)), (.min, 1), (-1, 1), (1 << 60, 1), (0, -1)] {
                let token = SearchStart(.content, after: .init(changed: place.0, objectID: place.1)).text
                #expect(
                    await errorCode { _ = try await workspace.find("x", token: token) } == "INVALID_PARAMETER_VALUE",
                    "\(place)")
            }
            let last = SearchStart(.name, after: .init(changed: 253_402_300_799_999_999, objectID: .max)).text
            #expect(try await workspace.find("needle.txt", token: last).results.count == 1)
        }
    }

    @Test func pagesAreFullAndHaveEveryResultOnce() async throws {
        try await Workspace.run { workspace in
            for index in 0..<7 { try await workspace.saveCells("/Shared/needle-\(index)", ["x", "a needle"]) }
            let all = try await workspace.found("needle")
            #expect(all.count == 14)
            for size in [1, 2, 3, 7, 13] {
                var (lines, token): ([String], String?) = ([], nil)
                repeat {
                    let page = try await workspace.find("needle", size: size, token: token)
                    token = page.nextPageToken
                    #expect(page.results.count == size || token == nil)
                    lines += page.results.map(Workspace.line)
                } while token != nil
                #expect(lines == all, "pages of \(size)")
            }
        }
    }

    @Test func onlyWhatOneMayViewIsFound() async throws {
        try await Workspace.run { workspace in
            let owner = try await workspace.makeUser("owner")
            let stranger = try await workspace.makeUser("stranger")
            let reader = try await workspace.makeUser("reader")
            let watcher = try await workspace.makeUser("watcher", role: .viewer)
            _ = try await owner.save("/Users/owner/lab/secret-one", "hidden = 1\n")
            _ = try await owner.save("/Users/owner/lab2/secret-two", "hidden = 2\n")
            for index in 0..<5 { try await workspace.saveCells("/Shared/open-\(index)", ["hidden"]) }
            _ = try await owner.save("/Users/owner/lab/secret-three", "hidden = 3\n")
            #expect(try await workspace.found("hidden").count == 8)
            for person in [stranger, reader, watcher] {
                #expect(try await workspace.found("secret", as: person.client) == [])
                let page = try await workspace.find("hidden", as: person.client, size: 5)
                #expect(page.results.count == 5 && page.results.allSatisfy { $0.path.hasPrefix("/Shared/") })
                #expect(page.nextPageToken == nil, "not even that there is more")
                #expect(
                    await errorCode { _ = try await workspace.find("hidden", as: person.client, path: "/Users/owner") }
                        == "PERMISSION_DENIED")
                #expect(try await workspace.found("hidden", as: person.client, path: "/Users") == [])
            }
            for person in ["reader", "watcher"] {
                try await workspace.give(
                    .canRead, on: "directories", try await workspace.objectID("/Users/owner/lab"), to: person)
            }
            for person in [reader, watcher] {
                #expect(
                    try await workspace.found("secret", as: person.client) == [
                        "NAME /Users/owner/lab/secret-three", "NAME /Users/owner/lab/secret-one",
                    ])
                #expect(
                    try await workspace.found("hidden", as: person.client, path: "/Users/owner") == [
                        "CONTENT /Users/owner/lab/secret-three#1", "CONTENT /Users/owner/lab/secret-one#1",
                    ])
            }
            #expect(try await workspace.found("secret", as: stranger.client) == [])
            #expect(try await workspace.found("secret", as: owner.client).count == 3)
        }
    }
}

@Suite("What the search makes of texts")
struct SearchTextTests {
    @Test func longLinesAreCutAroundTheMatch() throws {
        let line = String(repeating: "a", count: 250) + "needle" + String(repeating: "b", count: 250)
        let excerpt = SearchExcerpt(window: "before\n\(line)\nafter", match: 257).text
        #expect(excerpt.unicodeScalars.count == SearchExcerpt.maximumLength)
        let marks = try SearchQuery("NEEDLE").marks(in: excerpt)
        #expect(marks.count == 1 && marks.first?.length == 6)
        #expect(SearchExcerpt(window: "\r\n    indented\r\n", match: 6).text == "indented")
        #expect(SearchExcerpt(window: "", match: 5).text == "")
    }

    @Test func marksJoinAndDoNotOverlap() throws {
        #expect(
            try SearchQuery("ab bc x").marks(in: "abc abab") == [
                TextMark(start: 0, length: 3), TextMark(start: 4, length: 4),
            ])
        #expect(try SearchQuery("long").marks(in: "lo") == [])
    }

    @Test func textIsCutBetweenCharacters() {
        let cell = String(repeating: "ж", count: SearchText.maximumCell)
        let notebook = Notebook(cells: (0..<12).map { Cell(id: "c\($0)", source: cell) })
        let text = SearchText(notebook: notebook)
        #expect(text.passages.allSatisfy { $0.text.utf8.count <= SearchText.maximumCell })
        #expect(text.passages.map(\.text.utf8.count).reduce(0, +) <= SearchText.maximumNotebook)
        #expect(text.passages.count == SearchText.maximumNotebook / SearchText.maximumCell)
        let odd = SearchText(notebook: Notebook(cells: [Cell(id: "a", source: "x\0" + cell)]))
        #expect(odd.passages.first?.text.hasPrefix("x ж") == true)
        #expect(odd.passages.first?.text.hasSuffix("ж") == true)
        #expect(SearchText(file: [0xff, 0xfe]) == .none)
    }
}
