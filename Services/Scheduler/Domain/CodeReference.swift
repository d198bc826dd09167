internal import Core
internal import HarbourProtocol

// References in texts that are run: scripts for bash and SQL statements.
//
// What a reference stands for is put into the text before a shell or Spark reads it, so that it would be read as part of
// the program, whatever quotes are around it. Therefore only what the platform itself makes may stand there: numbers,
// times, states and ids of runs. What people and tasks say goes beside the program, as environment or as parameters.

extension ErrorCode {
    /// A reference stands in a script or statement that would be run as part of it.
    static let unsafeReference = ErrorCode("REFERENCE_NOT_ALLOWED", status: 400)
}

enum CodeReference {
    /// Whether what the reference stands for is made by the platform alone.
    static func isPlain(_ path: [String]) -> Bool {
        switch path.first {
        case "job":
            switch path.dropFirst().first {
            case "id", "run_id", "repair_count": path.count == 2
            case "start_time": path.count == 3
            case "trigger": path == ["job", "trigger", "type"] || (path.count == 4 && path[2] == "time")
            default: false
            }
        case "task": path.count == 2 && ["run_id", "execution_count"].contains(path[1])
        case "tasks":
            path.count == 3 && ["run_id", "result_state", "execution_count", "outcome"].contains(path[2])
        default: false
        }
    }

    /// Whether a text means the same to every shell and in every statement.
    static func isHarmless(_ value: String) -> Bool {
        value.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ":"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
    }

    /// Whether a text has only what names of variables may have.
    static func isVariable(_ name: String) -> Bool {
        !name.isEmpty && isHarmless(name) && !name.utf8.contains { [0x2d, 0x2e, 0x3a].contains($0) }
    }

    /// What is wrong with a reference in the script or statement of a task, and what to do instead.
    static func refusal(_ path: [String], of task: TaskSpec) -> String {
        let way =
            task.shellTask != nil
            ? "Put it into the environment of the shell_task, and write \"$NAME\" in the script."
            : "Put it into the parameters of the sql_task, and write :name in the statement."
        return "{{\(path.joined(separator: "."))}} may not stand in the text that \(task.taskKey) runs, because its "
            + "value would be run as part of it. \(way)"
    }
}

extension TaskSpec {
    /// The references in its script or statement whose values could be anything, each once.
    var unsafeReferences: [[String]] {
        let code = [shellTask?.command, sqlTask?.statement].compactMap { $0 }
        let references = Set(code.flatMap { ReferenceText($0).references }.filter { !CodeReference.isPlain($0) })
        return references.sorted { $0.joined(separator: ".") < $1.joined(separator: ".") }
    }
}

extension RunMachine {
    /// The task with its references resolved, for one of the tasks of the run.
    ///
    /// - Throws: `PARAMETER_UNRESOLVED`; `REFERENCE_NOT_ALLOWED` for definitions from before there was the check.
    func resolve(_ spec: TaskSpec, for index: Int) throws(HarbourError) -> TaskSpec {
        if let path = spec.unsafeReferences.first {
            throw HarbourError(.unsafeReference, CodeReference.refusal(path, of: spec))
        }
        return try spec.mapTexts { text throws(HarbourError) in
            try resolve(text, for: index)
        } code: { text throws(HarbourError) in
            try ReferenceText(text).resolved { path throws(HarbourError) in
                let value = try resolve("{{\(path.joined(separator: "."))}}", for: index)
                guard CodeReference.isHarmless(value) else {
                    throw HarbourError(.unsafeReference, CodeReference.refusal(path, of: spec))
                }
                return value
            }
        }
    }
}
