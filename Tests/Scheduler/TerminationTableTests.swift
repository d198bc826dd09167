import Core
import HarbourProtocol
import Testing

@testable import SchedulerService

/// Every way in which a task or a run can end has a row in schemas/terminations.json, and ends as its row says.
@Suite struct TerminationTableTests {
    private typealias Row = TerminationRow

    @Test func everyPathEndsAsItsRowSays() throws {
        let rows = try Row.all()
        #expect(Set(rows.map(\.path)).count == rows.count)
        for row in rows {
            let state = try #require(try Self.play(row), "no scenario for: \(row.path)")
            #expect(state == row.state, "\(row.path)")
        }
        let codes = Set(rows.compactMap(\.state.errorCode))
        for reason in Termination.allCases { #expect(codes.contains(reason.code), "no row for \(reason.code)") }
        let results = Set(rows.compactMap(\.state.resultState?.rawValue))
        for result in TaskResult.allCases { #expect(results.contains(result.resultState.rawValue), "\(result)") }
    }

    // MARK: Scenarios

    private static let failed = AttemptOutcome.failure("COMMAND_FAILED", "ValueError: no such column")

    /// Plays the path and says how the last task, or the run, has ended.
    private static func play(_ row: Row) throws -> RunState? {
        try oneTask(row) ?? runEnds(row) ?? dependencies(row) ?? forEach(row) ?? run(row)
    }

    private static func state(_ machine: RunMachine, _ task: Int) -> RunState {
        machine.tasks[task].state(waitsFor: [], executed: false, in: machine.run)
    }

    private static func state(_ machine: RunMachine) -> RunState {
        machine.run.state(
            phase: .terminated,
            tasks: machine.tasks.indices.map {
                TaskRow(ordinal: $0, key: machine.key(of: $0), record: machine.tasks[$0])
            })
    }

    private static func begun(_ tasks: TaskPlan..., timeout: Int64? = nil) -> RunMachine {
        var machine = RunMachine(plan: RunPlan(tasks: tasks, timeout: timeout))
        _ = machine.resume(at: at(0))
        return machine
    }

    private static func oneTask(_ row: Row) -> RunState? {
        var machine = begun(plan("a", timeout: 10))
        switch row.path {
        case "a task ends well": _ = machine.end(0)
        case "a cell fails", "a kernel dies", "the driver is lost", "a cluster does not come up",
            "the notebook does not exist", "the run of a run-job task fails",
            "the job of a run-job task does not exist", "jobs that run jobs are nested too deep",
            "a parameter stands in a script",
            "a webhook is refused", "a webhook goes to an inside address", "Airflow refuses a DAG",
            "a DAG fails in Airflow",
            "an Airflow task without an Airflow",
            "the host of a webhook cannot be reached":
            _ = machine.end(0, row.outcome)
        case "an attempt runs out of time":
            _ = machine.handle(.wake, at: at(10))
            _ = machine.end(0, .interrupted())
        case "a task interrupts itself": _ = machine.end(0, .interrupted())
        case "the run of a run-job task is cancelled": _ = machine.end(0, .interrupted(row.message))
        default: return nil
        }
        return state(machine, 0)
    }

    private static func runEnds(_ row: Row) -> RunState? {
        var machine = begun(plan("a", retries: 1, interval: 100), plan("b", after: [0]), timeout: 10)
        switch row.path {
        case "the run runs out of time while a task runs", "the run runs out of time before a task begins":
            _ = machine.handle(.wake, at: at(10))
            _ = machine.end(0, .interrupted())
        case "the run is cancelled while a task runs", "the run is cancelled before a task begins":
            _ = machine.handle(.cancel, at: at(1))
            _ = machine.end(0, .interrupted())
        case "the user of the run is deactivated":
            machine = RunMachine(plan: RunPlan(tasks: [plan("a")]))
            _ = machine.resume(at: at(0), after: [.refuse(row.refusal)])
        case "the run is cancelled while a task waits for its retry":
            _ = machine.end(0, failed)
            _ = machine.handle(.cancel, at: at(2))
        default: return nil
        }
        return state(machine, row.path.hasSuffix("before a task begins") ? 1 : 0)
    }

    private static func dependencies(_ row: Row) -> RunState? {
        var after = plan("b", after: [0])
        var first = plan("a")
        var end: AttemptOutcome?
        switch row.path {
        case "a task before it fails": end = failed
        case "a task before it is cancelled": end = .interrupted()
        case "its run_if is not met":
            after.rule = .allFailed
            end = .success()
        case "a condition goes the other way":
            first = plan("a", work: .condition(.equal, left: "1", right: "2"))
            after.dependencies = [Dependency(task: 0, outcome: true)]
        case "it is disabled": after.isDisabled = true
        case "a reference has no value":
            after = plan("check", after: [0], work: .condition(.less, left: "{{tasks.a.values.rows}}", right: "2"))
            end = .success()
        case "a condition compares what are no numbers":
            after = plan("check", after: [0], work: .condition(.less, left: "ten", right: "10"))
            end = .success()
        default: return nil
        }
        var machine = begun(first, after)
        if let end { _ = machine.end(0, end) }
        return state(machine, 1)
    }

    private static func forEach(_ row: Row) -> RunState? {
        let isBad = row.path == "the inputs of a for-each are no array"
        guard isBad || row.path == "an iteration fails" else { return nil }
        let work = TaskWork.forEach(
            ForEachPlan(inputs: isBad ? "{}" : "[1, 2]", concurrency: 2, task: plan("each")))
        var machine = begun(plan("loop", work: work))
        if !isBad {
            _ = machine.end(1, failed)
            _ = machine.end(2)
        }
        return state(machine, 0)
    }

    private static func run(_ row: Row) throws -> RunState? {
        var machine = begun(plan("first"), plan("last", after: [0], if: .allDone), timeout: 10)
        switch row.path {
        case "all tasks end well":
            _ = machine.end(0)
            _ = machine.end(1)
        case "the last task fails":
            _ = machine.end(0)
            _ = machine.end(1, failed)
        case "what fails is dealt with":
            _ = machine.end(0, failed)
            _ = machine.end(1)
        case "the run is cancelled":
            _ = machine.handle(.cancel, at: at(1))
            _ = machine.end(0, .interrupted())
        case "the run runs out of time":
            _ = machine.handle(.wake, at: at(10))
            _ = machine.end(0, .interrupted())
        case "its user is deactivated", "its user may not use its cluster":
            machine = RunMachine(plan: RunPlan(tasks: [plan("first"), plan("last", after: [0])]))
            _ = machine.resume(at: at(0), after: [.refuse(row.refusal)])
        case "all places of the job are taken": machine.run.result = .skipped
        default: return nil
        }
        return state(machine)
    }
}

extension TerminationRow {
    fileprivate var refusal: RunRefusal { RunRefusal(code: state.errorCode ?? "", message: message) }

    /// What the shell would say about an attempt that ends so.
    fileprivate var outcome: AttemptOutcome { .failure(state.errorCode ?? "", message) }
}
