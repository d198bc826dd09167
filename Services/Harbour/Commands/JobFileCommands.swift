internal import Core
internal import Glibc
internal import HarbourProtocol
internal import ServiceClients
internal import YAML

/// Jobs as code: `harbour jobs export`, `diff` and `apply`.
enum JobFileCommands {
    private static let differing = ErrorCode("JOBS_DIFFER", status: 409)

    private static let files = Argument(
        name: "files", help: "jobs as YAML or JSON; - for standard input", isRepeated: true)

    static let all = [
        Command(
            name: "export", summary: "Print a job as a file for apply.", arguments: [JobNames.argument],
            flags: [
                .value("format", "FORMAT", "How to write it; yaml when absent", choices: ["yaml", "json"]),
                .value("to", "FILE", "Write it there; standard output when absent"),
            ], run: export),
        Command(
            name: "diff", summary: "Show what apply would change, and what is wrong with the files.",
            arguments: [files],
            flags: [
                .toggle(
                    "exit-code",
                    "End with 0 when nothing would change, with 1 when something would, with 2 after an error"
                )
            ],
            failureStatus: { $0.has("exit-code") && $1.code != differing ? 2 : 1 }, run: diff),
        Command(
            name: "apply", summary: "Make the jobs as the files say, by their names; shows what changes and asks.",
            arguments: [files], flags: [.toggle("yes", "Do not ask")], run: apply),
    ]

    /// What one job of a file means for the platform.
    private struct Change {
        var job: JobFile
        /// The job of that name; nil when it is to be made.
        var existing: Job?
        var diff: String

        var isNothing: Bool { existing?.settings == job.spec }
        var mark: String { isNothing ? "same" : existing == nil ? "new" : "changed" }
    }

    private static func export(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let job = try await PublicAPI(setting).job(invocation.word("job"))
        let isJSON = setting.terminal.isJSON && invocation.value("format") == nil
        let bytes = try job.settings.file(isJSON ? "json" : invocation.value("format") ?? "yaml")
        if let file = invocation.value("to") {
            try Files.write(bytes, to: file)
            setting.terminal.say("The job \(job.settings.name) is in \(file).")
        } else {
            Terminal.write(String(decoding: bytes, as: UTF8.self), to: 1)
        }
    }

    private static func diff(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let changes = try await changes(invocation, PublicAPI(setting))
        show(changes, setting.terminal)
        setting.terminal.answer(answer(changes))
        guard invocation.has("exit-code"), !changes.allSatisfy(\.isNothing) else { return }
        throw HarbourError(differing, "The files and the platform differ.")
    }

    private static func apply(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let changes = try await changes(invocation, api)
        show(changes, setting.terminal)
        var made: [String: Int64] = [:]
        let open = changes.filter { !$0.isNothing }
        if !open.isEmpty, !invocation.has("yes") {
            guard try Terminal.ask("Apply these changes? [y/N] ") else {
                throw HarbourError(.cancelled, "Nothing is changed.")
            }
        }
        for change in open {
            let (job, word) = try await apply(change, api)
            made[job.settings.name] = job.jobID
            setting.terminal.say("Job \(job.jobID), \(job.settings.name), is \(word).")
        }
        setting.terminal.answer(answer(changes, made))
    }

    /// - Returns: the job, and what has become of it.
    private static func apply(_ change: Change, _ api: PublicAPI) async throws -> (job: Job, word: String) {
        let spec = change.job.spec
        if let existing = change.existing {
            do {
                // What somebody has changed since was not shown.
                let input = SchedulerAPI.UpdateJobInput(
                    jobID: existing.jobID, ifUpdatedTime: existing.updatedTime, body: spec)
                return (try await api.call(SchedulerAPI.updateJob, input), "changed")
            } catch let error as HarbourError where error.code == .conflict {
                throw changedMeanwhile(existing.settings.name)
            }
        }
        do {
            return (try await api.call(SchedulerAPI.createJob, .init(uniqueName: true, body: spec)), "made")
        } catch let error as HarbourError where error.code == .alreadyExists {
            // Somebody else has applied the same files, or others, at the same moment.
            guard let other = try await api.job(named: spec.name) else { throw error }
            guard other.settings == spec else { throw changedMeanwhile(spec.name) }
            return (other, "made by somebody else, as the file says")
        }
    }

    private static func changedMeanwhile(_ name: String) -> HarbourError {
        HarbourError(.conflict, "Somebody has changed the job \(name) in the meantime. Look at it again.")
    }

    private static func answer(_ changes: [Change], _ made: [String: Int64] = [:]) -> JSONValue {
        [
            "jobs": .array(
                changes.map { change in
                    [
                        "file": .string(change.job.path), "name": .string(change.job.spec.name),
                        "job_id": (change.existing?.jobID ?? made[change.job.spec.name]).map { .integer($0) } ?? .null,
                        "change": .string(change.mark),
                        "diff": .string(change.diff),
                    ]
                })
        ]
    }

    private static func show(_ changes: [Change], _ terminal: Terminal) {
        for change in changes {
            let place = change.existing.map { "job \($0.jobID)" } ?? "no job yet"
            switch change.mark {
            case "same": terminal.say("= \(change.job.spec.name) (\(place)): as the file says.")
            case "new": terminal.say("+ \(change.job.spec.name) (\(place)): is to be made.\n\(change.diff)")
            default: terminal.say("~ \(change.job.spec.name) (\(place)):\n\(change.diff)")
            }
        }
    }

    /// Reads and checks all files before anything is compared, and says all that is wrong at once.
    private static func changes(_ invocation: Invocation, _ api: PublicAPI) async throws -> [Change] {
        var jobs: [JobFile] = []
        var wrong: [String] = []
        for path in invocation.allWords("files") {
            do throws(HarbourError) {
                jobs += try JobFile.read(path == "-" ? "standard input" : path, try Files.read(path))
            } catch {
                guard error.code == .invalidParameter else { throw error }
                wrong.append(error.message)
            }
        }
        var names: [String: JobFile] = [:]
        for job in jobs {
            let found = try await api.call(SchedulerAPI.checkJob, .init(body: job.spec))
            wrong += job.lines(found.problems)
            if let other = names.updateValue(job, forKey: job.spec.name) {
                let earlier = "\(other.path):\(other.source.place.line)"
                let problem = JobProblem(
                    path: "/name", message: "The job \(job.spec.name) stands at \(earlier) already.")
                wrong += job.lines([problem])
            }
        }
        guard wrong.isEmpty else { throw JobFile.refusal(wrong) }
        var changes: [Change] = []
        for job in jobs {
            let existing = try await api.job(named: job.spec.name)
            let old = try existing.map { try $0.settings.file("yaml") } ?? []
            let diff = LineDiff(
                from: String(decoding: old, as: UTF8.self),
                to: String(decoding: try job.spec.file("yaml"), as: UTF8.self))
            changes.append(Change(job: job, existing: existing, diff: diff.text))
        }
        return changes
    }
}

extension Terminal {
    /// Asks the person in front.
    /// - Throws: `USAGE` when there is nobody to ask.
    static func ask(_ question: String) throws(HarbourError) -> Bool {
        guard isatty(0) == 1 else {
            throw .usage("There is nobody to ask. Add --yes when the changes are wanted.")
        }
        write(question, to: 2)
        let answer = readLine()?.lowercased() ?? ""
        return answer == "y" || answer == "yes"
    }
}
