import Core
import HarbourProtocol
import NotebookFormats
import ServiceClients
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Widgets in files", .timeLimit(.minutes(15)))
struct WidgetFileTests {
    private static let city = NotebookWidget(
        kind: .dropdown, name: "city", defaultValue: "Rome", label: "City", choices: ["Oslo", "Rome"])
    private static let day = NotebookWidget(kind: .text, name: "day", defaultValue: "monday")
    private static let ports = NotebookWidget(
        kind: .multiselect, name: "ports", defaultValue: "A", choices: ["A", "B", "C"])
    private static let line = NotebookWidget(kind: .combobox, name: "line", defaultValue: "AZ", choices: ["AZ", "LH"])
    private static let all = [city, day, ports, line]

    private static func declaring(_ widgets: [NotebookWidget], removed: [String] = []) -> String {
        "widgets " + WidgetChanges(removed: removed, declared: widgets).jsonText()
    }

    /// A notebook as Databricks writes it, with an older entry, a newer one and what nobody knows here.
    static let foreign = #"""
        {
         "cells": [],
         "metadata": {
          "application/vnd.databricks.v1+notebook": {
           "dashboards": [],
           "inputWidgetPreferences": null,
           "language": "python",
           "notebookName": "load",
           "widgets": {
            "area": {
             "currentValue": "north",
             "nuid": "0a1b2c3d-0000-4000-8000-000000000001",
             "widgetInfo": {
              "widgetType": "dropdown",
              "defaultValue": "south",
              "label": null,
              "name": "area",
              "options": {
               "widgetType": "dropdown",
               "autoCreated": null,
               "choices": [
                "north",
                "south"
               ]
              }
             }
            },
            "limit": {
             "currentValue": "10",
             "nuid": "0a1b2c3d-0000-4000-8000-000000000002",
             "typedWidgetInfo": {
              "autoCreated": false,
              "defaultValue": "10",
              "label": "Most rows",
              "name": "limit",
              "options": {
               "widgetDisplayType": "Text",
               "validationRegex": "[0-9]+"
              },
              "parameterDataType": "String",
              "dynamic": false
             },
             "widgetInfo": {
              "widgetType": "text",
              "defaultValue": "10",
              "label": "Most rows",
              "name": "limit",
              "options": {
               "widgetType": "text",
               "autoCreated": null,
               "validationRegex": "[0-9]+"
              }
             }
            },
            "when": {
             "currentValue": "2026-01-01",
             "widgetInfo": {
              "widgetType": "date"
             }
            }
           }
          },
          "language_info": {
           "name": "python"
          }
         },
         "nbformat": 4,
         "nbformat_minor": 0
        }

