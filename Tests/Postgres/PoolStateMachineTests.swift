import Core
import Testing

@testable import Postgres

@Suite struct PoolStateMachineTests {
    private typealias Machine = PoolStateMachine<Int>

    private func machine(connections: Int = 2, idle: Int = 1, depth: Int = 3, waiting: Int = 100) -> Machine {
        Machine(limits: .init(connections: connections, idleConnections: idle, depth: depth, waiting: waiting))
    }

    /// The actions as text, which is easy to compare and to read in a failure.
    private func texts(_ actions: [Machine.Action]) -> [String] { actions.map { "\($0)" } }

    @Test func connectsWhenAskedAndServesInOrder() {
        var pool = machine(connections: 1)
        #expect(texts(pool.handle(.request(1, .exclusive))) == ["connect(1)"])
        #expect(texts(pool.handle(.request(2, .exclusive))) == [])
        #expect(texts(pool.handle(.connected(1))) == ["assign(1, connection: 1)"])
        #expect(texts(pool.handle(.finished(connection: 1))) == ["assign(2, connection: 1)"])
        #expect(texts(pool.handle(.finished(connection: 1))) == [])
    }

    @Test func readsShareAConnectionOnlyWhenNoMoreCanBeHad() {
        var pool = machine(connections: 2, depth: 2)
        #expect(texts(pool.handle(.request(1, .shared))) == ["connect(1)"])
        #expect(texts(pool.handle(.connected(1))) == ["assign(1, connection: 1)"])
        #expect(texts(pool.handle(.request(2, .shared))) == ["connect(2)"])
        #expect(texts(pool.handle(.connected(2))) == ["assign(2, connection: 2)", "armIdleTick"])
        #expect(texts(pool.handle(.request(3, .shared))) == ["assign(3, connection: 1)"])
        #expect(texts(pool.handle(.request(4, .shared))) == ["assign(4, connection: 2)"])
        #expect(texts(pool.handle(.request(5, .shared))) == [])
        #expect(texts(pool.handle(.finished(connection: 2))) == ["assign(5, connection: 2)"])
    }

    @Test func aTransactionIsNotOvertakenByReads() {
        var pool = machine(connections: 1)
        _ = pool.handle(.request(1, .shared))
        _ = pool.handle(.connected(1))
        #expect(texts(pool.handle(.request(2, .exclusive))) == [])
        #expect(texts(pool.handle(.request(3, .shared))) == [])
        #expect(texts(pool.handle(.finished(connection: 1))) == ["assign(2, connection: 1)"])
        #expect(texts(pool.handle(.finished(connection: 1))) == ["assign(3, connection: 1)"])
        // And when the transaction gives up, the reads behind it go ahead.
        #expect(texts(pool.handle(.request(4, .exclusive))) == [])
        #expect(texts(pool.handle(.request(5, .shared))) == [])
        #expect(texts(pool.handle(.withdraw(4))) == ["withdrawn(4)", "assign(5, connection: 1)"])
    }

    @Test func failuresToConnectBackOff() {
        var pool = machine()
        _ = pool.handle(.request(1, .exclusive))
        #expect(texts(pool.handle(.connectFailed(1))) == ["armBackOff(failures: 1)"])
        #expect(texts(pool.handle(.request(2, .exclusive))) == [])
        #expect(texts(pool.handle(.backOffElapsed)) == ["connect(2)", "connect(3)"])
        #expect(texts(pool.handle(.connectFailed(2))) == ["armBackOff(failures: 2)"])
        #expect(texts(pool.handle(.connected(3))) == ["assign(1, connection: 3)"])
        // Nobody waits: nothing is tried, so a process without work is quiet while the database is away.
        pool = machine()
        _ = pool.handle(.request(1, .exclusive))
        _ = pool.handle(.withdraw(1))
        #expect(texts(pool.handle(.connectFailed(1))) == [])
    }

