public import ClusterBackend
internal import Core
internal import DriverProcesses
internal import EventLoop

extension SparkBackend {
    /// Whether a driver could be started here, and whether the master is there, active, of our version, and has room.
    public func preflight() async -> PreflightReport {
        async let here = host.checks()
        async let there = masterChecks()
        return PreflightReport(checks: await here + there)
    }

    private func masterChecks() async -> [PreflightReport.Check] {
        guard let master else { return [PreflightReport.Check("Spark master", passed: false, message: "\(missing).")] }
        let url = master.address.url
        switch await master.look() {
        case .unreachable(let reason):
            return [
                PreflightReport.Check(
                    "Spark master", passed: false,
                    message: "The master \(url) cannot be reached: \(reason) Start it, or set "
                        + "HARBOUR_BACKEND_SPARK_MASTER_UI when its page is at another address.")
            ]
        case .inactive(let status):
            return [
                PreflightReport.Check(
                    "Spark master", passed: false,
                    message: "The master \(url) is \(status), not ALIVE. Wait until it has taken over, or name all "
                        + "masters in HARBOUR_BACKEND_SPARK_MASTER.")
            ]
        case .alive(let state):
            let python = context.settings["python"] ?? "python3"
            let machine = host.machine
            let here = (try? await BlockingPool.shared.run { machine.sparkVersion(python: python) }) ?? nil
            async let there = master.version()
            async let workers = master.versions(of: state.workers)
            return [
                PreflightReport.Check("Spark master", passed: true, message: "The master \(url) is ALIVE."),
                SparkBackend.versionCheck(here: here, there: await there), SparkBackend.roomCheck(state),
                SparkBackend.workerCheck(here: here, there: await workers),
            ]
        }
    }

    /// A driver and a master of two versions do not understand each other, which shows only as a class that is
    /// incompatible, late and far away.
    static func versionCheck(here: String?, there: String?) -> PreflightReport.Check {
        let name = "Spark version"
        guard let there else {
            return PreflightReport.Check(
                name, passed: false,
                message: "The master does not say which Spark it is. Set HARBOUR_BACKEND_SPARK_MASTER_REST, or switch "
                    + "its submission server on (spark.master.rest.enabled).")
        }
        guard let here else {
            return PreflightReport.Check(
                name, passed: true, message: "The master is Spark \(there); the driver's own could not be read.")
        }
        if line(here) == line(there) {
            return PreflightReport.Check(
                name, passed: true, message: "The driver is Spark \(here), the master \(there).")
        }
        return PreflightReport.Check(
            name, passed: false,
            message: "The driver is Spark \(here) and the master \(there): they do not understand each other. Install "
                + "the master's version for the driver, or the driver's on the master and all its workers.")
    }

    /// Versions that differ in their third number only understand each other.
    private static func line(_ version: String) -> [Substring] { Array(version.split(separator: ".").prefix(2)) }

    /// A worker of another version runs executors that the driver does not understand.
    static func workerCheck(here: String?, there: [String: String]) -> PreflightReport.Check {
        let name = "Spark workers' version"
        guard let here, !there.isEmpty else {
            return PreflightReport.Check(
                name, passed: true, message: "The workers' versions could not be read from their pages.")
        }
        let others = there.filter { line($0.value) != line(here) }.sorted { $0.key < $1.key }
        guard let first = others.first else {
            let versions = Set(there.values).sorted().joined(separator: ", ")
            return PreflightReport.Check(name, passed: true, message: "The workers are Spark \(versions).")
        }
        let rest = others.count == 1 ? "" : " and \(others.count - 1) more"
        return PreflightReport.Check(
            name, passed: false,
            message:
                "The driver is Spark \(here), and the worker at \(first.key)\(rest) is Spark \(first.value): they do "
                + "not understand each other. Install the same version on all workers, or take these away.")
    }

    static func roomCheck(_ state: MasterState) -> PreflightReport.Check {
        let name = "Spark workers"
        guard !state.workers.isEmpty else {
            return PreflightReport.Check(
                name, passed: false, message: "The master has no worker that is alive. Start one.")
        }
        let room =
            "\(state.coresFree) of \(state.cores) cores and \(state.memoryFreeMiB) MiB are free on "
            + "\(state.workers.count == 1 ? "1 worker" : "\(state.workers.count) workers")"
        guard state.room(cores: 1, memoryMiB: 512).free > 0 else {
            return PreflightReport.Check(
                name, passed: false,
                message: "\(room), which is too little for an executor. Wait for other applications, or add workers.")
        }
        return PreflightReport.Check(name, passed: true, message: "\(room).")
    }
}
