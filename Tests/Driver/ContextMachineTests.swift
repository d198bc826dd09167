import Core
import HarbourProtocol
import Testing

@testable import DriverService

@Suite struct ContextMachineTests {
    private let failure = CommandError(code: "X", name: "X", message: "x")

    @Test func commandsRunOneByOne() {
        var machine = ContextMachine(grace: .seconds(10))
        #expect(machine.handle(.submit("1", limit: nil)) == [.acquire])
        #expect(machine.handle(.submit("2", limit: .seconds(5))) == [])
        #expect(machine.handle(.kernelReady) == [.state("1", .running, nil), .run("1")])
        #expect(
            machine.handle(.ended(.ok)) == [
                .cancel(.grace), .cancel(.limit), .state("1", .finished, nil), .state("2", .running, nil),
                .schedule(.limit, .seconds(5)), .run("2"),
            ])
        #expect(machine.handle(.ended(.failed(failure))).contains(.state("2", .error, failure)))
    }

    @Test func aCancelledCommandIsInterruptedTwiceAndThenKilled() {
        var machine = ContextMachine(grace: .seconds(10))
        _ = machine.start()
        _ = machine.handle(.kernelReady)
        _ = machine.handle(.submit("1", limit: nil))
        #expect(
            machine.handle(.cancel("1")) == [
                .state("1", .cancelling, nil), .cancel(.limit), .interrupt, .schedule(.grace, .seconds(5)),
            ])
        #expect(machine.handle(.cancel("1")) == [])
        #expect(machine.handle(.fired(.grace)) == [.interrupt, .schedule(.grace, .seconds(5))])
        #expect(machine.handle(.fired(.grace)) == [.killKernel])
        #expect(machine.handle(.fired(.grace)) == [])
        let end = machine.handle(.kernelGone("gone"))
        #expect(end.last == .acquire)
        guard case .state("1", .cancelled, let error) = end[2] else {
            Issue.record("\(end)")
            return
        }
        #expect(error?.code == "KERNEL_RESTARTED")
    }

    @Test func aCommandThatFinishesInSpiteOfItsCancellingHasFinished() {
        var machine = ContextMachine(grace: .seconds(10))
        _ = machine.start()
        _ = machine.handle(.kernelReady)
        _ = machine.handle(.submit("1", limit: nil))
        _ = machine.handle(.cancel("1"))
        #expect(machine.handle(.ended(.ok)).contains(.state("1", .finished, nil)))
    }

    @Test func aContextWithoutKernelAnswersAndTriesAgain() {
        var machine = ContextMachine(grace: .seconds(10))
        _ = machine.start()
        _ = machine.handle(.submit("1", limit: nil))
        #expect(machine.handle(.kernelFailed(failure)) == [.state("1", .error, failure)])
        #expect(machine.state == .error)
        #expect(machine.handle(.submit("2", limit: nil)) == [.acquire])
        #expect(machine.state == .error || machine.state == .pending)
    }

    @Test func aKernelThatEndsWithSparkSaysSo() {
        let cause = CommandError(code: "KILLED", name: "SparkLost", message: "Killed.")
        for isCancelled in [false, true] {
            var machine = ContextMachine(grace: .seconds(10))
            _ = machine.start()
            _ = machine.handle(.kernelReady)
            _ = machine.handle(.submit("1", limit: nil))
            if isCancelled { _ = machine.handle(.cancel("1")) }
            let end = machine.handle(.kernelGone("gone", because: cause))
            #expect(end.contains(.state("1", .error, cause)) == !isCancelled)
        }
    }

    @Test func aKernelThatDiesAgainAndAgainIsLeftAlone() {
        var machine = ContextMachine(grace: .seconds(10))
        var actions = machine.start()
        for _ in 0..<3 {
            #expect(actions.last == .acquire)
            _ = machine.handle(.kernelReady)
            actions = machine.handle(.kernelGone("gone"))
        }
        #expect(actions.last != .acquire)
        #expect(machine.state == .error)
        #expect(machine.handle(.submit("1", limit: nil)) == [.acquire])
    }

    @Test func whateverHappensEachCommandEndsOnce() {
        for seed in 1...500 {
            var random = SeededGenerator(seed: UInt64(seed))
            var machine = ContextMachine(grace: .seconds(10))
            var log = MachineLog()
            log.take(machine.start())
            var next = 0
            for _ in 0..<150 {
                switch Int.random(in: 0..<12, using: &random) {
                case 0...2:
                    guard !log.closed else { continue }
                    next += 1
                    log.open["\(next)"] = .queued
                    log.take(machine.handle(.submit("\(next)", limit: Bool.random(using: &random) ? .seconds(1) : nil)))
                case 3: log.take(machine.handle(.cancel("\(Int.random(in: 1...max(1, next), using: &random))")))
                case 4 where log.acquiring:
                    log.acquiring = false
                    log.hasKernel = true
                    log.take(machine.handle(.kernelReady))
                case 5 where log.acquiring:
                    log.acquiring = false
                    log.take(machine.handle(.kernelFailed(failure)))
                case 6...7 where machine.runningID != nil: log.take(machine.handle(.ended(.ok)))
                case 8 where machine.runningID != nil: log.take(machine.handle(.ended(.failed(failure))))
                case 9 where log.hasKernel:
                    log.hasKernel = false
                    log.take(machine.handle(.kernelGone("gone")))
                case 10: log.take(machine.handle(.fired(Bool.random(using: &random) ? .grace : .limit)))
                case 11 where Int.random(in: 0..<30, using: &random) == 0: log.take(machine.handle(.close))
                default: break
                }
                #expect(log.problem == nil, "seed \(seed): \(log.problem ?? "")")
            }
            log.take(machine.handle(.close))
            if log.acquiring { log.take(machine.handle(.kernelReady)) }
            if log.hasKernel || log.killed { log.take(machine.handle(.kernelGone("gone"))) }
            #expect(log.open.isEmpty, "seed \(seed): \(log.open)")
            #expect(log.closed, "seed \(seed)")
        }
    }
}

/// Checks that actions make sense: states in order, one command at a time, one kernel at a time.
private struct MachineLog {
    var open: [String: CommandState] = [:]
    var acquiring = false
    var hasKernel = false
    var killed = false
    var closed = false
    var problem: String?

    mutating func take(_ actions: [ContextMachine.Action]) {
        for action in actions {
            switch action {
            case .acquire:
                if acquiring || hasKernel { problem = "acquires a second kernel" }
                acquiring = true
            case .run(let id): if open[id] != .running { problem = "runs \(id) in \(String(describing: open[id]))" }
            case .state(let id, let state, _):
                guard let before = open[id] else {
                    problem = "\(id) ended before"
                    continue
                }
                if state == .running && before != .queued { problem = "\(id) began twice" }
                open[id] = state.isFinal ? nil : state
            case .killKernel: killed = true
            case .closed:
                if closed { problem = "closed twice" }
                closed = true
            case .interrupt, .schedule, .cancel: break
            }
        }
        if open.values.count(where: { $0 != .queued }) > 1 { problem = "two commands run" }
    }
}
