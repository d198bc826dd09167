import ClusterBackend
import Core
import Cryptography
import Testing
import WebClient

@testable import DockerBackend

@Suite struct DockerSettingsTests {
    @Test func withoutAnyThereIsTheMachinesOwnEngine() throws {
        let settings = try DockerSettings([:])
        #expect(settings.endpoint.socket == "/var/run/docker.sock")
        #expect(settings.reach == nil)
        #expect(!settings.endpoint.isOpen)
    }

    @Test func anEngineMayListenOnTCP() throws {
        let safe = try DockerSettings(["host": "tcp://engine:2376", "tls_folder": "/certs"])
        #expect(safe.endpoint.base == "https://engine:2376")
        #expect(safe.endpoint.configuration().trust == .authorityFile("/certs/ca.pem"))
        let open = try DockerSettings(["host": "tcp://engine:2375"])
        #expect(open.endpoint.isOpen)
    }

    @Test(arguments: [
        ["host": "ssh://engine"], ["host": "tcp://"], ["reach": "luck"], ["mounts": "usr:/usr"],
        ["mounts": "/usr:/usr:rwx"], ["user": "root"],
    ]) func whatCannotBeUsedIsRefused(_ values: [String: String]) {
        #expect(throws: HarbourError.self) { try DockerSettings(values) }
    }

    @Test func mountsAreReadOnlyUnlessTheySayOtherwise() throws {
        let settings = try DockerSettings(["mounts": "/a:/b,/c:/d:rw"])
        #expect(settings.mounts == ["/a:/b:ro", "/c:/d:rw"])
    }

    @Test func variablesSurviveTheShell() {
        let text = NodeFiles.environment(["A": "it's $HOME\n`x`", "not a name": "x"])
        #expect(String(decoding: text, as: UTF8.self) == "A='it'\\''s $HOME\n`x`'\n")
    }

    @Test func aWishDiffersByWhatMattersOnly() {
        let spec = BackendSpec(workers: 2, sparkConf: ["a": "b"], secretEnvironment: ["S": Secret("one")])
        var other = spec
        other.workers = 3
        other.secretEnvironment["S"] = Secret("two")
        other.displayName = "renamed"
        #expect(Wish.digest(of: spec) == Wish.digest(of: other))
        other.sparkConf["a"] = "c"
        #expect(Wish.digest(of: spec) != Wish.digest(of: other))
        var alone = spec
        alone.workers = 0
        #expect(Wish.digest(of: spec) != Wish.digest(of: alone))
    }

    @Test func aPlanIsReadBackFromItsLabel() {
        let plan = DockerPlan(BackendSpec(workers: 2), processors: 8)
        #expect(DockerPlan(plan.label) == plan)
        #expect(DockerPlan("1,2,3") == nil)
        #expect(DockerPlan("a,b,c,d,e") == nil)
    }

    @Test func aWorkerThatKeepsDyingIsLeftAlone() {
        var revivals = Revivals()
        let now = MonotonicTime(nanoseconds: 0)
        var pauses: [Duration] = []
        while let pause = revivals.next(at: now) {
            #expect(revivals.next(at: now) == nil, "one start at a time")
            pauses.append(pause)
            revivals.isUnderWay = false
        }
        #expect(pauses.count == 5)
        #expect(zip(pauses, pauses.dropFirst()).allSatisfy { $0 < $1 })
        #expect(revivals.isExhausted)
        #expect(revivals.next(at: now + .seconds(601)) != nil)
    }
}
