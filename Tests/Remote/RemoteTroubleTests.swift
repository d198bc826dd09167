import ClusterBackend
import Core
import HTTPMessage
import HarbourProtocol
import ServiceClients
import SimulatedBackend
import Synchronization
import TestSupport
import Testing

@testable import RemoteBackend

/// What another platform, or the way to it, may do to the backend itself.
@Suite(.timeLimit(.minutes(15))) struct RemoteTroubleTests {
    private func backend(
        _ platform: FarPlatform, _ folder: TemporaryDirectory, _ change: [String: String] = [:]
    ) throws -> RemoteBackend {
        try RemoteBackend(
            context: BackendContext(
                installation: "trouble", folder: folder.file("c"),
                settings: try platform.settings().merging(change) { $1 }), loop: platform.loop)
    }

    private func request(_ id: ClusterIdentifier) -> ProvisionRequest {
        ProvisionRequest(
            id: id, spec: BackendSpec(displayName: "trouble"),
            launch: DriverLaunch(executable: "/remote", token: Secret("t")))
    }

    @Test func aTokenThatIsRefusedIsToldAndReadAgain() async throws {
        try await withFarPlatform { platform in
            let folder = try TemporaryDirectory()
            let file = try folder.write("token", Array("expired-token-0123456789abcdef".utf8))
            let backend = try backend(platform, folder, ["token_file": file])
            let id = try #require(ClusterIdentifier("t1"))
            #expect(await backend.preflight().advice.contains("does not accept the token"))
            do throws(HarbourError) {
                _ = try await backend.provision(request(id)) { _ in }
                Issue.record("a wrong token should be refused")
            } catch {
                #expect(error.code == .remoteTokenRejected)
                #expect(!error.describeChain().contains("expired-token"))
            }
            _ = try folder.write("token", Array(FarPlatform.token.utf8))
            let report = await backend.preflight()
            #expect(report.passed, "\(report.advice)")
            let cluster = try await backend.provision(request(id)) { _ in }
            try await backend.terminate(id, handle: cluster.handle, grace: .seconds(1))
            await backend.close()
        }
    }

    /// The whole way: the state, the typed reason and what to do.
    @Test func aStartWithAWrongTokenSaysSo() async throws {
        try await withNearService({ settings, platform in
            settings["token_file"] = try platform.folder.write("wrong", Array("wrong-token-0123456789abcdef".utf8))
        }) { near, platform in
            let client = try await near.start()
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(body: CreateCluster(spec: ClusterSpec(clusterName: "near"), clusterID: "c1")))
            // Its end is asked of the same platform, so it waits until the token is right.
            let ending = try await ended(client, "c1", in: [.terminating, .running])
            #expect(ending.terminationReason?.code == "ACCESS_TOKEN_FAILURE")
            #expect(ending.terminationReason?.type == .clientError)
            let advice = ending.terminationReason?.parameters?["message"] ?? ""
            #expect(advice.contains("does not accept the token"), "\(advice)")
            _ = try platform.folder.write("wrong", Array(FarPlatform.token.utf8))
            let last = try await ended(client, "c1", in: [.terminated, .error])
            #expect(last.state == .terminated && last.terminationReason?.code == "ACCESS_TOKEN_FAILURE")
            #expect(platform.world.clusters.isEmpty)
        }
    }

    private func ended(
        _ client: ServiceClient, _ id: String, in states: Set<ClusterState>
    ) async throws -> ClusterInfo {
        for try await info in try await client.stream(
            ClusterAPI.watchCluster, .init(clusterID: id), context: .within(.seconds(60)))
        where states.contains(info.state) { return info }
        throw HarbourError(.cancelled, "The watch ended.")
    }

    @Test func aClusterIsResizedThere() async throws {
        try await withNearService { near, platform in
            let client = try await near.start()
            var spec = ClusterSpec(clusterName: "near")
            spec.numWorkers = 1
            _ = try await client.call(
                ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: "c1")))
            _ = try await near.wait(client, "c1", for: .running)
            _ = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 3)))
            let resized = try await near.wait(client, "c1", for: .running)
            #expect(resized.workers == 3)
            let id = try #require(platform.world.clusters.first)
            #expect(platform.world.workers(of: id) == 3)
        }
    }

    @Test func aCrowdedPlatformIsLeftAloneForAsLongAsItSays() async throws {
        try await withFarPlatform { platform in
            let folder = try TemporaryDirectory()
            let backend = try backend(platform, folder)
            let id = try #require(ClusterIdentifier("t2"))
            // The dates are years away from any clock of ours: only their distance counts.
            platform.front.fail(
                "/api/v1/clusters", .post,
                .answer(
                    429,
                    [
                        "date": "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after": "Sun, 06 Nov 1994 08:49:38 GMT",
                    ]))
            let begin = MonotonicTime.now
            let cluster = try await backend.provision(request(id)) { _ in }
            #expect(MonotonicTime.now - begin >= .seconds(1))
            platform.front.fail("/api/v1/clusters", .get, .answer(429, ["retry-after": "3600"]), times: 100)
            do throws(HarbourError) {
                _ = try await backend.status(of: cluster.handle)
                Issue.record("an hour is longer than anybody waits")
            } catch {
                #expect(error.code == .resourceExhausted)
            }
            platform.front.forgive()
            try await backend.terminate(id, handle: cluster.handle, grace: .seconds(1))
            await backend.close()
        }
    }

    @Test func whileItIsNotHeardTheStateIsUnknown() async throws {
        try await withFarPlatform { platform in
            let folder = try TemporaryDirectory()
            let backend = try backend(platform, folder, ["patience_seconds": "5"])
            let id = try #require(ClusterIdentifier("t3"))
            let cluster = try await backend.provision(request(id)) { _ in }
            let seen = Mutex<[ClusterStatus]>([])
            let watching = Task {
                try await backend.watch(cluster.handle) { status in seen.withLock { $0.append(status) } }
            }
            try await eventually("it runs") { seen.withLock { $0.last } == .running(workers: 0) }
            platform.front.setCut(true)
            try await eventually("the silence is told") {
                if case .unknown? = seen.withLock({ $0.last }) { true } else { false }
            }
            do throws(HarbourError) {
                _ = try await backend.status(of: cluster.handle)
                Issue.record("nobody could have answered")
            } catch {
                #expect(error.code == .backendUnavailable, "\(error.describeChain())")
            }
            platform.front.setCut(false)
            try await eventually("it is heard again") { seen.withLock { $0.last } == .running(workers: 0) }
            try await backend.terminate(id, handle: cluster.handle, grace: .seconds(1))
            try await watching.value
            guard case .ended? = seen.withLock({ $0.last }) else {
                Issue.record("a watch ends with the end")
                return
            }
            await backend.close()
        }
    }

    @Test func aClusterThatWasRemovedThereHasEnded() async throws {
        try await withFarPlatform { platform in
            let folder = try TemporaryDirectory()
            let backend = try backend(platform, folder)
            let id = try #require(ClusterIdentifier("t4"))
            let cluster = try await backend.provision(request(id)) { _ in }
            let farID = FarMark(id, installation: "trouble").name
            _ = try await platform.client().call(ClusterAPI.deleteCluster, .init(clusterID: farID))
            try await backend.watch(cluster.handle) { _ in }
            try await eventually("it has ended") {
                if case .ended = try await backend.status(of: cluster.handle) { true } else { false }
            }
            let report = try await backend.recover([RecoveryEntry(id: id, handle: cluster.handle)], asOf: .now)
            guard case .ended = report.clusters[id] else {
                Issue.record("found \(String(describing: report.clusters[id]))")
                return
            }
            try await backend.terminate(id, handle: nil, grace: .seconds(1))
            await backend.close()
        }
    }

    @Test func whatIsNotSetUpIsTold() async throws {
        try await withEventLoop { loop in
            let cases: [([String: String], String)] = [
                ([:], "set HARBOUR_BACKEND_REMOTE_URL"),
                (["url": "http://far.example", "token_file": "/t"], "must begin with https://"),
                (["url": "http://127.0.0.1.example", "token_file": "/t"], "must begin with https://"),
                (["url": "https://far.example"], "set HARBOUR_BACKEND_REMOTE_TOKEN_FILE"),
                (["url": "https://far.example", "token_file": "/t", "kind": "other"], "must be dataharbour"),
            ]
            for (settings, word) in cases {
                let backend = try RemoteBackend(
                    context: BackendContext(installation: "i", folder: "/nowhere", settings: settings), loop: loop)
                #expect(backend.validate(BackendSpec()).contains { $0.message.contains(word) }, "\(settings)")
                let advice = await backend.preflight().advice
                #expect(advice.contains(word))
                #expect(try await backend.recover([], asOf: .now).swept.isEmpty)
            }
        }
    }
}

