import Core
import Glibc
import Testing

@testable import SchedulerService

/// Thousands of random graphs under virtual time. A failure names its seed; `HARBOUR_SIMULATION_SEED` plays it alone,
/// and `HARBOUR_SIMULATION_COUNT` as many as wanted.
@Suite struct SimulationTests {
    private static func setting(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    @Test func everyRunEndsWellBehaved() {
        let first = Self.setting("HARBOUR_SIMULATION_SEED")
        let count = Self.setting("HARBOUR_SIMULATION_COUNT") ?? (first == nil ? 4000 : 1)
        let start = first ?? UInt64.random(in: 0..<1_000_000_000)
        print("SimulationTests: \(count) runs from seed \(start)")
        var results: [TaskResult: Int] = [:]
        var failed = 0
        for seed in start..<(start + count) where failed < 5 {
            var generator = SeededGenerator(seed: seed)
            var world = SimulatedWorld(plan: Self.plan(&generator), generator: generator)
            world.play()
            if !world.problems.isEmpty {
                failed += 1
                Issue.record("seed \(seed) at \(world.now) ms: \(world.problems)")
            }
            if let result = world.store.run.result { results[result, default: 0] += 1 }
        }
        guard count >= 1000, failed == 0 else { return }
        for result in [TaskResult.success, .failed, .canceled, .timedOut, .successWithFailures] {
            #expect(results[result, default: 0] > 0, "no run ended as \(result): the simulation has become too tame")
        }
    }

    /// A random graph of up to fourteen tasks of all kinds.
    private static func plan(_ generator: inout SeededGenerator) -> RunPlan {
        let count = Int.random(in: 1...14, using: &generator)
        let tasks = (0..<count).map { task($0, &generator) }
        let timeout =
            Int.random(in: 0..<6, using: &generator) == 0 ? Int64.random(in: 5000...60_000, using: &generator) : nil
        return RunPlan(tasks: tasks, timeout: timeout, seed: generator.next())
    }

    private static func task(_ index: Int, _ generator: inout SeededGenerator) -> TaskPlan {
        func one(in count: Int) -> Bool { Int.random(in: 0..<count, using: &generator) == 0 }
        var task = TaskPlan(key: "t\(index)")
        task.dependencies = (0..<index).filter { _ in one(in: 4) }.map { Dependency(task: $0) }
        for edge in task.dependencies.indices where one(in: 5) {
            task.dependencies[edge].outcome = Bool.random(using: &generator)
        }
        if one(in: 2), let rule = RunRule.allCases.randomElement(using: &generator) { task.rule = rule }
        task.isDisabled = one(in: 15)
        let source = Int.random(in: 0..<max(1, index), using: &generator)
        switch Int.random(in: 0..<8, using: &generator) {
        case 0:
            task.work = .condition(
                Comparison.allCases.randomElement(using: &generator) ?? .equal,
                left: one(in: 2) ? "{{tasks.t\(source).values.n}}" : "7", right: "10")
        case 1:
            let inputs = one(in: 3) ? "{{tasks.t\(source).values.list}}" : "[1, 2, 3, 4]".prefix(one(in: 9) ? 3 : 20)
            var nested = attempt("n\(index)", &generator)
            nested.dependencies = []
            task.work = .forEach(
                ForEachPlan(
                    inputs: String(inputs), concurrency: Int.random(in: 1...3, using: &generator), task: nested))
            if one(in: 6) { task.policy.timeout = 8000 }
        default:
            let work = attempt(task.key, &generator)
            (task.cluster, task.policy) = (work.cluster, work.policy)
        }
        return task
    }

    private static func attempt(_ key: String, _ generator: inout SeededGenerator) -> TaskPlan {
        func one(in count: Int) -> Bool { Int.random(in: 0..<count, using: &generator) == 0 }
        var task = TaskPlan(key: key)
        let choices: [ClusterChoice?] = [.shared("a"), .shared("b"), .own(taskKey: key), .existing("x"), nil]
        task.cluster = choices.randomElement(using: &generator) ?? nil
        task.policy = AttemptPolicy(
            timeout: one(in: 3) ? Int64.random(in: 500...6000, using: &generator) : nil,
            maxRetries: Int.random(in: 0...3, using: &generator),
            retryInterval: Int64.random(in: 0...3000, using: &generator), maxRetryInterval: one(in: 2) ? 10_000 : nil,
            retriesOnTimeout: one(in: 2))
        return task
    }
}
