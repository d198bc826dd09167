import Core
import EventLoop
import Glibc
import ServiceClients
import ServiceKit
import TestSupport
import Testing

/// The real command line, spoken to as a script does.
struct HarbourProgram: Sendable {
    struct Answer: Sendable {
        var isSuccess: Bool
        /// Nil when a signal ended it.
        var status: Int32?
        var output: String
        var errors: String
    }

    let loop: EventLoop
    /// Of the service that is spoken to; its API is that of the front door.
    let url: String
    let folder: TemporaryDirectory

    init(_ fixture: SchedulerFixture) async throws {
        loop = fixture.loop
        url = try await fixture.service.baseURL
        folder = try TemporaryDirectory()
    }

    func run(_ arguments: [String], input: String = "") async throws -> Answer {
        let program = "\(SchedulerProcess.programs)/harbour"
        try #require(access(program, X_OK) == 0, "build the program harbour first")
        var specification = ProcessSpecification(program, arguments)
        specification.environment = .inherited(adding: [
            "HARBOUR_URL": url, "HARBOUR_TOKEN": "t", "HARBOUR_DATA": folder.path,
        ])
        specification.input = .pipe
        specification.output = .pipe
        specification.errors = .file(folder.file("errors"))
        let process = try await ChildProcess.start(specification, loop: loop)
        try await process.input?.write(Array(input.utf8))
        process.input?.close()
        var text = ""
        if let output = process.output {
            for try await line in output.lines(limit: 64 << 20) { text += line + "\n" }
        }
        let exit = try await process.wait()
        var status: Int32?
        if case .exited(let code) = exit { status = code }
        return Answer(
            isSuccess: exit.isSuccess, status: status, output: text, errors: read(folder.file("errors")))
    }

    /// Runs a command that has to succeed, and returns what it prints.
    func succeed(_ arguments: String...) async throws -> String {
        let answer = try await run(arguments)
        #expect(answer.isSuccess, "harbour \(arguments.joined(separator: " ")): \(answer.errors)")
        return answer.output
    }

    /// Runs a command that has to fail, and returns what it says.
    func fail(_ arguments: String...) async throws -> String {
        let answer = try await run(arguments)
        #expect(!answer.isSuccess, "harbour \(arguments.joined(separator: " ")) succeeds: \(answer.output)")
        return answer.errors
    }

    func write(_ name: String, _ text: String) throws -> String {
        let path = folder.file(name)
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        fclose(file)
        return path
    }

    func read(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            text += buffer[..<count]
        }
    }
}
