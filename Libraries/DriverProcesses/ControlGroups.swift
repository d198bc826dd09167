internal import Core
internal import Glibc

/// Limits of processor and memory for the processes of a cluster by the kernel's control groups (cgroups(7)), version 1
/// or 2, where this process may make groups: as root, or where a part of the tree was delegated to its user.
///
/// A group holds all processes of one cluster on this machine, and those they start. Its methods block: call them on a
/// pool.
struct ControlGroups: Sendable, Hashable {
    /// Where groups are made, for memory and for processor time; the same folder in version 2.
    let memory: String
    let processor: String
    let isUnified: Bool

    /// What a cluster may take.
    struct Limits: Sendable, Hashable {
        var memoryBytes: Int64
        var cores: Int
    }

    /// The groups of this machine, or nil when none can be made: found out by making one.
    static func find() -> ControlGroups? {
        let mounts = lines("/proc/self/mounts").map { $0.split(separator: " ").map(String.init) }
            .filter { $0.count > 3 }
        let own = lines("/proc/self/cgroup").map { line in
            line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        }.filter { $0.count == 3 }
        return versionOne(mounts, own) ?? versionTwo(mounts, own)
    }

    private static func lines(_ path: String) -> [String] {
        String(decoding: Files.read(path) ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static func versionOne(_ mounts: [[String]], _ own: [[String]]) -> ControlGroups? {
        func place(_ controller: String) -> String? {
            let mount = mounts.first { $0[2] == "cgroup" && $0[3].split(separator: ",").contains { $0 == controller } }
            let path = own.first { $0[1].split(separator: ",").contains { $0 == controller } }?[2]
            guard let mount, let path else { return nil }
            return path == "/" ? mount[1] : mount[1] + path
        }
        guard let memory = place("memory"), let processor = place("cpu") else { return nil }
        let groups = ControlGroups(memory: memory, processor: processor, isUnified: false)
        return groups.canMake ? groups : nil
    }

    /// In version 2 a group with processes has no groups with limits below it, so they are made beside our own.
    private static func versionTwo(_ mounts: [[String]], _ own: [[String]]) -> ControlGroups? {
        guard let mount = mounts.first(where: { $0[2] == "cgroup2" })?[1],
            let path = own.first(where: { $0[0] == "0" })?[2]
        else { return nil }
        let above = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        let place = mount + above
        for controller in ["+memory", "+cpu"] {
            // Refused where it is not ours; whether it is on already, the attempt below shows.
            _ = write(controller, to: "\(place)/cgroup.subtree_control")
        }
        let groups = ControlGroups(memory: place, processor: place, isUnified: true)
        return groups.canMake ? groups : nil
    }

    private var canMake: Bool {
        let name = "harbour-probe-\(getpid())-\(Identifier.make())"
        defer { _ = remove(name) }
        return make(name, Limits(memoryBytes: 1 << 30, cores: 1))
    }

    private func folders(_ name: String) -> [String] {
        isUnified ? ["\(memory)/\(name)"] : ["\(memory)/\(name)", "\(processor)/\(name)"]
    }

    /// Makes a group, or gives one that is there these limits; false when that is not permitted.
    func make(_ name: String, _ limits: Limits) -> Bool {
        for folder in folders(name) where mkdir(folder, 0o755) != 0 && errno != EEXIST { return false }
        let period = 100_000
        // Without it what is over the limit goes to the swap instead; not every kernel counts that. In version 1 it must
        // never be below the limit of memory, so it goes first where a group is given more, and last where it gets less.
        let swap = isUnified ? ("0", "memory.swap.max") : ("\(limits.memoryBytes)", "memory.memsw.limit_in_bytes")
        _ = ControlGroups.write(swap.0, to: "\(memory)/\(name)/\(swap.1)")
        defer { _ = ControlGroups.write(swap.0, to: "\(memory)/\(name)/\(swap.1)") }
        if isUnified {
            return ControlGroups.write("\(limits.memoryBytes)", to: "\(memory)/\(name)/memory.max")
                && ControlGroups.write("\(limits.cores * period) \(period)", to: "\(processor)/\(name)/cpu.max")
        }
        return ControlGroups.write("\(limits.memoryBytes)", to: "\(memory)/\(name)/memory.limit_in_bytes")
            && ControlGroups.write("\(period)", to: "\(processor)/\(name)/cpu.cfs_period_us")
            && ControlGroups.write("\(limits.cores * period)", to: "\(processor)/\(name)/cpu.cfs_quota_us")
    }

    /// Puts a process into a group, with all that it starts from then on.
    func add(_ pid: Int32, to name: String) -> Bool {
        folders(name).allSatisfy { ControlGroups.write("\(pid)", to: "\($0)/cgroup.procs") }
    }

    /// The processes in a group.
    func members(of name: String) -> [Int32] {
        ControlGroups.lines("\(memory)/\(name)/cgroup.procs").compactMap { Int32($0) }
    }

    /// Removes a group that has no processes any more; false when it still has some. One that is not there is no failure.
    func remove(_ name: String) -> Bool {
        folders(name).allSatisfy { rmdir($0) == 0 || errno == ENOENT }
    }

    private static func write(_ text: String, to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        return Glibc.write(descriptor, bytes, bytes.count) == bytes.count
    }
}

extension ProcessPlan {
    /// What the kernel holds the whole cluster to: its cores, and its memory with what a JVM needs beside its heap and
    /// what kernels and other Python processes take.
    var limits: ControlGroups.Limits {
        ControlGroups.Limits(
            memoryBytes: Int64(totalMemoryMiB * 3 / 2 + 1024) << 20, cores: driverCores + workers * workerCores)
    }
}