@Suite struct RetryRulesTests {
    private func decide(
        _ outcome: RetryRules.Outcome, repeatable: Bool = true, left: Duration = .seconds(30)
    ) -> RetryRules.Decision {
        var rules = RetryRules(isRepeatable: repeatable)
        return rules.decide(outcome, left: left, jitter: 1)
    }

    @Test func whatMustNotHappenTwiceIsNotAskedTwice() {
        #expect(decide(.broken, repeatable: false) == .giveUp)
        #expect(decide(.status(503, retryAfter: .seconds(1)), repeatable: false) == .accept)
        #expect(decide(.broken) == .retry(after: .milliseconds(100)))
        #expect(decide(.status(503, retryAfter: .seconds(1))) == .retry(after: .seconds(1)))
        // It was turned away at the door.
        #expect(decide(.status(429, retryAfter: .seconds(2)), repeatable: false) == .retry(after: .seconds(2)))
    }

    @Test func waitsHaveALimit() {
        #expect(decide(.status(429, retryAfter: .seconds(40))) == .giveUp)
        #expect(decide(.status(429, retryAfter: .seconds(600)), left: .seconds(3600)) == .giveUp)
        #expect(decide(.broken, left: .milliseconds(50)) == .giveUp)
        var rules = RetryRules(isRepeatable: true)
        var pauses: [RetryRules.Decision] = []
        for _ in 0..<8 { pauses.append(rules.decide(.broken, left: .seconds(100), jitter: 1)) }
        #expect(pauses.first == .retry(after: .milliseconds(100)))
        #expect(pauses.last == .retry(after: .seconds(5)))
    }

    @Test func aTokenIsRenewedOnce() {
        var rules = RetryRules(isRepeatable: false)
        #expect(rules.decide(.status(401, retryAfter: nil), left: .seconds(1), jitter: 1) == .renewToken)
        #expect(rules.decide(.status(401, retryAfter: nil), left: .seconds(1), jitter: 1) == .tokenRejected)
        #expect(decide(.status(403, retryAfter: nil)) == .accept)
        #expect(decide(.status(200, retryAfter: nil)) == .accept)
    }

    @Test func datesAreComparedWithTheirOwnClock() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT"
        #expect(RetryAfter.seconds(ofDate: date) == 784_111_777)
        #expect(RetryAfter.parse("7", date: nil) == .seconds(7))
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:50:07 GMT", date: date) == .seconds(30))
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:49:00 GMT", date: date) == .seconds(0))
        for text in ["", "-1", "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            #expect(RetryAfter.parse(text, date: date) == nil, "\(text)")
        }
        #expect(RetryAfter.parse(date, date: nil) == nil)
    }
}