    @Test func idleConnectionsAreClosedAfterAWholeQuietTick() {
        var pool = machine(connections: 2, idle: 1)
        _ = pool.handle(.request(1, .exclusive))
        _ = pool.handle(.request(2, .exclusive))
        #expect(texts(pool.handle(.connected(1))) == ["assign(1, connection: 1)", "armIdleTick"])
        #expect(texts(pool.handle(.connected(2))) == ["assign(2, connection: 2)"])
        _ = pool.handle(.finished(connection: 1))
        _ = pool.handle(.finished(connection: 2))
        #expect(texts(pool.handle(.idleTick)) == ["armIdleTick"])
        // Only the kept one is left, so there is nothing to tick for.
        #expect(texts(pool.handle(.idleTick)) == ["close(1)"])
    }

    @Test func aDrainRefusesFinishesAndEnds() {
        var pool = machine(connections: 2)
        _ = pool.handle(.request(1, .exclusive))
        _ = pool.handle(.connected(1))
        _ = pool.handle(.request(2, .exclusive))
        #expect(
            texts(pool.handle(.drain)) == [
                "refuse(2, Postgres.PoolStateMachine<Swift.Int>.Refusal.draining)", "close(2)",
            ])
        #expect(texts(pool.handle(.request(3, .shared))).first?.hasPrefix("refuse(3") == true)
        #expect(texts(pool.handle(.finished(connection: 1))) == ["close(1)", "drained"])
        #expect(texts(pool.handle(.drain)) == [])
    }

    @Test func tooManyWaitingAreRefused() {
        var pool = machine(connections: 1, waiting: 2)
        for number in 1...2 { _ = pool.handle(.request(number, .exclusive)) }
        #expect(texts(pool.handle(.request(3, .exclusive))).first?.hasPrefix("refuse(3") == true)
    }

    /// Whatever happens in whatever order: no connection is given to two holders, no request is answered twice or
    /// forgotten, limits hold, and a drained pool has nothing left.
    @Test func invariantsHoldUnderRandomEvents() {
        let seed = UInt64(Timestamp.now.milliseconds)
        for round in 0..<600 {
            var generator = SeededGenerator(seed: seed &+ UInt64(round))
            var world = World(generator: &generator)
            for _ in 0..<400 { world.step(&generator) }
            world.finish()
            #expect(world.problems == [], "seed \(seed &+ UInt64(round))")
        }
    }
}

/// What a shell and a database would do, at random.
private struct World {
    private var machine: PoolStateMachine<Int>
    private let connectionLimit: Int
    private let depth: Int
    private var nextRequest = 0
    private var waiting: [Int: PoolStateMachine<Int>.Kind] = [:]
    private var connecting: Set<Int> = []
    private var ready: [Int: [Int]] = [:]
    private var kinds: [Int: PoolStateMachine<Int>.Kind] = [:]
    private var backOffs = 0
    private var ticks = 0
    private var isDrained = false
    var problems: [String] = []

    init(generator: inout SeededGenerator) {
        connectionLimit = .random(in: 1...5, using: &generator)
        depth = .random(in: 1...4, using: &generator)
        machine = PoolStateMachine(
            limits: .init(
                connections: connectionLimit, idleConnections: .random(in: 0...2, using: &generator), depth: depth,
                waiting: .random(in: 1...30, using: &generator)))
    }

