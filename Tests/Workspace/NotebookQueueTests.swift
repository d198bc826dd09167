import CellExecution
import Core
import HarbourProtocol
import Testing

@testable import WorkspaceService

@Suite("What a notebook does next")
struct NotebookQueueTests {
    private func entry(_ id: String, _ user: String = "ann", batch: String = "b", running: Bool = false)
        -> NotebookQueue.Entry
    {
        .init(commandID: id, batchID: batch, user: user, isRunning: running)
    }

    private static let failed = CellEnding.failed(CommandError(code: "COMMAND_FAILED", name: "E", message: "m"))

    @Test func runsOneAfterTheOther() {
        var queue = NotebookQueue()
        #expect(queue.handle(.found([entry("1"), entry("2")], restartWanted: false)) == [.prepareContext])
        #expect(queue.handle(.found([entry("1"), entry("2")], restartWanted: false)) == [])
        #expect(queue.handle(.contextReady) == [.run("1")])
        #expect(queue.handle(.heardEnd("1", .finished)) == [.finish("1", .finished, skip: [])])
        #expect(queue.handle(.finished("1")) == [.run("2")])
        // What was read before the first one's end was written down comes late.
        #expect(queue.handle(.found([entry("1", running: true), entry("2")], restartWanted: false)) == [])
        #expect(queue.handle(.heardEnd("2", .finished)) == [.finish("2", .finished, skip: [])])
        #expect(queue.handle(.finished("2")) == [.rest])
        #expect(queue.handle(.found([entry("3")], restartWanted: false)) == [.run("3")])
    }

    @Test func anErrorStopsWhatItsUserHasAskedFor() {
        var queue = NotebookQueue()
        let all = [entry("1"), entry("2", batch: "c"), entry("3", "bob", batch: "d")]
        _ = queue.handle(.found(all, restartWanted: false))
        _ = queue.handle(.contextReady)
        #expect(queue.handle(.heardEnd("1", Self.failed)) == [.finish("1", Self.failed, skip: ["2"])])
        #expect(queue.handle(.finished("1")) == [.run("3")])
    }

    @Test func anExitLeavesTheRestOfItsBatchOut() {
        var queue = NotebookQueue()
        _ = queue.handle(.found([entry("1"), entry("2"), entry("3", batch: "c")], restartWanted: false))
        _ = queue.handle(.contextReady)
        #expect(queue.handle(.heardEnd("1", .exited("v"))) == [.finish("1", .exited("v"), skip: ["2"])])
        #expect(queue.handle(.finished("1")) == [.run("3")])
    }

    @Test func interruptsOnce() {
        var queue = NotebookQueue()
        _ = queue.handle(.found([entry("1")], restartWanted: false))
        _ = queue.handle(.contextReady)
        var cancelling = entry("1", running: true)
        cancelling.isCancelling = true
        #expect(queue.handle(.found([cancelling], restartWanted: false)) == [.interrupt("1")])
        #expect(queue.handle(.found([cancelling], restartWanted: false)) == [])
        #expect(queue.handle(.heardEnd("1", .interrupted)) == [.finish("1", .interrupted, skip: [])])
        #expect(queue.handle(.finished("1")) == [.rest])
    }

    /// A command that another owner began is listened to before anything else, whatever its kernel.
    @Test func takesOverWhatRuns() {
        var queue = NotebookQueue()
        let found = [entry("1", running: true), entry("2")]
        #expect(queue.handle(.found(found, restartWanted: false)) == [.run("1")])
        #expect(queue.handle(.heardEnd("1", .finished)) == [.finish("1", .finished, skip: [])])
        #expect(queue.handle(.finished("1")) == [.prepareContext])
    }

    @Test func aKernelThatCannotBeHadFailsTheQueueOnce() {
        var queue = NotebookQueue()
        let error = CommandError(code: "INVALID_STATE", name: "ClusterError", message: "m")
        _ = queue.handle(.found([entry("1"), entry("2")], restartWanted: false))
        #expect(queue.handle(.contextFailed(error)) == [.finish("1", .failed(error), skip: ["2"])])
        #expect(queue.handle(.finished("1")) == [.rest])
    }

    /// Goal: a notebook that is attached elsewhere while a kernel starts gets one there.
    @Test func anotherClusterMeansAnotherKernel() {
        var queue = NotebookQueue()
        #expect(queue.handle(.found([entry("1")], restartWanted: false)) == [.prepareContext])
        #expect(queue.handle(.contextMoved) == [.prepareContext])
        #expect(queue.handle(.contextReady) == [.run("1")])
        #expect(queue.handle(.heardEnd("1", .finished)) == [.finish("1", .finished, skip: [])])
        #expect(queue.handle(.finished("1")) == [.rest])
        #expect(queue.handle(.contextMoved) == [.rest])
    }

