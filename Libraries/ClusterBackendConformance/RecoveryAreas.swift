internal import ClusterBackend
internal import Core

extension ExamSession {
    func recoveryOfTheSet() async throws {
        let first = try await backend()
        let stranger = "exam-\(Identifier.make())"
        let (alive, dead, never, orphan) = (try newID(), try newID(), try newID(), try newID())
        let (byIDAlone, unreadable) = (try newID(), try newID())
        let foreign = try newID(installation: stranger)
        let (aliveRequest, aliveCluster) = try await start(first, alive)
        let (deadRequest, deadCluster) = try await start(first, dead)
        let (orphanRequest, orphanCluster) = try await start(first, orphan)
        let (byIDRequest, byIDCluster) = try await start(first, byIDAlone)
        let (unreadableRequest, unreadableCluster) = try await start(first, unreadable)
        let foreignBackend = try await subject.backend(installation: stranger)
        let (foreignRequest, foreignCluster) = try await start(foreignBackend, foreign)
        let aliveIdentity = try await identify(aliveCluster, aliveRequest)
        let byIDIdentity = try await identify(byIDCluster, byIDRequest)
        let foreignIdentity = try await identify(foreignCluster, foreignRequest)
        _ = try await identify(deadCluster, deadRequest)
        _ = try await identify(orphanCluster, orphanRequest)
        _ = try await identify(unreadableCluster, unreadableRequest)
        await first.close()
        try await subject.kill(dead)

        let second = try await backend()
        var strange = unreadableCluster.handle
        strange.version = 9_999
        strange.payload = [0xff, 0x00, 0x7b]
        let report = try await second.recover(
            [
                RecoveryEntry(id: alive, handle: aliveCluster.handle),
                RecoveryEntry(id: dead, handle: deadCluster.handle),
                RecoveryEntry(id: never, handle: nil), RecoveryEntry(id: byIDAlone, handle: nil),
                RecoveryEntry(id: unreadable, handle: strange),
            ], asOf: Timestamp.now + .seconds(60))
        try checkReport(report, alive: [alive, byIDAlone], dead: dead, never: never, unreadable: unreadable)
        try expect(report.swept == [orphan], "the orphan, and it alone, should be swept, not \(report.swept)")
        try await expectNothing(of: orphan, "after the sweep")
        for (id, request, identity) in [
            (alive, aliveRequest, aliveIdentity), (byIDAlone, byIDRequest, byIDIdentity),
        ] {
            guard case .running(let found) = report.clusters[id] else { throw fail("\(id) should be found running") }
            let now = try await identify(found, request)
            try expect(now == identity, "recovery should find the same driver")
            let handle = found.handle
            try expect(try await second.status(of: handle) == .running(workers: 0), "it should be looked after again")
        }
        let foreignNow = try await identify(foreignCluster, foreignRequest)
        try expect(foreignNow == foreignIdentity, "another installation's cluster should not be touched")
        let entries = [alive, byIDAlone, unreadable, dead].map { RecoveryEntry(id: $0, handle: nil) }
        let again = try await second.recover(entries, asOf: Timestamp.now + .seconds(60))
        try expect(again.swept.isEmpty, "a second recovery should find nothing to sweep, not \(again.swept)")
        for id in [alive, dead, byIDAlone, unreadable, never] { try await terminate(second, id, nil) }
        try await foreignBackend.terminate(foreign, handle: nil, grace: .seconds(1))
        await second.close()
        await foreignBackend.close()
    }

    private func checkReport(
        _ report: RecoveryReport, alive: [ClusterIdentifier], dead: ClusterIdentifier, never: ClusterIdentifier,
        unreadable: ClusterIdentifier
    ) throws {
        for id in alive {
            guard case .running = report.clusters[id] else {
                throw fail("a living cluster should be found running, not \(String(describing: report.clusters[id]))")
            }
        }
        switch report.clusters[dead] {
        case .ended, .absent: break
        default: throw fail("a dead one should have ended, not \(String(describing: report.clusters[dead]))")
        }
        try expect(report.clusters[never] == .absent, "one that was never started should be absent")
        try expect(report.clusters[unreadable] != nil, "one with an unreadable handle should have an answer")
    }

    func recoveryIsCareful() async throws {
        let backend = try await backend()
        let id = try newID()
        let before = Timestamp.now + .seconds(-60)
        let (request, cluster) = try await start(backend, id)
        let identity = try await identify(cluster, request)
        let restarted = try await self.backend()
        let report = try await restarted.recover([], asOf: before)
        try expect(report.swept.isEmpty, "what was made after the list was read should not be swept")
        let now = try await identify(cluster, request)
        try expect(now == identity, "the cluster should be as it was")
        try await terminate(restarted, id, cluster.handle)
    }
}
