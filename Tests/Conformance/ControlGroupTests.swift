import ClusterBackend
import Core
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import DriverProcesses

/// Limits by the kernel, where this user may set some.
@Suite struct ControlGroupTests {
    private static let groups = ControlGroups.find()

    @Test(.enabled(if: ControlGroupTests.groups != nil, "control groups are not permitted here"))
    func whatTakesMoreMemoryThanItsGroupHasIsKilled() async throws {
        let groups = try #require(ControlGroupTests.groups)
        try await withEventLoop { loop in
            let name = "harbour-test-\(Identifier.make())"
            #expect(groups.make(name, ControlGroups.Limits(memoryBytes: 64 << 20, cores: 1)))
            var specification = ProcessSpecification(
                "/usr/bin/python3", ["-c", "input(); x = bytearray(b'x') * (256 << 20); print(len(x))"])
            specification.input = .pipe
            let child = try await ChildProcess.start(specification, loop: loop)
            #expect(groups.add(child.pid, to: name))
            #expect(groups.members(of: name) == [child.pid])
            #expect(!groups.remove(name), "it is in use")
            try await child.input?.write(Array("\n".utf8))
            #expect(try await child.wait() == .signalled(SIGKILL))
            #expect(groups.remove(name))
            #expect(groups.remove(name), "what is not there is removed")
        }
    }

    /// The tests of this suite again, under a kernel with version 2 where this machine's has version 1.
    @Test(
        .enabled(if: getuid() == 0 && ControlGroupTests.groups?.isUnified == false, "This is version 2 already."),
        .timeLimit(.minutes(10)))
    func theSameByVersionTwo() throws {
        let folder = try TemporaryDirectory()
        let tool = ["\(TestDocker.top)/Tests/Tools/unified-cgroups", folder.path]
        do {
            try runCommand(tool + ["grep", "-q", "memory", "/sys/fs/cgroup/cgroup.controllers"])
        } catch {
            // Without a way to Debian's archive, or in a container that permits no second kernel.
            print("Control groups of version 2 are not shown here: \(error)")
            return
        }
        let own = try #require(realpath("/proc/self/exe", nil))
        defer { free(own) }
        let said = try runCommand(
            tool + [String(cString: own), "--filter", "ControlGroupTests", "--testing-library", "swift-testing"])
        #expect(said.contains("Test whatTakesMoreMemoryThanItsGroupHasIsKilled() passed"), "\(said)")
        #expect(said.contains("Test aClusterSaysWhetherItsLimitsAreEnforcedAndLeavesNoGroup() passed"), "\(said)")
    }

    @Test func aClusterSaysWhetherItsLimitsAreEnforcedAndLeavesNoGroup() async throws {
        try await withEventLoop { loop in
            let subject = try LocalSubject(loop: loop)
            let id = try #require(ClusterIdentifier("t" + Identifier.make()))
            let installation = Identifier.make()
            let backend = try await subject.backend(installation: installation)
            let cluster = try await backend.provision(subject.request(id, workers: 0)) { _ in }
            let note = try #require(cluster.notes.first)
            let name = "harbour-\(installation)-\(id.text)"
            if let groups = ControlGroupTests.groups {
                #expect(note.contains("is held to"), "\(note)")
                let driver = try #require(LocalSubject.leaders(of: id).first)
                #expect(groups.members(of: name).contains(driver))
                #expect(access("\(groups.memory)/\(name)", F_OK) == 0)
            } else {
                #expect(note.contains("advisory"), "\(note)")
            }
            try await backend.terminate(id, handle: nil, grace: .seconds(1))
            if let groups = ControlGroupTests.groups {
                #expect(access("\(groups.memory)/\(name)", F_OK) != 0)
                #expect(access("\(groups.processor)/\(name)", F_OK) != 0)
            }
            #expect(try await subject.remains(of: id) == [])
            subject.removeFolder()
        }
    }
}
