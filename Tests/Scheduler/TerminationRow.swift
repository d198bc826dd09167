import Core
import Glibc
import HarbourProtocol
import Testing

@testable import SchedulerService

/// One way in which a task or a run can end, as schemas/terminations.json has it.
struct TerminationRow {
    let path: String
    let state: RunState
    var message: String { state.stateMessage }

    private init(_ json: JSONValue) throws {
        path = try #require(json["path"]?.string)
        state = RunState(
            lifeCycleState: try #require(LifeCycleState(rawValue: json["life_cycle_state"]?.string ?? "")),
            resultState: try #require(ResultState(rawValue: json["result_state"]?.string ?? "")),
            stateMessage: try #require(json["message"]?.string), errorCode: json["error_code"]?.string)
    }

    static func all() throws -> [TerminationRow] {
        let path = #filePath.dropLast("Tests/Scheduler/TerminationRow.swift".count) + "schemas/terminations.json"
        let file = try #require(fopen(String(path), "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return try #require(JSONValue(json: Array(bytes[..<count])).array).map { try TerminationRow($0) }
    }

    /// - Parameter words: what is named otherwise than in the row's message, and how.
    func expect(_ found: RunState, _ words: [String: String] = [:]) {
        var wanted = state
        for (word, other) in words { wanted.stateMessage = wanted.stateMessage.replacing(word, with: other) }
        #expect(found.lifeCycleState == wanted.lifeCycleState, "\(path): \(found)")
        #expect(found.resultState == wanted.resultState, "\(path): \(found)")
        #expect(found.errorCode == wanted.errorCode, "\(path): \(found)")
        #expect(found.stateMessage == wanted.stateMessage, "\(path)")
    }
}