        """#

    // MARK: Files

    /// Goal: what is chosen is in the file, another workspace reads it from there, and a file that says it already stays
    /// as it is.
    @Test func aFileHasThem() async throws {
        try await RunningWorkspace.run([WidgetFileTests.declaring(WidgetFileTests.all)]) { running in
            let workspace = running.workspace
            let before = try await workspace.export("/Shared/n", .jupyter).text
            #expect(!before.contains("widgets\":"), "a notebook without widgets says nothing of any")
            try await running.start()
            _ = try await running.settled()
            try await workspace.choose("/Shared/n", ["city": "Oslo", "ports": "A,C", "line": "XX"])
            let file = try await workspace.export("/Shared/n", .jupyter).text
            #expect(try await workspace.export("/Shared/n", .jupyter).text == file)
            let json = try JSONValue(json: Array(file.utf8))
            let settings = json["metadata"]?["application/vnd.databricks.v1+notebook"]
            #expect(settings?["language"] == "python")
            let said = settings?["widgets"]
            #expect(said?.object?.keys == ["city", "day", "ports", "line"])
            #expect(said?["city"]?["currentValue"] == "Oslo")
            #expect(said?["city"]?["widgetInfo"]?["defaultValue"] == "Rome")
            #expect(said?["city"]?["widgetInfo"]?["options"]?["choices"] == ["Oslo", "Rome"])
            #expect(said?["ports"]?["typedWidgetInfo"]?["options"]?["multiselect"] == true)
            #expect(said?["line"]?["typedWidgetInfo"]?["options"]?["fixedDomain"] == false)
            #expect(said?["day"]?["nuid"]?.string?.count == 36)

            try await workspace.save("/Shared/again", file, format: .jupyter)
            let wanted = ["city=Oslo", "day=monday", "ports=A,C", "line=XX"]
            let read = try await workspace.widgets("/Shared/again")
            #expect(shownWidgets(read) == wanted)
            #expect(read.map(\.kind) == WidgetFileTests.all.map(\.kind))
            #expect(read.map(\.choices) == WidgetFileTests.all.map(\.choices))
            #expect(read.map(\.label) == ["City", nil, nil, nil])
            #expect(try await workspace.export("/Shared/again", .jupyter).text == file)
            // A source has no place for them, and a file of that source has.
            try await workspace.save("/Shared/src.py", "1\n")
            #expect(!(try await workspace.export("/Shared/src.py", .jupyter).text.contains("widgets\":")))
            #expect(!(try await workspace.export("/Shared/again", .source).text.contains("currentValue")))
        }
    }

    /// Goal: what somebody else wrote into the file stays, also beside what is changed here.
    @Test func whatIsForeignStays() async throws {
        try await Workspace.run { workspace in
            let foreign = WidgetFileTests.foreign
            try await workspace.save("/Shared/f", foreign, format: .jupyter)
            #expect(shownWidgets(try await workspace.widgets("/Shared/f")) == ["area=north", "limit=10"])
            #expect(try await workspace.export("/Shared/f", .jupyter).text == foreign)
            try await workspace.choose("/Shared/f", ["limit": "20"])
            let changed = try await workspace.export("/Shared/f", .jupyter).text
            #expect(changed == foreign.replacing("\"currentValue\": \"10\"", with: "\"currentValue\": \"20\""))
            try await workspace.choose("/Shared/f", ["limit": "10"])
            #expect(try await workspace.export("/Shared/f", .jupyter).text == foreign)
            // An old revision says what it said.
            let revision = try await workspace.user.call(WorkspaceAPI.getObject, .init(path: "/Shared/f")).revisionID
            try await workspace.choose("/Shared/f", ["area": "south"])
            #expect(try await workspace.export("/Shared/f", .jupyter, revision: revision).text == foreign)
            // None of them is left: what is not understood is.
            let id = try await workspace.number("/Shared/f")
            _ = try await workspace.user.call(
                WorkspaceAPI.changeWidgets,
                .init(notebookID: id, body: ChangeWidgets(removed: ["area", "limit"])))
            let json = try JSONValue(json: Array(try await workspace.export("/Shared/f", .jupyter).text.utf8))
            let said = json["metadata"]?["application/vnd.databricks.v1+notebook"]?["widgets"]
            #expect(said?.object?.keys == ["when"])
        }
    }

    /// Goal: a file in place of a notebook brings its widgets; one that says nothing of any, and what is saved by those
    /// who have read older ones, leave them.
    @Test func aFileInPlaceOfANotebook() async throws {
        try await Workspace.run { workspace in
            let first = try await workspace.save("/Shared/f", WidgetFileTests.foreign, format: .jupyter)
            try await workspace.choose("/Shared/f", ["area": "south"])
            let other = WidgetFileTests.foreign.replacing("\"10\"", with: "\"30\"")
            try await workspace.save("/Shared/f", other, format: .jupyter, expected: first.revisionID)
            #expect(shownWidgets(try await workspace.widgets("/Shared/f")) == ["area=south", "limit=10"])
            let bare = RunningWorkspace.document(["1"]).jsonText()
            try await workspace.save("/Shared/f", bare, format: .jupyter, overwrite: true)
            #expect(shownWidgets(try await workspace.widgets("/Shared/f")) == ["area=south", "limit=10"])
            try await workspace.save("/Shared/f", other, format: .jupyter, overwrite: true)
            #expect(shownWidgets(try await workspace.widgets("/Shared/f")) == ["area=north", "limit=30"])
            #expect(try await workspace.export("/Shared/f", .jupyter).text == other)
        }
    }

    /// Goal: a folder that is packed and unpacked has them, in new notebooks and in those that were there.
    @Test func anArchiveHasThem() async throws {
        try await Files.run { files in
            let workspace = files.workspace
            try await workspace.save("/Shared/from/a/f", WidgetFileTests.foreign, format: .jupyter)
            try await workspace.save("/Shared/from/g", WidgetFileTests.foreign, format: .jupyter)
            let bare = RunningWorkspace.document(["1"]).jsonText()
            try await workspace.save("/Shared/from/none", bare, format: .jupyter)
            try await workspace.choose("/Shared/from/a/f", ["area": "south", "limit": "7"])
            let archive = try await files.export("/Shared/from")
            _ = try await files.unpack(archive, into: "/Shared/to")
            #expect(shownWidgets(try await workspace.widgets("/Shared/to/a/f")) == ["area=south", "limit=7"])
            #expect(shownWidgets(try await workspace.widgets("/Shared/to/g")) == ["area=north", "limit=10"])
            #expect(try await workspace.widgets("/Shared/to/none").isEmpty)
            for name in ["a/f", "g", "none"] {
                let (there, here) = ("/Shared/from/\(name)", "/Shared/to/\(name)")
                #expect(try await workspace.export(here, .jupyter) == workspace.export(there, .jupyter))
            }
            // What was not changed by the archive keeps what was chosen here.
            try await workspace.save("/Shared/to/a/f", WidgetFileTests.foreign, format: .jupyter, overwrite: true)
            try await workspace.choose("/Shared/to/g", ["limit": "99"])
            let again = try await files.unpack(archive, into: "/Shared/to", overwrite: true)
            #expect(again.unchanged == 2)
            #expect(shownWidgets(try await workspace.widgets("/Shared/to/a/f")) == ["area=south", "limit=7"])
            #expect(shownWidgets(try await workspace.widgets("/Shared/to/g")) == ["area=north", "limit=99"])
        }
    }

    // MARK: What files say, without a service

    private static func notebook(_ widgets: JSONValue) throws -> Notebook {
        try Notebook(json: [
            "nbformat": 4, "nbformat_minor": 5, "cells": [],
            "metadata": ["application/vnd.databricks.v1+notebook": ["widgets": widgets]],
        ])
    }

    private static func entry(_ info: JSONValue, _ current: JSONValue = .null) -> JSONValue {
        ["currentValue": current, "widgetInfo": info]
    }

    /// Goal: no file is refused because of what it says of widgets, and what is odd is not taken for one.
    @Test func oddOnesAreLeftOut() throws {
        let long = JSONValue.string(String(repeating: "x", count: 70_000))
        let odd: JSONObject = [
            "a": 1, "b": [], "c": ["widgetInfo": "text"], "d": WidgetFileTests.entry(["widgetType": "slider"]),
            "e": WidgetFileTests.entry(["widgetType": "dropdown", "defaultValue": "x", "options": ["choices": ["y"]]]),
            "f": WidgetFileTests.entry([
                "widgetType": "multiselect", "defaultValue": "", "options": ["choices": ["a,b"]],
            ]),
            "g": WidgetFileTests.entry(["widgetType": "text", "defaultValue": long]),
            "h\0": WidgetFileTests.entry(["widgetType": "text"]), "": WidgetFileTests.entry(["widgetType": "text"]),
            "i": WidgetFileTests.entry(["widgetType": "combobox", "options": ["choices": [["x"]]]]),
            "j": ["typedWidgetInfo": ["options": ["widgetDisplayType": "Graph"]]],
            "k": WidgetFileTests.entry([
                "widgetType": "combobox", "options": ["choices": .array((0..<1025).map { .integer($0) })],
            ]),
            .init(repeating: "n", count: 129): WidgetFileTests.entry(["widgetType": "text"]),
        ]
        var notebook = try WidgetFileTests.notebook(.object(odd))
        #expect(WidgetMetadata.read(notebook) == [])
        let before = notebook
        WidgetMetadata.write([], into: &notebook, of: 1)
        #expect(notebook == before)
        WidgetMetadata.write([WidgetFileTests.day], into: &notebook, of: 1)
        #expect(WidgetMetadata.read(notebook) == [WidgetFileTests.day])
        #expect(notebook.widgetMetadata?.count == odd.count + 1, "nobody's are lost")
        // Where all of it is something else, it is nothing.
        for value in [JSONValue.null, "text", [1], 5] {
            #expect(WidgetMetadata.read(try WidgetFileTests.notebook(value)) == nil)
        }
    }

    /// Goal: what can be understood is, in each of the ways in which it is written.
    @Test func whatCanBeReadIs() throws {
        let notebook = try WidgetFileTests.notebook([
            "n": WidgetFileTests.entry(["widgetType": "text", "defaultValue": 5, "label": ""], true),
            "several": WidgetFileTests.entry(
                ["widgetType": "multiselect", "defaultValue": "a", "options": ["choices": ["a", "b", "a", 3]]],
                ["a", 3]),
            "gone": WidgetFileTests.entry(
                ["widgetType": "dropdown", "defaultValue": "a", "options": ["choices": ["a", "b"]]], "c"),
            "typed": [
                "currentValue": "z",
                "typedWidgetInfo": [
                    "defaultValue": "y",
                    "options": ["widgetDisplayType": "Dropdown", "choices": ["y"], "fixedDomain": false],
                ],
            ],
        ])
        #expect(
            WidgetMetadata.read(notebook) == [
                NotebookWidget(kind: .text, name: "n", defaultValue: "5", value: "true"),
                NotebookWidget(
                    kind: .multiselect, name: "several", defaultValue: "a", choices: ["a", "b", "3"], value: "a,3"),
                NotebookWidget(kind: .dropdown, name: "gone", defaultValue: "a", choices: ["a", "b"]),
                NotebookWidget(kind: .combobox, name: "typed", defaultValue: "y", choices: ["y"], value: "z"),
            ])
    }

    @Test func limitsHoldForFiles() throws {
        let text = String(repeating: "x", count: 60_000)
        let many = (0..<300).map { number in
            ("w\(number)", WidgetFileTests.entry(["widgetType": "text", "defaultValue": ""], .string(text)))
        }
        let read = try #require(WidgetMetadata.read(try WidgetFileTests.notebook(.object(JSONObject(many)))))
        #expect(read.count == 200)
        #expect(read.compactMap(\.value).count == 4)
        let large = (0..<10).map { number in
            ("w\(number)", WidgetFileTests.entry(["widgetType": "text", "defaultValue": .string(text)]))
        }
        #expect(WidgetMetadata.read(try WidgetFileTests.notebook(.object(JSONObject(large))))?.count == 4)
    }

    /// Goal: what a file costs that says any number of widgets goes by how many a notebook can have.
    @Test func noMoreAreLookedAtThanAreTaken() {
        var looked = 0
        var list = WidgetList()
        let widgets = (0..<1_000_000).lazy.map { number in
            looked += 1
            return NotebookWidget(kind: .text, name: "w\(number)", defaultValue: "")
        }
        list.replace(with: widgets)
        #expect(list.shown.map(\.name) == (0..<200).map { "w\($0)" })
        #expect(looked == 200)
    }

    /// Goal: a save, which takes no widgets of its file, does not read them.
    @Test func aSaveReadsNone() throws {
        let notebook = try NotebookFormats.NotebookFormat.ipynb.parse(Array(WidgetFileTests.foreign.utf8))
        let bytes = NotebookFormats.NotebookFormat.ipynb.serialize(notebook)
        let newest = RevisionContent(
            revisionID: 1, objectID: 1, path: "/a", format: .notebook(.ipynb), size: bytes.count, hash: [],
            createdAt: .now, place: .bytes(bytes))
        let body = SaveNotebook(baseRevisionID: 1, document: notebook.json)
        let change = try NotebookSaving.merged(body, base: newest, newest: newest)
        #expect(try StoredContent.of(change.new, name: "a").widgets == nil)
        let imported = try StoredContent.read(
            bytes, name: "a.ipynb", format: .auto, language: nil, takesWidgets: true)
        #expect(imported.widgets?.isEmpty == false)
    }
}