    @Test func restartsBetweenAndDuringCommands() {
        var queue = NotebookQueue()
        _ = queue.handle(.found([entry("1")], restartWanted: false))
        _ = queue.handle(.contextReady)
        #expect(queue.handle(.found([entry("1", running: true)], restartWanted: true)) == [.endContext])
        #expect(queue.handle(.heardEnd("1", .interrupted)) == [.finish("1", .interrupted, skip: [])])
        #expect(queue.handle(.contextEnded) == [.prepareContext])
        #expect(queue.handle(.finished("1")) == [])
        #expect(queue.handle(.contextReady) == [.rest])
    }

    /// Goal: whatever comes in whatever order, and however often the owner changes, each command is run by one owner
    /// at a time, in order, and ends once.
    @Test(arguments: 0..<300) func randomHistoriesKeepTheRules(seed: UInt64) {
        var world = QueueWorld(seed: seed)
        for _ in 0..<200 { world.step() }
        world.settle()
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.open.isEmpty, "seed \(seed): \(world.open)")
    }
}

/// A database, a cluster and owners that come and go, all in memory.
private struct QueueWorld {
    var generator: SeededGenerator
    var queue = NotebookQueue()
    /// What the database has: the commands that have not ended.
    var open: [NotebookQueue.Entry] = []
    var restartWanted = false
    var pending: [NotebookQueue.Event] = []
    var ended: Set<String> = []
    var lastBegun = 0
    var next = 1
    var problems: [String] = []

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func step() {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0, 1:
            let user = Bool.random(using: &generator) ? "ann" : "bob"
            open.append(.init(commandID: "\(next)", batchID: "b\(next / 3)", user: user))
            next += 1
            look()
        case 2:
            for index in open.indices where open[index].isRunning { open[index].isCancelling = true }
            open.removeAll { !$0.isRunning }
            look()
        case 3 where Int.random(in: 0..<3, using: &generator) == 0:
            restartWanted = true
            look()
        case 4 where Int.random(in: 0..<3, using: &generator) == 0:
            // The owner is killed; the next one knows what is in the database.
            queue = NotebookQueue()
            pending = []
            look()
        default: deliver()
        }
    }

    mutating func settle() {
        for _ in 0..<2000 where !(pending.isEmpty && open.isEmpty) {
            look()
            deliver()
        }
    }

    private mutating func look() { act(queue.handle(.found(open, restartWanted: restartWanted))) }

    private mutating func deliver() {
        guard !pending.isEmpty else { return }
        let event = pending.remove(at: Int.random(in: 0..<pending.count, using: &generator))
        if case .contextEnded = event { restartWanted = false }
        if case .finished(let id) = event { open.removeAll { $0.commandID == id } }
        act(queue.handle(event))
    }

    private mutating func act(_ actions: [NotebookQueue.Action]) {
        for action in actions {
            switch action {
            case .prepareContext: pending.append(.contextReady)
            case .endContext: pending.append(.contextEnded)
            case .run(let id): run(id)
            case .interrupt: break
            case .finish(let id, _, let skip):
                if !ended.insert(id).inserted, open.contains(where: { $0.commandID == id && !$0.isRunning }) {
                    problems.append("\(id) ended twice")
                }
                open.removeAll { skip.contains($0.commandID) }
                pending.append(.finished(id))
            case .rest: if open.contains(where: \.isRunning) { problems.append("rested while one runs") }
            }
        }
    }

    private mutating func run(_ id: String) {
        if pending.contains(where: { if case .heardEnd = $0 { true } else { false } }) {
            problems.append("\(id) was begun while another ran")
        }
        guard let index = open.firstIndex(where: { $0.commandID == id }) else {
            return pending.append(.heardEnd(id, .finished))
        }
        if !open[index].isRunning {
            if let number = Int(id), number < lastBegun { problems.append("\(id) was begun out of order") }
            lastBegun = max(lastBegun, Int(id) ?? 0)
            open[index].isRunning = true
        }
        let ending: CellEnding =
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: .failed(CommandError(code: "DRIVER_LOST", name: "E", message: "m"))
            case 1: .interrupted
            default: .finished
            }
        pending.append(.heardEnd(id, ending))
    }
}
