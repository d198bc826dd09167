import Core
import EventLoop
import Glibc
import HarbourProtocol
import TestSupport
import Testing

@testable import DriverService

/// The clusters' Python: `HARBOUR_DRIVER_PYTHON`, or the one that `deploy/setup` makes.
enum TestRuntime {
    static let python: String? = {
        let variables = ProcessSpecification.Environment.ours
        let data = variables["HARBOUR_DATA"] ?? variables["HOME"].map { "\($0)/.harbour" } ?? ""
        return [variables["HARBOUR_DRIVER_PYTHON"], "\(data)/runtime/current/bin/python"].compactMap { $0 }
            .first { access($0, X_OK) == 0 }
    }()

    /// The package of this checkout.
    static let folder: String = {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/") + "/Libraries/Runtime"
    }()

    /// Spark's AppCDS archive beside the interpreter, which halves the start.
    static var archive: String? {
        let file = python.map { "\($0.split(separator: "/").dropLast(2).map { "/\($0)" }.joined())/spark.jsa" }
        return file.flatMap { access($0, R_OK) == 0 ? $0 : nil }
    }
}

/// A folder of the test's own.
func withScratch<Value: Sendable>(
    _ body: @escaping @Sendable (String) async throws -> Value
) async throws -> Value {
    var template = Array("/tmp/driver-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { removeTree(folder) }
    return try await body(folder)
}

func removeTree(_ path: String) {
    if unlink(path) == 0 { return }
    for name in ScratchFolder.names(in: path) { removeTree("\(path)/\(name)") }
    rmdir(path)
}

func configuration(_ scratch: String) throws -> DriverConfiguration {
    var configuration = DriverConfiguration(
        clusterID: "test", scratch: scratch, python: try #require(TestRuntime.python))
    configuration.runtimeFolder = TestRuntime.folder
    configuration.archive = TestRuntime.archive
    configuration.cancelGrace = .seconds(20)
    return configuration
}

/// A driver without Spark: its contexts use the plain Python kernel.
func withPlainDriver(
    _ change: @escaping @Sendable (inout DriverConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (Driver) async throws -> Void
) async throws {
    try await withScratch { scratch in
        try await withEventLoop { loop in
            var settings = try configuration(scratch)
            change(&settings)
            let driver = try Driver(settings, loop: loop)
            do { try await body(driver) } catch {
                await driver.stop(grace: .zero)
                throw error
            }
            await driver.stop(grace: .zero)
        }
    }
}

/// What a command has put out, in short.
struct Transcript: Sendable {
    var events: [CommandEvent] = []

    var states: [CommandState] { events.compactMap(\.state) }
    var last: CommandEvent? { events.last }
    /// All text of stdout.
    var text: String { events.filter { $0.type == .stream && $0.name == "stdout" }.compactMap(\.text).joined() }
    /// The plain text of the last value.
    var value: String? { events.last { $0.type == .result }?.data?["text/plain"]?.string }
    func count(_ type: CommandEventType) -> Int { events.count { $0.type == type } }
}

extension Driver {
    func newContext(_ id: String, kernel: String = "python3") throws {
        _ = try createContext(ContextSpec(contextID: id, kernel: kernel))
    }

    /// Runs a command to its end.
    @discardableResult
    func transcript(
        _ source: String, id: String = Identifier.make(), in context: String, language: String? = nil,
        timeout: Int? = nil, after: Int64 = 0, widgets: [NotebookWidget]? = nil,
        each: (CommandEvent) throws -> Void = { _ in }
    ) async throws -> Transcript {
        var transcript = Transcript()
        let run = CommandRun(
            language: language, source: source, timeoutSeconds: timeout, after: after, widgets: widgets)
        try await self.run(id, in: context, run) { events in
            for json in events {
                let event = try CommandEvent(json: json)
                transcript.events.append(event)
                try each(event)
            }
        }
        return transcript
    }
}