    mutating func step(_ generator: inout SeededGenerator) {
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<35: request(Bool.random(using: &generator) ? .shared : .exclusive)
        case 35..<60:
            guard
                let (id, held) = ready.filter({ !$0.value.isEmpty }).sorted(by: { $0.key < $1.key })
                    .randomElement(using: &generator)
            else { return }
            kinds[held[0]] = nil
            ready[id]?.removeFirst()
            feed(.finished(connection: id))
        case 60..<75:
            guard let id = connecting.sorted().randomElement(using: &generator) else { return }
            connecting.remove(id)
            if Int.random(in: 0..<4, using: &generator) > 0 {
                ready[id] = []
                feed(.connected(id))
            } else {
                feed(.connectFailed(id))
            }
        case 75..<80:
            guard let (id, held) = ready.sorted(by: { $0.key < $1.key }).randomElement(using: &generator) else {
                return
            }
            ready[id] = nil
            for request in held { kinds[request] = nil }
            feed(.closed(id))
        case 80..<88:
            guard let id = waiting.keys.sorted().randomElement(using: &generator) else { return }
            feed(.withdraw(id))
            if waiting[id] != nil { problems.append("\(id) was not withdrawn") }
        case 88..<94 where backOffs > 0:
            backOffs -= 1
            feed(.backOffElapsed)
        case 94..<99 where ticks > 0:
            ticks -= 1
            feed(.idleTick)
        case 99 where Int.random(in: 0..<20, using: &generator) == 0: feed(.drain)
        default: break
        }
        check()
    }

    /// Everything that is under way ends well; then nobody may be left waiting, and a drain must come to its end.
    mutating func finish() {
        for _ in 0..<2000 where !(waiting.isEmpty && kinds.isEmpty && connecting.isEmpty) {
            for id in connecting.sorted() {
                connecting.remove(id)
                ready[id] = []
                feed(.connected(id))
            }
            for (id, held) in ready.sorted(by: { $0.key < $1.key }) {
                for request in held where ready[id] != nil {
                    kinds[request] = nil
                    ready[id]?.removeFirst()
                    feed(.finished(connection: id))
                }
            }
            while backOffs > 0 {
                backOffs -= 1
                feed(.backOffElapsed)
            }
        }
        if !waiting.isEmpty { problems.append("\(waiting.count) wait for ever") }
        feed(.drain)
        if !isDrained { problems.append("the drain has no end") }
        if !ready.isEmpty || !connecting.isEmpty { problems.append("connections outlive the drain") }
    }

    private mutating func request(_ kind: PoolStateMachine<Int>.Kind) {
        nextRequest += 1
        waiting[nextRequest] = kind
        feed(.request(nextRequest, kind))
    }

    private mutating func feed(_ event: PoolStateMachine<Int>.Event) {
        for action in machine.handle(event) {
            switch action {
            case .connect(let id): connecting.insert(id)
            case .assign(let request, let id):
                guard let kind = waiting.removeValue(forKey: request) else {
                    problems.append("\(request) is assigned but does not wait")
                    continue
                }
                guard let held = ready[id] else {
                    problems.append("\(request) is given to a connection that is not ready")
                    continue
                }
                if kind == .exclusive && !held.isEmpty { problems.append("\(request) does not have \(id) for itself") }
                if let other = held.first, kinds[other] == .exclusive { problems.append("\(id) is held by \(other)") }
                if held.count >= depth { problems.append("\(id) has too much to do") }
                kinds[request] = kind
                ready[id] = held + [request]
            case .withdrawn(let request), .refuse(let request, _):
                if waiting.removeValue(forKey: request) == nil { problems.append("\(request) did not wait") }
            case .close(let id):
                if let held = ready.removeValue(forKey: id) {
                    if !held.isEmpty { problems.append("\(id) is closed while in use") }
                } else if connecting.remove(id) == nil {
                    problems.append("\(id) is closed twice")
                }
            case .armBackOff: backOffs += 1
            case .armIdleTick: ticks += 1
            case .drained:
                if isDrained { problems.append("drained twice") }
                isDrained = true
            }
        }
    }

    private mutating func check() {
        if ready.count + connecting.count > connectionLimit { problems.append("too many connections") }
        if backOffs > 1 || ticks > 1 { problems.append("a timer is armed twice") }
        // Somebody who waits waits for something.
        if !waiting.isEmpty && connecting.isEmpty && backOffs == 0 && kinds.isEmpty {
            problems.append("\(waiting.count) wait for nothing")
        }
    }
}
