internal import Core
internal import EventLoop
internal import Glibc

/// The processes of this machine's clusters, which outlive the services so that work goes on while those restart.
struct LeftClusters: Sendable {
    /// The folder that the clusters' folders are in.
    let folder: String
    let loop: EventLoop

    /// How long a driver may take to end Spark and its kernels.
    private static let grace = Duration.seconds(15)

    /// Ends them all: each driver is asked and ends its children in order, and what is left then is killed.
    /// - Returns: how many clusters there were.
    func end() async throws -> Int {
        let drivers = try await processes().filter { getsid($0.pid) == $0.pid }
        let running = try await adopt(drivers)
        loop.onLoop { for driver in running { driver.beginTermination(grace: LeftClusters.grace) } }
        for driver in running { _ = try await driver.wait() }
        for process in try await adopt(try await processes()) { await process.terminate(grace: .zero) }
        return drivers.count
    }

    private func adopt(_ identities: [ProcessIdentity]) async throws -> [AdoptedProcess] {
        var processes: [AdoptedProcess] = []
        for identity in identities {
            if let process = try await AdoptedProcess.adopt(identity, loop: loop) { processes.append(process) }
        }
        return processes
    }

    /// A driver and all it starts carry the place of the cluster's folder in their environment (proc(5)).
    private func processes() async throws -> [ProcessIdentity] {
        let mark = Array("HARBOUR_DRIVER_SCRATCH=\(folder)/".utf8)
        return try await BlockingPool.shared.run {
            LeftClusters.pids().filter { pid in
                RunningEnvironment.variables(of: pid).contains { $0.starts(with: mark) }
            }.compactMap { ProcessIdentity(pid: $0) }
        }
    }

    private static func pids() -> [Int32] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var pids: [Int32] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let pid = Int32(name) { pids.append(pid) }
        }
        return pids
    }
}
